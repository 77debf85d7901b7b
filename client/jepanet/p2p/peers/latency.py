"""How long connected peers take to answer: libp2p's ping, `/ipfs/ping/1.0.0`: 32 random bytes come back.

https://github.com/libp2p/specs/blob/master/ping/ping.md. A peer is asked soon after it was met and once a
minute from then on, a few at a time; opening the stream is not counted. One that does not answer, or sends
back other bytes, is asked again a minute later and has no latency until then: to be slow is no offence.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

import trio

from jepanet.p2p.hardening.streams import SafeStream, StreamLost
from jepanet.telemetry import get_logger
from jepanet.traffic import Flow

if TYPE_CHECKING:
    from libp2p.network.stream.net_stream import NetStream

PING = "/ipfs/ping/1.0.0"
_BYTES = 32
_EVERY, _WAITS = 60.0, 10.0
_AT_ONCE = 4

_log = get_logger("p2p")


class Latencies:
    """The newest round trip of each peer. Lives on the trio side."""

    def __init__(self, open_stream: Callable[[str, str], Awaitable[NetStream]]) -> None:
        self._open = open_stream
        self._flow = Flow()  # 64 bytes a peer and minute are no traffic to account for
        self._limit = trio.CapacityLimiter(_AT_ONCE)
        self._found: dict[str, float | None] = {}
        self._asked: dict[str, float] = {}

    def of(self, peer_id: str) -> float | None:
        """Seconds; None before the first answer and where the newest ping had none."""
        return self._found.get(peer_id)

    def look(self, connected: Iterable[str], nursery: trio.Nursery) -> None:
        """Asks those whose turn it is, in `nursery`; forgets who is gone."""
        here, now = set(connected), trio.current_time()
        self._asked = {peer: at for peer, at in self._asked.items() if peer in here}
        self._found = {peer: found for peer, found in self._found.items() if peer in here}
        for peer in here:
            if now - self._asked.get(peer, -_EVERY) >= _EVERY:
                self._asked[peer] = now
                nursery.start_soon(self._measure, peer)

    async def _measure(self, peer_id: str) -> None:
        async with self._limit:
            found = None
            try:
                found = await self._ping(peer_id)
            except StreamLost as error:
                _log.debug("ping.unanswered", peer=peer_id, why=str(error))
        if peer_id in self._asked:
            self._found[peer_id] = found

    async def _ping(self, peer_id: str) -> float:
        """Raises: StreamLost: it is gone, does not know ping, or does not send back what it was sent."""
        safe = SafeStream(await self._open(peer_id, PING), _WAITS, self._flow)
        try:
            sent = secrets.token_bytes(_BYTES)
            begun = trio.current_time()
            await safe.write(sent, within=_WAITS)
            if await safe.read_exactly(_BYTES, within=_WAITS) != sent:
                raise StreamLost(f"peer {peer_id} sends back other bytes")
            found = trio.current_time() - begun
            await safe.finish()
            return found
        except BaseException:
            await safe.reset()
            raise
