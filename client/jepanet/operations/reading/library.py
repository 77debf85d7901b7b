"""Blobs by their hash, for whoever takes no part: from a folder, or else from the network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from jepanet.chain.contracts.deployment import Deployment
from jepanet.cid import Codec, names_file, to_cid
from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.files import tell_damage
from jepanet.operations.reading.visit import open_visit
from jepanet.p2p.host import P2PNode
from jepanet.storage.blobs.blob_files import place_of
from jepanet.types import Digest

_TRIES = 8
_CODECS: tuple[Codec, ...] = ("raw", "dag-json")
_DOCUMENTS = to_cid(bytes(32), "dag-json")[:8] + "*"
"""Every CID of one codec begins alike."""

Connect = Callable[[], Awaitable[P2PNode | None]]
"""Joins the network, or gives None where no peer is to be asked."""


class Library:
    """Blobs in one folder, named by CID: what is there is used after its hash was checked, what is missing is
    fetched from the network and kept. The folder can be moved to a machine without a network.

    The network is joined at the first request and not left before the library is closed. `store` is a node's
    own blob store, looked into first and never written.
    """

    def __init__(self, directory: Path, connect: Connect, *, store: Path | None = None) -> None:
        self.directory = directory
        self._connect = connect
        self._store = store
        self._network: P2PNode | None = None
        self._connected = False
        self._turn = asyncio.Lock()
        self._waited = False

    def has(self, digest: bytes) -> bool:
        """Whether a file of this name is here. Its content is checked when it is asked for."""
        names = [self.directory / to_cid(digest, codec) for codec in _CODECS]
        if self._store is not None:
            names.append(place_of(self._store, digest))
        return any(path.is_file() for path in names)

    async def peers(self) -> int | None:
        """How many peers are connected; None before anything had to be fetched."""
        return None if self._network is None else len(await self._network.peers())

    def place(self, digest: bytes, codec: Codec) -> Path:
        """Where a blob lies once it was fetched."""
        return self.directory / to_cid(digest, codec)

    def held(self) -> int:
        """Bytes of documents in the folder: all blobs but models, deltas and shards."""
        found = 0
        for path in self.directory.glob(_DOCUMENTS):
            with suppress(OSError):  # another process has just moved it
                found += path.stat().st_size
        return found

    def discard(self, digest: bytes, codec: Codec) -> None:
        """Deletes a blob from the folder, where it is there: it can be fetched again."""
        self.place(digest, codec).unlink(missing_ok=True)

    def adopt(self, made: Path, digest: bytes, codec: Codec) -> None:
        """Takes a file of this digest, made in this folder, among the blobs."""
        made.replace(self.directory / to_cid(digest, codec))

    async def get(self, what: str, digest: bytes, codec: Codec, *, max_bytes: int) -> Path:
        """The path of a blob whose content has this digest.

        Raises:
            Rejected: the folder's file has another hash, and it cannot be fetched anew (reason
                `altered-input`; the message names `what`).
            Transient: it is not here and no peer serves it.
            Fatal: there is no peer to ask (exit code `NO_PEERS`), or as `P2PNode.start`.
        """
        if (own := self._stored(digest)) is not None:
            return own
        await self._join()
        path = self.directory / to_cid(Digest(digest), codec)
        sound = self._holds(path, digest, max_bytes)
        if sound is False and self._network is not None:
            tell_damage(path, "does not have the content its name says")
        if not sound and (sound is None or self._network is not None):
            await self._fetch(what, digest, path, max_bytes)
            sound = self._holds(path, digest, max_bytes)
        if not sound:
            raise Rejected(
                f"{what}: {path.name} does not have the content its name says",
                reason="altered-input",
                remedy="delete the file so that it is fetched again, or find out who altered it",
            )
        return path

    def _stored(self, digest: bytes) -> Path | None:
        if self._store is None:
            return None
        path = place_of(self._store, digest)
        return path if path.is_file() and names_file(digest, path) else None

    async def _join(self) -> None:
        async with self._turn:
            if not self._connected:
                self._network = await self._connect()
                self._connected = True

    @staticmethod
    def _holds(path: Path, digest: bytes, max_bytes: int) -> bool | None:
        """Whether the file is the blob; None if there is none."""
        if not path.exists():
            return None
        return path.is_file() and path.stat().st_size <= max_bytes and names_file(digest, path)

    async def _fetch(self, what: str, digest: bytes, path: Path, max_bytes: int) -> None:
        if self._network is None:
            raise Transient(
                f"{what}: {path.name} is not in {self.directory}",
                remedy="name the folder that holds it with --inputs, or drop --offline",
                code=Exit.NOT_FOUND,
            )
        tries = 1 if self._waited else _TRIES
        for attempt in range(tries):
            try:
                fetched = await self._network.fetch(digest, max_bytes=max_bytes, directory=self.directory)
                fetched.replace(path)
                return
            except Transient as error:
                if attempt == tries - 1:
                    self._waited = True
                    raise await self._missed(what, path) from error
                await asyncio.sleep(0.5 * (attempt + 1))  # peers may still be connecting, once

    async def _missed(self, what: str, path: Path) -> Transient:
        """Nobody to ask, or nobody who has it: the operator does different things about them."""
        assert self._network is not None
        if not await self._network.peers():
            return Transient(
                f"{what}: no peer could be reached to fetch {path.name} from",
                remedy="give --peer the address of a running node (its `jepanet status` shows it), or "
                "--offline with a filled folder",
                code=Exit.NO_PEERS,
            )
        return Transient(
            f"{what}: no peer that was reached serves {path.name}",
            remedy="ask other peers (--peer), or the proposer, who keeps a round's files",
            code=Exit.NOT_FOUND,
        )


@asynccontextmanager
async def open_library(
    deployment: Deployment | None,
    directory: Path,
    *,
    peers: tuple[str, ...],
    offline: bool,
    store: Path | None = None,
) -> AsyncIterator[Library]:
    """A library that asks `peers` of this deployment's network, under an identity of its own. Without a
    deployment, what the folder lacks cannot be fetched.

    No peer is asked when `offline`. `store` is as `Library` takes it.
    """
    async with AsyncExitStack() as exits:

        async def connect() -> P2PNode | None:
            await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True, mode=0o700)
            if offline:
                return None
            if deployment is None:
                raise Fatal(
                    "nothing says in which network to ask",
                    remedy="name its deployment.json with --deployment, a node's file with --config, or use "
                    "--offline with a filled folder",
                    code=Exit.USAGE,
                )
            if not peers:
                raise Fatal(
                    "there is no peer to fetch from",
                    remedy="set p2p.bootstrap, give --peer MULTIADDR (of any node of the network: `jepanet "
                    "node address` there), or use --offline with a filled folder",
                    code=Exit.NO_PEERS,
                )
            return await exits.enter_async_context(open_visit(deployment, directory / ".p2p", peers))

        yield Library(directory, connect, store=store)
