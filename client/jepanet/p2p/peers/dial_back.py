"""Whether a peer can be dialled: it asks somebody else to knock at its port. `/jepanet/dialback/1`.

    request    port u16, big-endian
    response   verdict u8

The host is where the request came from, never one that the peer names, so that nobody is sent to knock at
strangers; it is judged as every other (`horizon`), and knocked at once in ten seconds. Knocking is a TCP
connection and the first line of multistream, which whoever serves libp2p answers
(https://github.com/multiformats/multistream-select). AutoNAT proper dials addresses that a peer names.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING

import trio

from jepanet.errors import Transient
from jepanet.p2p.hardening.streams import SafeStream, StreamLost
from jepanet.telemetry import get_logger
from jepanet.traffic import Flow

if TYPE_CHECKING:
    from libp2p.network.stream.net_stream import NetStream

DIAL_BACK = "/jepanet/dialback/1"
_REQUEST = struct.Struct(">H")
_GREETING = b"\x13/multistream/1.0.0\n"
_EVERY, _KNOCK_SECONDS, _STALL = 10.0, 5.0, 15.0
_AT_ONCE, _REMEMBERED = 4, 1024

_log = get_logger("p2p")


class Verdict(IntEnum):
    """What knocking came to; values travel."""

    ANSWERED = 1
    SILENT = 2
    """Nothing listens there, or something that is no peer."""
    BUSY = 3
    OUT_OF_REACH = 4
    """The request came from an address that the asked node does not dial."""


class DialBack:
    """Knocks for peers that ask. Lives on the trio side."""

    def __init__(self, admits: Callable[[str], bool], flow: Flow) -> None:
        self._admits = admits
        self._flow = flow
        self._knocked: OrderedDict[str, float] = OrderedDict()
        self._under_way = 0

    async def handle(self, stream: NetStream) -> None:
        """Answers one request."""
        safe = SafeStream(stream, _STALL, self._flow)
        try:
            (port,) = _REQUEST.unpack(await safe.read_exactly(_REQUEST.size, within=_STALL))
            remote = stream.muxed_conn.get_remote_address()
            verdict = await self._verdict(str(remote[0]) if remote else "", port)
            await safe.write(bytes((verdict,)), within=_STALL)
            await safe.finish()
        except StreamLost as error:
            _log.debug("request.ended", peer=safe.peer_id, error=str(error))
            await safe.reset()
        except BaseException:
            await safe.reset()
            raise

    async def _verdict(self, host: str, port: int) -> Verdict:
        if not port or not self._admits(host):
            return Verdict.OUT_OF_REACH
        now = trio.current_time()
        if self._under_way >= _AT_ONCE or now - self._knocked.get(host, -_EVERY) < _EVERY:
            return Verdict.BUSY
        self._knocked[host] = now
        self._knocked.move_to_end(host)
        if len(self._knocked) > _REMEMBERED:
            self._knocked.popitem(last=False)
        self._under_way += 1
        try:
            return Verdict.ANSWERED if await _knock(host, port) else Verdict.SILENT
        finally:
            self._under_way -= 1


async def _knock(host: str, port: int) -> bool:
    """Whether a peer's listener answers at an IP address."""
    with trio.move_on_after(_KNOCK_SECONDS):
        try:
            async with await trio.open_tcp_stream(host, port) as stream:
                await stream.send_all(_GREETING)
                heard = b""
                while len(heard) < len(_GREETING):
                    more = await stream.receive_some(len(_GREETING) - len(heard))
                    if not more:
                        return False
                    heard += more
                return heard == _GREETING
        except (OSError, trio.BrokenResourceError):
            return False
    return False


async def ask(stream: NetStream, port: int, flow: Flow) -> Verdict:
    """Asks the peer at the other end of a stream to knock at `port`.

    Raises: Transient: it does not answer, or nothing that is a verdict.
    """
    safe = SafeStream(stream, _STALL, flow)
    try:
        await safe.write(_REQUEST.pack(port), within=_STALL)
        (said,) = await safe.read_exactly(1, within=_STALL)
        await safe.finish()
        return Verdict(said)
    except ValueError as error:
        raise Transient(f"peer {safe.peer_id} answers nonsense") from error
    except BaseException:
        await safe.reset()
        raise
