"""Peers worth dialling again: the bootstrap list and every peer connected before, kept across restarts.

py-libp2p neither redials nor exchanges peers by default, so after a crash a node would stay alone with the
one peer it dials. Addresses come from peers themselves, hence: few per peer, plain TCP, and an address that
is not globally reachable only if the peer was seen at that very host. Whether one is dialled is decided when
it is (`horizon`), names included.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from jepanet.errors import Fatal, Rejected
from jepanet.files import write_atomically
from jepanet.p2p.identity import PeerAddress, parse_address
from jepanet.p2p.peers.reach import Reach, reach_of
from jepanet.telemetry import get_logger

MAX_PEERS = 256
MAX_ADDRESSES = 4
LONGEST_WAIT = 300.0
LONGEST_BOOTSTRAP_WAIT = 30.0
_FORGET_AFTER = 7 * 24 * 3600.0
_FORGET_FAILURES = 12
_DOUBT_AFTER = 3600.0
"""A peer whose addresses never led to it is forgotten sooner: they may be anybody's."""
_MAX_FILE_BYTES = 1 << 20

_log = get_logger("p2p")


@dataclass
class _Entry:
    addresses: list[PeerAddress]
    seen: float
    given: tuple[PeerAddress, ...] = ()
    failures: int = 0
    due: float = 0.0
    bootstrap: bool = False
    proven: bool = False


@dataclass
class AddressBook:
    """Addresses by peer id. `clock` is seconds that only pass, whatever the date. Used from one thread."""

    path: Path
    clock: Callable[[], float]
    first_wait: float
    own_id: str = ""
    _entries: dict[str, _Entry] = field(default_factory=dict)
    _changed: bool = False

    def load(self, bootstrap: Iterable[str]) -> None:
        """Reads the file, if any; bootstrap peers are never forgotten.

        Raises:
            Rejected: a bootstrap address is malformed.
        """
        for text in self._stored():
            try:
                self._add(parse_address(text), self.clock() - 1)
            except Rejected:
                continue
        for text in bootstrap:
            address = parse_address(text)
            self._add(address, self.clock())
            self.give(address)
            self._entries[address.peer_id].bootstrap = True

    def give(self, address: PeerAddress) -> None:
        """The operator named it: it stays first, whatever the peer says of itself."""
        self._add(address, self.clock())
        entry = self._entries.get(address.peer_id)
        if entry is not None and address not in entry.given:
            entry.given = (*entry.given, address)
            entry.addresses = [*entry.given, *(item for item in entry.addresses if item not in entry.given)]

    def is_given(self, address: PeerAddress) -> bool:
        entry = self._entries.get(address.peer_id)
        return entry is not None and address in entry.given

    def is_proven(self, peer_id: str) -> bool:
        """Whether an address of it led to the peer, in this run, or its operator gave one."""
        entry = self._entries.get(peer_id)
        return entry is not None and (entry.proven or entry.bootstrap)

    def learned(self, peer_id: str, addresses: Iterable[str], remote_host: str) -> None:
        """A connected peer says where it listens (`/ip4/../tcp/..`); `remote_host` is where it was seen."""
        usable = []
        for text in list(addresses)[: 4 * MAX_ADDRESSES]:
            try:
                address = parse_address(f"{text}/p2p/{peer_id}")
            except Rejected:
                continue
            if _plausible(address, remote_host):
                usable.append(address)
        for address in usable[:MAX_ADDRESSES]:
            self._add(address, self.clock())

    def led_to(self, address: PeerAddress) -> None:
        """The peer answered there."""
        self._add(address, self.clock())
        self.met(address.peer_id, dialled=True)

    def met(self, peer_id: str, *, dialled: bool = False) -> None:
        """The peer is connected; `dialled` proves an address, which makes it harder to crowd out."""
        entry = self._entries.get(peer_id)
        if entry is not None:
            entry.proven = entry.proven or dialled
            entry.seen, entry.failures, entry.due = self.clock(), 0, 0.0

    def lost(self, peer_id: str) -> None:
        """Its last connection ended: try again soon, but not all at the same moment."""
        entry = self._entries.get(peer_id)
        if entry is not None:
            entry.due = self.clock() + self.first_wait * random.uniform(0.2, 1.0)  # noqa: S311  # jitter

    def failed(self, peer_id: str) -> None:
        """It could not be dialled: wait twice as long."""
        entry = self._entries.get(peer_id)
        if entry is None:
            return
        entry.failures += 1
        limit = LONGEST_BOOTSTRAP_WAIT if entry.bootstrap else LONGEST_WAIT
        wait = min(self.first_wait * 2.0 ** min(entry.failures, 16), limit)
        entry.due = self.clock() + wait * random.uniform(0.5, 1.0)  # noqa: S311  # jitter
        patience = _FORGET_AFTER if entry.proven else _DOUBT_AFTER
        gone = self.clock() - entry.seen > patience and entry.failures >= _FORGET_FAILURES
        if gone and not entry.bootstrap:
            self.forget(peer_id)

    def forget(self, peer_id: str) -> None:
        self._changed = self._entries.pop(peer_id, None) is not None or self._changed

    def addresses_of(self, peer_id: str) -> list[PeerAddress]:
        entry = self._entries.get(peer_id)
        return list(entry.addresses) if entry else []

    def due(self, connected: Iterable[str], *, bootstrap_only: bool) -> list[str]:
        """Peers to dial now: not connected, their wait over, the longest waiting first."""
        present, now = set(connected), self.clock()
        waiting = [
            (entry.due, peer_id)
            for peer_id, entry in self._entries.items()
            if peer_id not in present and entry.due <= now and (entry.bootstrap or not bootstrap_only)
        ]
        return [peer_id for _, peer_id in sorted(waiting)]

    def store(self) -> None:
        """Writes the file if anything changed; a failure is logged, the book is only a convenience."""
        if not self._changed:
            return
        self._changed = False
        lines = [str(address) for entry in self._entries.values() for address in entry.addresses]
        try:
            write_atomically(self.path, json.dumps({"peers": lines}, indent=1).encode(), mode=0o600)
        except Fatal as error:
            _log.warning("address_book.unsaved", path=str(self.path), error=str(error))

    def _stored(self) -> list[str]:
        try:
            with self.path.open("rb") as file:
                data = file.read(_MAX_FILE_BYTES + 1)
            if len(data) > _MAX_FILE_BYTES:
                raise ValueError("file too large")
            return [str(text) for text in json.loads(data)["peers"]][: MAX_PEERS * MAX_ADDRESSES]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError, KeyError, OSError) as error:
            _log.warning("address_book.damaged", error=str(error))
            return []

    def _add(self, address: PeerAddress, seen: float) -> None:
        if address.peer_id == self.own_id:
            return
        entry = self._entries.get(address.peer_id)
        if entry is None:
            entry = self._entries[address.peer_id] = _Entry([], seen)
        entry.seen = max(entry.seen, seen)
        if address not in entry.addresses:
            others = [address, *(item for item in entry.addresses if item not in entry.given)]
            entry.addresses = [*entry.given, *others[:MAX_ADDRESSES]]
            self._changed = True
        while len(self._entries) > MAX_PEERS:
            strangers = [peer for peer, held in self._entries.items() if not held.bootstrap]
            if not strangers:
                return
            # Visitors with many identities must not displace those who were really there.
            del self._entries[min(strangers, key=self._worth)]

    def _worth(self, peer_id: str) -> tuple[bool, float]:
        entry = self._entries[peer_id]
        return entry.proven, entry.seen


def _plausible(address: PeerAddress, remote_host: str) -> bool:
    """Whether to note that a peer seen at `remote_host` listens there. Names are judged at dialling."""
    named = address.kind.startswith("dns")
    return named or address.host == remote_host or reach_of(address.host) is Reach.PUBLIC
