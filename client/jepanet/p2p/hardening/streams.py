"""Reading and writing Yamux streams with deadlines that cannot hurt the shared connection.

All streams to a peer share one encrypted connection. Cancelling py-libp2p in the middle of a frame leaves
half a frame on the wire and kills that connection for everybody, and its own write gives up after 5 s
without window. So waiting and moving bytes are kept apart here:

    wait until there is data (or window)    cancellable, touches no frame, has the deadline
    read (or write) what is there           shielded, returns at once

The shielded step can only hang when the peer stops draining its socket; after `STUCK` seconds the whole
connection is given up, because half a frame may be out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import trio
from libp2p.stream_muxer.yamux.yamux import HEADER_SIZE, MAX_MESSAGE_SIZE

from jepanet.errors import Transient
from jepanet.traffic import Flow

if TYPE_CHECKING:
    from libp2p.network.stream.net_stream import NetStream

T = TypeVar("T")

STUCK = 30.0
"""Seconds a peer may leave its socket undrained before the connection is closed."""
_WINDOW_POLL = 0.005
# One Yamux frame that still fits one Noise message (65535 - 16 bytes of tag); the library's own 65536-byte
# frames would be split in two messages, the second of 17 bytes.
FRAME_BYTES = min(MAX_MESSAGE_SIZE - HEADER_SIZE, 65535 - 16 - HEADER_SIZE)


def shielded(seconds: float) -> trio.CancelScope:
    """A shield against cancellation from outside that itself gives up after `seconds`."""
    scope = trio.move_on_after(seconds)
    scope.shield = True
    return scope


async def _pause() -> None:
    await trio.sleep(_WINDOW_POLL)


class StreamLost(Transient):
    """The stream ended, was reset, stalled past its deadline, or its connection is gone."""


class SafeStream:
    """One stream, for one task. `stall` is the number of seconds without any byte after which it is lost;
    `flow` is told what was read and written."""

    def __init__(self, stream: NetStream, stall: float, flow: Flow) -> None:
        self.flow = flow
        self._stream = stream
        self._muxed = stream.muxed_stream
        self.stall = stall
        self.peer_id = str(stream.muxed_conn.peer_id)

    async def read_exactly(self, count: int, *, within: float | None = None) -> bytes:
        """Exactly `count` bytes, which the caller has already bounded; as `read_into`."""
        data = bytearray(count)
        await self.read_into(memoryview(data), within=within)
        return bytes(data)

    async def read_into(self, target: memoryview, *, within: float | None = None) -> None:
        """Fills `target`. `within` caps the whole read in seconds, so that a peer which trickles bytes just
        under the stall limit is lost too.

        Raises:
            StreamLost: end of stream, reset, stall or deadline.
        """
        deadline = trio.current_time() + within if within is not None else None
        while target:
            await self._wait(self._readable, self._arrival, deadline)
            target = target[await self._take(target) :]

    async def write(self, data: bytes | memoryview, *, within: float | None = None) -> None:
        """Writes all of `data`; deadlines as in `read_exactly`.

        Raises:
            StreamLost: reset, stall or deadline.
        """
        deadline = trio.current_time() + within if within is not None else None
        view = memoryview(data)
        while view:
            await self._wait(self._writable, _pause, deadline)
            take = max(min(len(view), self._muxed.send_window, FRAME_BYTES), 1)
            await self._shielded(self._stream.write(bytes(view[:take])))
            self.flow.went(take)
            view = view[take:]

    async def _take(self, target: memoryview) -> int:
        """Moves what has arrived straight from the muxer's buffer; the library would copy it four times."""
        buffer = self._muxed.conn.stream_buffers.get(self._muxed.stream_id)
        if not buffer:
            await self._shielded(self._stream.read(1))  # reports how the stream ended
            raise StreamLost(f"stream to {self.peer_id} ended")
        count = min(len(target), len(buffer))
        with memoryview(buffer) as arrived:
            target[:count] = arrived[:count]
        del buffer[:count]
        self.flow.came(count)
        await self._shielded(self._muxed._auto_tune_and_send_window_update(bytes_read=count))
        return count

    async def widen(self, window: int) -> None:
        """Lets the peer send `window` bytes ahead at once. Yamux starts at 256 KiB and grows only while
        updates follow each other within four round trips, which on a busy machine they never do."""
        muxed = self._muxed
        more = window - muxed.recv_window
        if more > 0:
            muxed.target_recv_window = max(window, muxed.target_recv_window)
            muxed.recv_window += more
            await self._shielded(muxed.send_window_update(more))

    async def finish(self) -> None:
        """Closes our side in an orderly way."""
        await self._end(self._stream.close)

    async def reset(self) -> None:
        """Drops the stream in both directions. Safe at any time, also while being cancelled. Wakes up a task
        that reads it, which the library forgets."""
        event = self._muxed.conn.stream_events.get(self._muxed.stream_id)
        unread = self._muxed.conn.stream_buffers.get(self._muxed.stream_id)
        if unread:
            self.flow.came(len(unread))  # it was sent here all the same
            del unread[:]
        await self._end(self._stream.reset)
        if event is not None:
            event.set()

    async def ended(self) -> bool:
        """Waits until the peer sends something or closes; True when nothing more will come.

        Raises:
            StreamLost: nothing at all within the stall limit.
        """
        await self._wait(self._readable, self._arrival, None)
        connection = self._muxed.conn
        return not connection.stream_buffers.get(self._muxed.stream_id)

    async def _wait(
        self, ready: Callable[[], bool], signal: Callable[[], Awaitable[None]], deadline: float | None
    ) -> None:
        if ready() and (deadline is None or trio.current_time() < deadline):
            await trio.lowlevel.checkpoint()
            return
        limit = trio.current_time() + self.stall
        if deadline is not None:
            limit = min(limit, deadline)
        with trio.move_on_at(limit):
            while not ready():
                await signal()
            return
        raise StreamLost(f"peer {self.peer_id} stalled")

    def _readable(self) -> bool:
        """There is data, or a read would report the end."""
        muxed, connection = self._muxed, self._muxed.conn
        buffer = connection.stream_buffers.get(muxed.stream_id)
        return buffer is None or bool(buffer or muxed.recv_closed or muxed.closed)

    async def _arrival(self) -> None:
        connection, key = self._muxed.conn, self._muxed.stream_id
        event = connection.stream_events.get(key)
        if event is None:
            await trio.sleep(_WINDOW_POLL)
            return
        if event.is_set():  # by a frame already consumed: the library, too, replaces it before it waits
            event = connection.stream_events[key] = trio.Event()
        await event.wait()

    def _writable(self) -> bool:
        muxed = self._muxed
        return bool(muxed.send_window > 0 or muxed.closed or muxed.send_closed)

    async def _shielded(self, operation: Awaitable[T]) -> T:
        try:
            with shielded(STUCK):
                return await operation
        except Exception as error:  # stream, muxer and transport errors have no common base
            raise StreamLost(f"stream to {self.peer_id} ended: {type(error).__name__}") from error
        await self._cut()
        raise StreamLost(f"peer {self.peer_id} does not drain its connection")

    async def _end(self, close: Callable[[], Awaitable[None]]) -> None:
        try:
            with shielded(STUCK):
                await close()
                return
        except Exception:  # already gone, which is what was wanted
            return
        await self._cut()

    async def _cut(self) -> None:
        """Closes the connection's socket: half a frame may be out, nothing more can be sent in order."""
        with shielded(1):
            try:
                await self._muxed.conn.secured_conn.close()
            except Exception:
                return
