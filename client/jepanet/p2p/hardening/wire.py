"""One connection, hardened and quick: TCP, Noise, Yamux, from the socket up.

bytes before anybody is authenticated   at most 64 KiB (`MeteredStream`), 1 KiB a protocol name
silent peers                            TCP keep-alive and user timeout end them within a minute
security                                Noise only; the library's default would also take plaintext
encrypted bytes                         cut into messages with few copies (`QuickSession`)
streams and unread bytes                bounded (`BoundedYamux`); Yamux grants a window but does not
                                        enforce it, so any peer could fill the memory
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import libp2p.network.connection.swarm_connection as swarm_connection
import libp2p.protocol_muxer.multiselect_communicator as multistream
import libp2p.stream_muxer.yamux.yamux as yamux
import trio
from libp2p.crypto.keys import KeyPair
from libp2p.crypto.x25519 import create_new_key_pair as create_x25519_key_pair
from libp2p.custom_types import TProtocol
from libp2p.exceptions import ParseError
from libp2p.io.exceptions import ConnectionClosedError, IOException
from libp2p.io.trio import TrioTCPStream
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.peer.id import ID
from libp2p.protocol_muxer.exceptions import MultiselectError
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.security.secure_session import SecureSession
from libp2p.transport.exceptions import MuxerUpgradeFailure
from libp2p.transport.tcp.tcp import TCP
from libp2p.transport.upgrader import TransportUpgrader
from libp2p.utils.varint import read_varint_prefixed_bytes_limited

if TYPE_CHECKING:
    from libp2p.abc import IMuxedStream, ISecureConn
    from libp2p.io.abc import Reader
    from multiaddr import Multiaddr

HANDSHAKE_BYTES = 64 * 1024
MAX_PROTOCOL_NAME = 1024
MAX_WINDOW = 4 << 20
"""Bytes a stream may have under way; the library's 16 MiB times its streams is too much per peer."""
MAX_UNREAD = 4 * MAX_WINDOW
"""Unread bytes of all streams of one connection."""
MAX_INBOUND_STREAMS = 64
MAX_STREAM_ENTRIES = 1024
MAX_PLAINTEXT = 65535 - 16
"""Of one Noise message: its length field has 16 bits, its tag 16 bytes."""
_RECEIVE_BYTES = 256 * 1024
_BODY_SECONDS = 60.0


async def _read_protocol_name(reader: Reader) -> bytes:
    data: bytes = await read_varint_prefixed_bytes_limited(reader, MAX_PROTOCOL_NAME)
    if data[-1:] != b"\n":
        raise ParseError("a protocol name ends with a newline")
    return data[:-1]


def harden_library() -> None:
    """Replaces what cannot be configured, for the whole process: the unbounded reader of protocol names
    (reachable before authentication), Yamux's largest window and its streams, one use of the root logger."""
    multistream.read_delim = _read_protocol_name
    yamux.MAX_WINDOW_SIZE = MAX_WINDOW
    yamux.YamuxStream = FrugalStream
    # It logs through the root logger, which installs a handler for the whole process as a side effect.
    swarm_connection.logging = logging.getLogger("libp2p.connection")


class MeteredStream(TrioTCPStream):  # type: ignore[misc]  # libp2p has no types
    """A TCP stream that hands out at most 64 KiB until `trust()` is called, and receives in large pieces."""

    def __init__(self, stream: trio.SocketStream) -> None:
        super().__init__(stream)
        self._budget: int | None = HANDSHAKE_BYTES
        self._held = memoryview(b"")
        self._remote: tuple[str, int] | None = None
        _keep_alive(stream)

    def trust(self) -> None:
        """The peer is authenticated and its streams are bounded elsewhere."""
        self._budget = None

    async def read(self, n: int | None = None) -> bytes:
        if n == 0:
            return b""
        if not self._held:
            size = _RECEIVE_BYTES if self._budget is None else min(n or 4096, 4096)
            self._held = memoryview(await super().read(size))
        count = len(self._held) if n is None else n
        data = bytes(self._held[:count])
        self._held = self._held[count:]
        if self._budget is not None:
            self._budget -= len(data)
            if self._budget < 0:
                raise IOException("too many bytes before the connection was authenticated")
        return data

    async def read_message(self) -> bytes:
        """The next message with a 16-bit length before it: Noise's framing.

        Raises:
            IOException: the connection ended.
        """
        while len(self._held) < 2 or len(self._held) < (end := 2 + int.from_bytes(self._held[:2], "big")):
            more = await super().read(_RECEIVE_BYTES)
            if not more:
                raise ConnectionClosedError("connection closed", transport="tcp")
            self._held = memoryview(bytes(self._held) + more if self._held else more)
        message = bytes(self._held[2:end])
        self._held = self._held[end:]
        return message

    def get_remote_address(self) -> tuple[str, int] | None:
        """Host and port of the peer, also over IPv6, where the library knows none."""
        if self._remote is None:
            try:
                name = self.stream.socket.getpeername()
                self._remote = (str(name[0]), int(name[1]))
            except OSError:  # gone already
                return None
        return self._remote

    def abort(self) -> None:
        """Closes the socket at once; whoever reads or writes it is woken up."""
        self.stream.socket.close()


def _keep_alive(stream: trio.SocketStream) -> None:
    for level, option, value in (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 20),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 45_000),
    ):
        try:
            stream.setsockopt(level, option, value)
        except OSError:  # the peer is already gone; reading will tell
            return


class QuickSession(SecureSession):  # type: ignore[misc]  # libp2p has no types
    """A Noise session after its handshake, reading and writing the socket directly: the library passes every
    byte through five buffers, which costs more than decrypting it."""

    def __init__(self, session: SecureSession) -> None:
        super().__init__(
            local_peer=session.local_peer,
            local_private_key=session.local_private_key,
            remote_peer=session.remote_peer,
            remote_permanent_pubkey=session.remote_permanent_pubkey,
            is_initiator=session.is_initiator,
            conn=session.conn,
        )
        self.socket: MeteredStream = session.conn.read_writer.read_write_closer.stream
        self._noise = session.conn.noise_state
        self._plain = memoryview(session._drain(None))  # what came with the last handshake message

    async def read(self, n: int | None = None) -> bytes:
        """Exactly `n` bytes, or those of the next message.

        Raises:
            IOException: the connection ended. NoiseInvalidMessage: it was tampered with.
        """
        while not self._plain:
            self._plain = memoryview(self._noise.decrypt(await self.socket.read_message()))
        if n is None:
            n = len(self._plain)
        parts = [self._plain[:n]]
        self._plain = self._plain[n:]
        missing = n - len(parts[0])
        while missing:
            message = memoryview(self._noise.decrypt(await self.socket.read_message()))
            parts.append(message[:missing])
            self._plain = message[missing:]
            missing -= len(parts[-1])
        return b"".join(parts)

    async def write(self, data: bytes) -> None:
        """Encrypts and sends `data`. Callers take turns (Yamux does)."""
        for start in range(0, len(data), MAX_PLAINTEXT):
            sealed = self._noise.encrypt(data[start : start + MAX_PLAINTEXT])
            await self.socket.write(len(sealed).to_bytes(2, "big") + sealed)


class FrugalStream(yamux.YamuxStream):  # type: ignore[misc]  # libp2p has no types
    """Grants window a quarter at a time. The library does so for every single byte of a length prefix or
    protocol name, one encrypted frame each; what is held back never leaves the sender without window."""

    _consumed = 0

    async def _auto_tune_and_send_window_update(self, *, bytes_read: int = 0) -> None:
        self._consumed += bytes_read
        if self._consumed >= self.target_recv_window // 4:
            consumed, self._consumed = self._consumed, 0
            await super()._auto_tune_and_send_window_update(bytes_read=consumed)


class BoundedYamux(yamux.Yamux):  # type: ignore[misc]  # libp2p has no types
    """Yamux that ends the connection of a peer which ignores its limits."""

    on_flood: Callable[[ID, str], None] | None = None

    async def _read_data_body(self, length: int) -> bytes:
        unread = sum(len(buffer) for buffer in self.stream_buffers.values())
        if unread + length > MAX_UNREAD:
            self._flood("sent more than its window")
        with trio.fail_after(_BODY_SECONDS):
            return bytes(await self.secured_conn.read(length))

    async def accept_stream(self) -> IMuxedStream:
        stream = await super().accept_stream()
        live = sum(1 for entry in self.streams.values() if not entry.is_initiator and not entry.send_closed)
        if live > MAX_INBOUND_STREAMS or len(self.streams) > MAX_STREAM_ENTRIES:
            self._flood("opened too many streams")
        return stream

    def _flood(self, what: str) -> None:
        if self.on_flood is not None:
            self.on_flood(self.peer_id, what)
        # The one exception type that makes the library close the connection wherever it is raised.
        raise trio.TooSlowError(f"peer {self.peer_id} {what}")


class Upgrader(TransportUpgrader):  # type: ignore[misc]  # libp2p has no types
    """Noise, then `BoundedYamux`; the library would construct its own Yamux whatever class it is given."""

    def __init__(self, keys: KeyPair, on_flood: Callable[[ID, str], None]) -> None:
        noise = NoiseTransport(keys, noise_privkey=create_x25519_key_pair().private_key)
        super().__init__({NOISE: noise}, {TProtocol(yamux.PROTOCOL_ID): BoundedYamux})
        self._on_flood = on_flood

    async def upgrade_connection(self, conn: ISecureConn, peer_id: ID) -> BoundedYamux:
        try:
            await self.muxer_multistream.select_transport(conn)
        except MultiselectError as error:
            raise MuxerUpgradeFailure("no common stream muxer") from error
        muxed = BoundedYamux(QuickSession(conn), peer_id, is_initiator=conn.is_initiator)
        muxed.on_flood = self._on_flood
        return muxed


class MeteredTCP(TCP):  # type: ignore[misc]  # libp2p has no types
    """Dials with `MeteredStream`s."""

    async def _dial_resolved(self, maddr: Multiaddr, source: tuple[str, int] | None = None) -> RawConnection:
        connection = await super()._dial_resolved(maddr, source)
        return RawConnection(MeteredStream(connection.stream.stream), True)
