"""Answers to pings, `/ipfs/ping/1.0.0`, as many as measuring takes: the library answers without a limit.

https://github.com/libp2p/specs/blob/master/ping/ping.md. Ten may come at once and one a second after that; a
stream that brings more is reset, and so is one beyond two of a peer.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Final

import trio

from jepanet.p2p.hardening.streams import SafeStream, StreamLost
from jepanet.telemetry import get_logger
from jepanet.traffic import Flow

if TYPE_CHECKING:
    from libp2p.network.stream.net_stream import NetStream

_BYTES: Final = 32
_BURST, _A_SECOND = 10.0, 1.0
_STREAMS: Final = 2
_WAITS = 10.0
"""Seconds without a ping after which a stream is closed."""
_REMEMBERED: Final = 1024

_log = get_logger("p2p")


class Pings:
    """Lives on the trio side. `flow` is told of the bytes."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._streams: Counter[str] = Counter()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Of each peer, how many more are answered as of when; who has gone and come back gets no more."""

    async def handle(self, stream: NetStream) -> None:
        """Answers one stream until its end."""
        safe = SafeStream(stream, _WAITS, self._flow)
        peer = safe.peer_id
        if self._streams[peer] >= _STREAMS:
            await safe.reset()
            return
        self._streams[peer] += 1
        try:
            while not await safe.ended():
                if not self._allowed(peer):
                    _log.debug("ping.refused", peer=peer)
                    await safe.reset()
                    return
                await safe.write(await safe.read_exactly(_BYTES, within=_WAITS), within=_WAITS)
            await safe.finish()
        except StreamLost as error:
            _log.debug("ping.ended", peer=peer, why=str(error))
            await safe.reset()
        except BaseException:
            await safe.reset()
            raise
        finally:
            self._streams[peer] -= 1
            if not self._streams[peer]:
                del self._streams[peer]

    def _allowed(self, peer: str) -> bool:
        now = trio.current_time()
        left, at = self._left.get(peer, (_BURST, now))
        left = min(_BURST, left + (now - at) * _A_SECOND)
        self._left[peer] = (left - 1 if left >= 1 else left, now)
        self._left.move_to_end(peer)
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        return left >= 1
