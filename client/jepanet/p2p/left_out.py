"""Parts of libp2p that a node never uses, and that are therefore not loaded: over a third of its imports.

`import libp2p` loads every transport and every way to find peers, with the libraries behind them: QUIC,
WebSockets, multicast DNS, UPnP, relays with their hash table, certificates by ACME, a resolver of names. A
node has TCP, Noise and the peers it was told, and resolves names itself (`p2p.peers.horizon`), so that libp2p
dials numbers alone. The classes left out are stood in for by classes that refuse to be made, or used; a name
that libp2p asks for and that does not stand here is an error at once.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

_PACKAGES = (
    "libp2p.discovery",
    "libp2p.discovery.bootstrap",
    "libp2p.discovery.mdns",
    "libp2p.discovery.upnp",
    "libp2p.relay",
    "libp2p.relay.circuit_v2",
    "libp2p.security.tls.autotls",
    "libp2p.transport.quic",
    "libp2p.transport.websocket",
)
"""Their `__init__` is not run, which would load all that is below them. What stands not below is loaded."""
_MODULES: Mapping[str, Sequence[str]] = {
    "libp2p.discovery.bootstrap.bootstrap": ("BootstrapDiscovery",),
    "libp2p.discovery.mdns.mdns": ("MDNSDiscovery", "create_mdns_discovery"),
    "libp2p.discovery.upnp.upnp": ("UpnpManager",),
    "libp2p.security.tls.autotls.acme": ("ACMEClient", "compute_b36_peer_id"),
    "libp2p.security.tls.autotls.broker": ("BrokerClient",),
    "libp2p.transport.quic.config": ("QUICTransportConfig",),
    "libp2p.transport.quic.stream": ("QUICStream",),
    "libp2p.transport.quic.transport": ("QUICTransport",),
    "libp2p.transport.quic.utils": ("is_quic_multiaddr",),
    "libp2p.transport.websocket.transport": ("WebsocketTransport",),
}


class LeftOut:
    """Stands for a class or function of libp2p's. Nothing is an instance of it."""

    def __new__(cls, *_: object, **__: object) -> NoReturn:
        raise RuntimeError(f"{cls.__module__}.{cls.__name__} is left out: {__name__} says why")


class NoNames:
    """Stands for the resolver of names, one of which every swarm makes and keeps."""

    async def resolve(self, *_: object, **__: object) -> NoReturn:
        raise RuntimeError(f"names are resolved before libp2p gets them: {__name__} says why")


def leave_out() -> None:
    """Call it before libp2p is imported; where it is already, everything stays as it is."""
    found = importlib.util.find_spec("libp2p")
    if "libp2p" in sys.modules or found is None or not found.submodule_search_locations:
        return
    root = Path(next(iter(found.submodule_search_locations)))
    for name in _PACKAGES:
        package = ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package
    for name, members in _MODULES.items():
        module = ModuleType(name)
        for member in members:
            setattr(module, member, type(member, (LeftOut,), {"__module__": name}))
        sys.modules[name] = module
    resolvers = ModuleType("multiaddr.resolvers")
    resolvers.DNSResolver = NoNames  # type: ignore[attr-defined]
    sys.modules[resolvers.__name__] = resolvers
