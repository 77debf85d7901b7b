"""What a node loads when it starts: what it never uses is left out, for time and memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.unit, pytest.mark.subprocess]

NEVER = (
    *("web3", "requests", "torch", "matplotlib", "transformers", "rich", "dns"),
    *("aioquic", "httpx", "websockets", "wsproto", "zeroconf", "miniupnpc", "libp2p.kad_dht"),
)


def ran(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_a_node_loads_no_library_that_it_never_uses() -> None:
    code = f"import sys, jepanet.node.app; print(*[name for name in {NEVER!r} if name in sys.modules])"
    assert ran(code).split() == []


def test_attack_what_is_left_out_of_libp2p_says_so_where_somebody_makes_one() -> None:
    code = (
        "import jepanet.p2p.host, libp2p\n"
        "for made in (libp2p.QUICTransport, libp2p.host.basic_host.ACMEClient):\n"
        "    try: made()\n"
        "    except RuntimeError as error: print(error)\n"
        "print(isinstance(object(), libp2p.QUICTransportConfig))"
    )
    *refused, other = ran(code).splitlines()
    assert len(refused) == 2 and all("left out: jepanet.p2p.left_out" in line for line in refused)
    assert other == "False"


def test_attack_libp2p_asks_for_no_name_by_itself() -> None:
    """What a name leads to is judged before it is dialled; a second look could find another address."""
    code = (
        "import asyncio, jepanet.p2p.host\n"
        "from libp2p.transport.tcp.tcp import DNSResolver\n"
        "try: asyncio.run(DNSResolver().resolve('/dns4/example.org/tcp/1'))\n"
        "except RuntimeError as error: print(error)"
    )
    assert "resolved before" in ran(code)


def test_where_libp2p_is_loaded_already_it_stays_whole() -> None:
    code = "import libp2p, jepanet.p2p.host; print(libp2p.QUICTransport.__mro__)"
    assert "left_out" not in ran(code)
