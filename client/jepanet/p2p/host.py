"""The network as the rest of the node sees it: asyncio, plain values, our own errors.

py-libp2p runs on trio, so it has a thread of its own (`bridge`); nothing of libp2p or trio is visible here.
What can be attacked from outside is on the shelves `hardening`, `peers` and `transfer`.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from jepanet.errors import Exit, Fatal, JepanetError, Rejected
from jepanet.p2p.bridge import TrioThread
from jepanet.p2p.hardening.steady_clock import make_library_steady
from jepanet.p2p.identity import parse_peer_id, peer_id_of
from jepanet.p2p.options import P2PConfig, PeerInfo, parse_listen
from jepanet.p2p.peers.bans import Ban, BanList
from jepanet.p2p.peers.dial_back import Verdict
from jepanet.p2p.transfer.server import BlobSource
from jepanet.p2p.transfer.underway import Transfer
from jepanet.p2p.trio_side import Hooks, Network
from jepanet.p2p.verdicts import Admission, Gossip
from jepanet.telemetry import get_logger
from jepanet.traffic import BlobKind, Flow, Traffic

__all__ = ["Admission", "BlobSource", "Gossip", "P2PConfig", "P2PNode", "PeerInfo", "Verdict"]

START_SECONDS = 30.0
STOP_SECONDS = 10.0
_FIND_SECONDS = 10.0
_REPORT_EVERY = 10.0
_REMEMBERED = 50
"""Downloads that have ended."""

_log = get_logger("p2p")


class P2PNode:
    """One node of the network. `start` and `stop` once each; to restart, make a new one.

    `validate` runs on the asyncio loop for every message of somebody else before it is delivered or relayed.
    `failure`, there once started, completes when the network thread ends: with an exception if it crashed,
    with None after `stop`. `traffic` is told every byte that blobs and gossip take;
    `kind_of` says, in any thread, as what a file that is served counts.
    """

    def __init__(
        self,
        config: P2PConfig,
        blobs: BlobSource,
        validate: Callable[[Gossip], Awaitable[Admission]],
        traffic: Traffic | None = None,
        kind_of: Callable[[Path], BlobKind] = lambda path: "other",
    ) -> None:
        config.check()
        self._config = config
        self._kind_of = kind_of
        self.traffic = Traffic() if traffic is None else traffic
        self._blobs = blobs
        self._validate = validate
        self._thread = TrioThread("jepanet-p2p")
        self._inbox = _Inbox(config.max_inbox, self._thread)
        self._bans: BanList
        self._network: Network
        self._lock = FileLock(config.directory / "p2p.lock")
        self._validating = 0
        self._transfers: list[Transfer] = []
        self._fetched: deque[Transfer] = deque(maxlen=_REMEMBERED)
        self._overloaded = 0
        self._overload_reported = 0.0
        self._started = False
        self.peer_id = peer_id_of(config.node_key)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where peers can dial this node, as `/…/p2p/PEER`: as configured, or its interfaces' addresses."""
        return self._network.addresses() if self._started else ()

    @property
    def failure(self) -> asyncio.Future[None]:
        return self._thread.failure

    async def start(self) -> None:
        """Takes the directory, listens, starts dialling the bootstrap peers in the background.

        Raises:
            Fatal: the directory belongs to a running node (`ALREADY_RUNNING`), the port is taken
                (`PORT_IN_USE`), or the address cannot be listened on.
        """
        # py-libp2p logs a warning for every failed dial and stranger; what matters is logged here.
        logging.getLogger("libp2p").setLevel(logging.CRITICAL)
        self._config.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise Fatal(
                f"another node uses {self._config.directory}",
                remedy="stop it, or give this one a directory of its own",
                code=Exit.ALREADY_RUNNING,
            ) from error
        try:
            probe_listen(self._config.listen)
            make_library_steady()
            self._bans = BanList(self._config.directory / "bans.json", time.monotonic)
            hooks = Hooks(self._admit, self._inbox.push, self._find_blob, self._kind_of)

            async def program(ready: Callable[[], None]) -> None:
                self._network = Network(self._config, self._bans, hooks, self.traffic)
                await self._network.run(ready)

            await self._thread.start(program, START_SECONDS)
            self._started = True
        except BaseException:
            await self._thread.stop(STOP_SECONDS)
            self._lock.release()
            raise
        self._thread.failure.add_done_callback(self._ended)
        _log.info("network.started", peer=self.peer_id, addresses=list(self.addresses))

    async def stop(self) -> None:
        """Closes every connection and ends the thread; `messages` ends too. Safe to call more than once."""
        if not await self._thread.stop(STOP_SECONDS):
            _log.error("network.abandoned", seconds=STOP_SECONDS)
        self._inbox.close()
        self._lock.release()

    def _ended(self, failure: asyncio.Future[None]) -> None:
        error = failure.exception()
        if error is not None:
            _log.error("network.crashed", error=repr(error), exc_info=error)
        self._inbox.close()

    async def peers(self) -> tuple[PeerInfo, ...]:
        """The connected peers."""
        return await self._thread.call(self._network.peers)

    async def publish(self, payload: bytes) -> None:
        """Signs and sends to the topic. No promise of delivery: repeat what must arrive.

        Raises:
            Rejected: `too-large`. Transient: the node is not running.
        """
        limit = self._config.max_message_bytes
        if len(payload) > limit:
            raise Rejected(
                f"a message of {len(payload)} bytes, more than {limit}",
                reason="too-large",
                remedy="publish a digest and serve the content as a blob",
            )
        await self._thread.call(self._network.publish, payload)

    async def messages(self) -> AsyncIterator[Gossip]:
        """Accepted messages of others in order of arrival, until the node stops. For one reader.

        A reader that falls `max_inbox` behind loses the oldest ones; how many is logged.
        """
        while (gossip := await self._inbox.pop()) is not None:
            yield gossip

    async def connect(self, address: str) -> None:
        """Connects to `/ip4/HOST/tcp/PORT/p2p/PEER` and remembers it.

        Raises:
            Rejected: malformed, or banned. Transient: not reachable, or another identity answered.
        """
        await self._thread.call(self._network.connect, address)

    async def dialled_back(self, peer_id: str, port: int) -> Verdict:
        """What came of it when a connected peer knocked at `port` of the address that it sees this node at.

        Raises:
            Transient: it is not connected, or does not know this.
        """
        return await self._thread.call(self._network.dialled_back, peer_id, port)

    async def introduce(self, addresses: Sequence[str]) -> None:
        """Dials what peers announced of themselves, where this node dials such addresses and not sooner after
        failures than patience allows.

        Raises:
            Rejected: not addresses of peers.
        """
        await self._thread.call(self._network.introduce, tuple(addresses))

    async def ban(self, peer_id: str, reason: str) -> None:
        """Closes its connections and refuses it for an hour, doubled per earlier ban; survives a restart.

        Raises:
            Rejected: not a peer id.
        """
        parse_peer_id(peer_id)
        await self._thread.call(self._network.ban, peer_id, reason)

    def bans(self) -> dict[str, Ban]:
        """The bans in force."""
        return self._bans.active()

    async def fetch(
        self,
        digest: bytes,
        *,
        max_bytes: int,
        directory: Path,
        providers: Sequence[str] = (),
        on_progress: Callable[[int, int], None] | None = None,
        flow: Flow | None = None,
        kind: BlobKind = "other",
    ) -> Path:
        """Downloads the blob that `digest` names and returns `directory/DIGEST_IN_HEX`, verified.

        `providers` are peer ids or addresses; without any, all connected peers are asked. `on_progress(done,
        total)` gets bytes, on the loop. An interrupted download resumes from `directory`. `flow` is told
        every byte that this download takes, also when it fails; without one it is counted as `other`. `kind`:
        what the file is, for whoever looks at transfers.

        Raises:
            Transient: no provider has it, or those that have it failed.
            Rejected: `too-large` (say all that have it), or a malformed provider.
            Fatal: the disk is full or not writable.
        """
        if len(digest) != 32 or max_bytes < 0:
            raise Rejected("a digest has 32 bytes and a size cap is not negative", reason="bad-digest")

        transfer = Transfer(bytes(digest), time.monotonic(), kind=kind)

        def progress(done: int, total: int) -> None:
            transfer.done, transfer.total = done, total
            if on_progress is not None:
                self._thread.post(on_progress, done, total)

        def came(peer: str, count: int) -> None:
            transfer.sources[peer] = transfer.sources.get(peer, 0) + count

        self._transfers.append(transfer)
        try:
            return await self._thread.call(
                self._network.fetch,
                bytes(digest),
                max_bytes,
                directory,
                tuple(providers),
                progress,
                came,
                self.traffic.blobs("other") if flow is None else flow,
            )
        except BaseException as error:
            transfer.failure = error.message if isinstance(error, JepanetError) else "it was given up"
            raise
        finally:
            self._transfers.remove(transfer)
            transfer.ended = time.monotonic()
            if transfer.total:  # somebody had it
                self._fetched.appendleft(transfer)

    def transfers(self) -> tuple[Transfer, ...]:
        """Downloads that are under way, the oldest first."""
        return tuple(self._transfers)

    def fetched(self) -> tuple[Transfer, ...]:
        """The newest downloads that have ended, the newest first; not those for which nobody had a byte."""
        return tuple(self._fetched)

    async def _admit(self, gossip: Gossip) -> Admission | None:
        """On the trio side: the verdict, or None when too many wait for theirs or it took too long."""
        verdict: Admission | None = None
        if self._validating < self._config.max_validations:
            self._validating += 1
            try:
                verdict = await self._thread.ask(
                    lambda: self._validate(gossip), self._config.validation_timeout
                )
            except Exception as error:  # the validator's bug must not cost the peer or the node
                _log.error("validator.failed", peer=gossip.peer_id, error=repr(error))
                return Admission.IGNORE
            finally:
                self._validating -= 1
        if verdict is None:
            self._overloaded += 1
            if time.monotonic() - self._overload_reported > _REPORT_EVERY:
                _log.warning("message.ignored", count=self._overloaded)
                self._overloaded, self._overload_reported = 0, time.monotonic()
        return verdict

    async def _find_blob(self, digest: bytes) -> Path | None:
        async def find() -> Path | None:
            return self._blobs.open_public(digest)

        try:
            return await self._thread.ask(find, _FIND_SECONDS)
        except Exception as error:  # an unreadable store serves nothing
            _log.error("blob.failed", digest=digest, error=repr(error))
            return None


class _Inbox:
    """Messages on their way from the trio thread to one asyncio reader; drops the oldest when full."""

    def __init__(self, size: int, thread: TrioThread) -> None:
        self._size = size
        self._thread = thread
        self._held: deque[Gossip] = deque()
        self._guard = threading.Lock()
        self._arrived = asyncio.Event()
        self._closed = False
        self._dropped = 0
        self._reported = 0.0

    def push(self, gossip: Gossip) -> None:
        """For the trio side."""
        with self._guard:
            wake = not self._held
            self._held.append(gossip)
            if len(self._held) > self._size:
                self._held.popleft()
                self._dropped += 1
        if self._dropped and time.monotonic() - self._reported > _REPORT_EVERY:
            _log.warning("message.dropped", count=self._dropped)
            self._dropped, self._reported = 0, time.monotonic()
        if wake:
            self._thread.post(self._arrived.set)

    async def pop(self) -> Gossip | None:
        while True:
            with self._guard:
                if self._held:
                    return self._held.popleft()
                if self._closed:
                    return None
                self._arrived.clear()
            await self._arrived.wait()

    def close(self) -> None:
        self._closed = True
        self._arrived.set()


def probe_listen(listen: str) -> None:
    """Binds the address once, without SO_REUSEPORT: py-libp2p sets it, so two nodes would share a port and
    steal each other's connections without an error.

    Raises:
        Fatal: taken, not ours, or not a TCP address.
    """
    family, host, port = parse_listen(listen)
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            raise Fatal(
                f"cannot listen on {listen}: {error.strerror}",
                remedy="stop the program that uses the port, or choose another"
                if taken
                else "check the address",
                code=Exit.PORT_IN_USE if taken else Exit.CONFIG,
            ) from error
