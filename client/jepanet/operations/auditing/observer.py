"""Looking without taking part: the chain's history folded into state, blobs fetched by hash."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.following.events import decode
from jepanet.chain.following.follower import Follower
from jepanet.cid import Codec, digest_file, to_cid
from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.files import tell_damage
from jepanet.operations.access import ChainAccess
from jepanet.p2p.host import Admission, Gossip, P2PConfig, P2PNode
from jepanet.protocol.facts import ChainBlock
from jepanet.protocol.state import Identity, NodeState, Round
from jepanet.protocol.transition import genesis, transition
from jepanet.settings.network import topic_of
from jepanet.telemetry import Secret
from jepanet.types import Address, Digest, RoundId

_NOBODY = Address("0x0000000000000000000000000000000000000000")
_TRIES = 8


async def read_chain(chain: ChainAccess) -> NodeState:
    """Every round the chain knows, folded by the same state machine the nodes run, up to the newest block.

    Raises: Fatal for a wrong chain; Transient when no endpoint answers.
    """
    state = genesis(Identity(_NOBODY, frozenset()))
    follower = Follower(chain.rpc, chain.deployment.followed, chain.deployment.anchor, poll=0.2)
    async for step in follower.steps():
        if step.rewind_to is not None:
            return await read_chain(chain)  # a reorganisation while reading: read again
        for block in step.blocks:
            for raw in block.logs:
                fact = decode(raw, block.ref)
                if fact is not None:
                    state, _ = transition(state, fact)
            state, _ = transition(state, ChainBlock(block.ref))
        if step.blocks and step.blocks[-1].ref.number >= step.head:
            break
    return state


def find_round(state: NodeState, round_id: int) -> Round:
    """Raises: Fatal when the chain has no such round (exit code `NOT_FOUND`)."""
    found = state.rounds.get(RoundId(round_id))
    if found is None:
        known = ", ".join(str(item) for item in sorted(state.rounds)) or "none"
        raise Fatal(f"there is no round {round_id}", remedy=f"known rounds: {known}", code=Exit.NOT_FOUND)
    return found


class Library:
    """Blobs of a round in one folder, named by CID: what is there is used after its hash was checked, what is
    missing is fetched from the network and kept. The folder can be moved to a machine without a network."""

    def __init__(self, directory: Path, network: P2PNode | None) -> None:
        self.directory = directory
        self._network = network

    async def get(self, what: str, digest: bytes, codec: Codec, *, max_bytes: int) -> Path:
        """The path of a blob whose content has this digest.

        Raises:
            Rejected: the folder's file has another hash, and it cannot be fetched anew (reason
                `altered-input`; the message names `what`).
            Transient: it is not here and no peer serves it.
        """
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

    @staticmethod
    def _holds(path: Path, digest: bytes, max_bytes: int) -> bool | None:
        """Whether the file is the blob; None if there is none."""
        if not path.exists():
            return None
        return path.is_file() and path.stat().st_size <= max_bytes and digest_file(path) == digest

    async def _fetch(self, what: str, digest: bytes, path: Path, max_bytes: int) -> None:
        if self._network is None:
            raise Transient(
                f"{what}: {path.name} is not in {self.directory}",
                remedy="name the folder that holds it with --inputs, or drop --offline",
                code=Exit.NOT_FOUND,
            )
        for attempt in range(_TRIES):
            try:
                fetched = await self._network.fetch(digest, max_bytes=max_bytes, directory=self.directory)
                fetched.replace(path)
                return
            except Transient as error:
                if attempt == _TRIES - 1:
                    raise await self._missed(what, path) from error
                await asyncio.sleep(0.5 * (attempt + 1))  # peers may still be connecting

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
    chain: ChainAccess, directory: Path, *, peers: tuple[str, ...], offline: bool
) -> AsyncIterator[Library]:
    """A library with a network identity made for this call; nothing is served or said.

    Raises:
        Fatal: no peer to ask (exit code `NO_PEERS`) unless `offline`.
    """
    _make(directory)
    if offline:
        yield Library(directory, None)
        return
    if not peers:
        raise Fatal(
            "there is no peer to fetch from",
            remedy="set p2p.bootstrap, give --peer MULTIADDR, or use --offline with a filled folder",
            code=Exit.NO_PEERS,
        )
    async with open_visit(chain.deployment, directory / ".p2p", peers) as network:
        yield Library(directory, network)


@asynccontextmanager
async def open_visit(
    deployment: Deployment, directory: Path, peers: tuple[str, ...]
) -> AsyncIterator[P2PNode]:
    """A network node with an identity made for this call, which serves and says nothing.

    Raises: Fatal as `P2PNode.start`.
    """
    config = P2PConfig(
        listen="/ip4/127.0.0.1/tcp/0",
        bootstrap=peers,
        node_key=Secret(os.urandom(32)),
        directory=directory,
        dial_private=True,
        topic=topic_of(deployment),
    )
    _make(config.directory)
    network = P2PNode(config, _Nothing(), _deaf)
    await network.start()
    try:
        yield network
    finally:
        await network.stop()


def _make(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)


class _Nothing:
    """Serves no blob."""

    def open_public(self, digest: bytes) -> Path | None:
        return None


async def _deaf(gossip: Gossip) -> Admission:
    return Admission.IGNORE
