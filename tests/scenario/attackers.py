"""Malicious parties made of the real parts: real wallets, real transactions, a real libp2p host.

They commit, reveal, serve and say what they like; only the network's defences stop them.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from eth_hash.auto import keccak
from network import CHAIN_ID, SIZES, TOKEN, Network, sender_of

from jepanet.chain.contracts.all import Contracts
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.keys.wallet import Wallet
from jepanet.chain.sending.sender import Sender
from jepanet.cid import digest_of
from jepanet.errors import JepanetError, Rejected, Transient
from jepanet.federation.deltas.delta import DeltaHeader, encode_delta
from jepanet.learning.model_file import load_model
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import read_recipe
from jepanet.operations.access import open_chain
from jepanet.operations.reading.library import open_library
from jepanet.p2p.hardening.streams import SafeStream
from jepanet.p2p.host import Admission, Gossip, P2PConfig, P2PNode
from jepanet.p2p.transfer.frames import Request
from jepanet.p2p.transfer.server import BlobServer
from jepanet.protocol.assignment import training_shard
from jepanet.protocol.commitment import abi_encode, commitment
from jepanet.protocol.documents.messages import (
    Binding,
    Body,
    Envelope,
    Provide,
    decode_envelope,
    encode_envelope,
)
from jepanet.protocol.documents.spec import RoundSpec, decode_spec
from jepanet.protocol.documents.typed_data import node_binding_data
from jepanet.protocol.settling.sheet import MAX_SHEET_BYTES, ScoreSheet, decode_sheet
from jepanet.settings.config import load_config
from jepanet.settings.network import topic_of
from jepanet.telemetry import Secret
from jepanet.tensors import Arrays, decode_tensors, encode_tensors
from jepanet.types import Address, Digest, RoundId
from jepanet.work.requests.files import RoundFiles, TrainingShard
from jepanet.work.requests.training import TrainDelta
from jepanet.work.worker import Worker


@dataclass
class Shelf:
    """What a malicious peer serves: any bytes, under the digest they have or under another."""

    folder: Path
    files: dict[bytes, Path] = field(default_factory=dict)

    def put(self, data: bytes, name: bytes | None = None) -> Digest:
        digest = digest_of(data)
        path = self.folder / digest.hex()
        path.write_bytes(data)
        self.files[name or digest] = path
        return digest

    def open_public(self, digest: bytes) -> Path | None:
        return self.files.get(bytes(digest))


@contextmanager
def choosing(serves: Callable[[str, bytes], bool]) -> Iterator[None]:
    """Peers of this process serve a peer, named by its id, no other digests than `serves` says."""
    answer = BlobServer._answer

    async def chosen(server: BlobServer, safe: SafeStream, request: Request) -> None:
        if not serves(safe.peer_id, request.digest):
            request = replace(request, digest=bytes(32))  # nobody has that
        await answer(server, safe, request)

    BlobServer._answer = chosen  # type: ignore[method-assign]
    try:
        yield
    finally:
        BlobServer._answer = answer  # type: ignore[method-assign]


@dataclass
class Peer:
    """A libp2p peer of the network's topic that serves a shelf and publishes whatever it is told to."""

    network: Network
    node: P2PNode
    shelf: Shelf

    async def say(self, wallet: Wallet, body: Body, *, binding: Binding | None = None) -> None:
        await self.node.publish(encode_envelope(Envelope(binding or self.binding(wallet), body)))

    def binding(self, wallet: Wallet, *, claims: Wallet | None = None) -> Binding:
        """A binding of this peer, signed by `wallet`; `claims` names another wallet than the signer's."""
        deployment, expiry = self.network.deployment, int(time.time()) + 3600
        address = (claims or wallet).address
        typed = node_binding_data(
            deployment.chain_id,
            deployment.rounds,
            wallet=address,
            peer_id=self.node.peer_id,
            expiry=expiry,
        )
        return Binding(address, self.node.peer_id, expiry, wallet.sign_typed(typed))

    async def provide(self, wallet: Wallet, round_id: RoundId, digest: Digest) -> None:
        await self.say(wallet, Provide(round_id, digest, self.node.addresses))

    async def meet(self, count: int) -> None:
        """Waits until this many peers exchange gossip with it."""
        async with asyncio.timeout(60):
            while sum(peer.gossiping for peer in await self.node.peers()) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.2)


@asynccontextmanager
async def peer(
    network: Network, folder: Path, hears: Callable[[Envelope], None] | None = None
) -> AsyncIterator[Peer]:
    """`hears` is given every message of the network that is one."""
    folder.mkdir(parents=True)  # noqa: ASYNC240
    deployment = network.deployment
    shelf = Shelf(folder)
    config = P2PConfig(
        listen="/ip4/127.0.0.1/tcp/0",
        bootstrap=network.bootstrap,
        node_key=Secret(os.urandom(32)),
        directory=folder / "p2p",
        topic=topic_of(deployment),
    )
    config.directory.mkdir(mode=0o700)

    async def listen(gossip: Gossip) -> Admission:
        if hears is not None:
            with suppress(Rejected):
                hears(decode_envelope(gossip.payload))
        return Admission.IGNORE

    node = P2PNode(config, shelf, listen)
    await node.start()
    try:
        yield Peer(network, node, shelf)
    finally:
        await node.stop()


@dataclass
class Attacker:
    """A wallet with stake that commits and reveals any digest it likes."""

    name: str
    wallet: Wallet
    contracts: Contracts
    sender: Sender
    salt: bytes = field(default_factory=lambda: os.urandom(32))
    digest: Digest | None = None

    async def stake(self) -> None:
        rounds, token = self.contracts.rounds, self.contracts.token
        await self.sender.send("approve", token.approve(rounds.address, 10 * TOKEN))
        await self.sender.send("deposit", rounds.deposit(10 * TOKEN, self.wallet.address))

    async def commit(self, round_id: RoundId, digest: Digest) -> None:
        self.digest = digest
        word = commitment(
            CHAIN_ID, self.contracts.rounds.address, round_id, self.wallet.address, digest, self.salt
        )
        await self.commit_word(round_id, word)

    async def commit_word(self, round_id: RoundId, word: bytes) -> None:
        await self.sender.send("commit", self.contracts.rounds.commit(round_id, word))

    async def reveal(self, round_id: RoundId) -> None:
        assert self.digest is not None
        await self.sender.send("reveal", self.contracts.rounds.reveal(round_id, self.digest, self.salt))

    async def claim(self, round_id: int, sheet: ScoreSheet) -> None:
        """What the settled round owes, the bond among it."""
        row = sheet.leaf_of(self.wallet.address)
        assert row is not None
        await self.sender.send("claim", self.contracts.rounds.claim(round_id, *row))


async def sheet_of(network: Network, number: int, folder: Path) -> ScoreSheet:
    """As any peer fetches it."""
    recorded = network.round(number).recorded
    assert recorded is not None
    async with (
        open_chain(load_config(network.judge.config).chain) as chain,
        open_library(chain.deployment, folder, peers=network.bootstrap, offline=False) as library,
    ):
        path = await library.get("score sheet", recorded.sheet, "dag-json", max_bytes=MAX_SHEET_BYTES)
    return decode_sheet(path.read_bytes())


def attacker(network: Network, rpc: Rpc, name: str, wallet: Wallet) -> Attacker:
    return Attacker(name, wallet, Contracts.of(rpc, network.deployment), sender_of(rpc, wallet))


# ------------------------------------------------------------------ material


@dataclass
class Material:
    """What a solver of the round knows: documents, base weights, and one delta honestly trained."""

    recipe: Recipe
    spec: RoundSpec
    base: Arrays
    honest: Arrays
    recomputed: bytes
    """The file of a rival's delta, as far as public facts lead to it."""

    @property
    def header(self) -> DeltaHeader:
        return DeltaHeader(self.spec.base, self.spec.recipe)

    def encode(self, delta: Arrays, header: DeltaHeader | None = None) -> bytes:
        return encode_delta(delta, header or self.header, self.spec.codec)

    def scaled(self, factor: float) -> Arrays:
        return {name: np.asarray(array * np.float32(factor)) for name, array in self.honest.items()}

    def nearly(self, share: float, seed: int) -> Arrays:
        """The honest delta with noise of this share of its norm."""
        random = np.random.default_rng(seed)
        noise = {name: random.standard_normal(array.shape) for name, array in self.honest.items()}
        size = np.sqrt(sum(float((array**2).sum()) for array in self.honest.values()))
        loud = np.sqrt(sum(float((array**2).sum()) for array in noise.values()))
        return {
            name: np.asarray(array + noise[name] * (share * size / loud), dtype="<f4")
            for name, array in self.honest.items()
        }

    def collapsed(self) -> Arrays:
        """Takes the encoder's head away, so that every frame has the same latent."""
        return {
            name: np.asarray(-array if name.startswith("encoder.head") else np.zeros_like(array))
            for name, array in self.base.items()
        }

    def poisoned(self) -> bytes:
        """A well-formed file whose scales are NaN."""
        data = self.encode(self.honest)
        tensors, header = decode_tensors(data, max_bytes=1 << 24, what="delta")
        bad = {
            name: np.full_like(array, np.nan) if name.endswith("/scales") else array
            for name, array in tensors.items()
        }
        return encode_tensors(bad, header)


async def material(
    network: Network, peer: Peer, round_id: RoundId, folder: Path, victim: Address
) -> Material:
    """Fetches the round's spec as any peer may, trains one honest delta on public data, and the victim's."""
    files = network.dataset / "project"
    recipe_path, base_path = files / "recipe.json", files / "model.safetensors"
    round_ = network.round(round_id)
    for attempt in range(20):
        try:
            spec_path = await peer.node.fetch(round_.params.spec, max_bytes=1 << 16, directory=folder)
            base_path = await peer.node.fetch(round_.base, max_bytes=1 << 24, directory=folder)
            break
        except Transient:
            if attempt == 19:
                raise
            await asyncio.sleep(1)
    worker = Worker()
    target, recomputed = folder / "honest.delta", folder / "recomputed.delta"
    shard, seed = public_assignment(network, round_id, victim)
    try:
        for shard_path, job_seed, place in (
            (network.dataset / "training-00.safetensors", os.urandom(32), target),
            (network.dataset / f"training-{shard:02d}.safetensors", seed, recomputed),
        ):
            await worker.run(
                TrainDelta(
                    round=RoundFiles(base_path, recipe_path, spec_path),
                    shards=(TrainingShard.of(shard_path),),
                    probe=None,
                    residual=None,
                    seed=job_seed,
                    target=place,
                    residual_target=folder / "left-out",
                )
            )
    finally:
        await worker.stop()
    from jepanet.federation.deltas.delta import decode_delta, schema_of

    recipe = read_recipe(recipe_path.read_bytes())
    spec = decode_spec(spec_path.read_bytes())
    base = load_model(base_path, recipe).weights
    honest = decode_delta(
        target.read_bytes(),
        schema=schema_of(base),
        max_bytes=spec.max_delta_bytes,
        base=spec.base,
        recipe=spec.recipe,
        codec=spec.codec,
    )
    return Material(recipe, spec, base, honest, recomputed.read_bytes())


def public_assignment(network: Network, round_id: RoundId, solver: Address) -> tuple[int, bytes]:
    """(training shard, the part of its training seed that anybody can compute) of a solver in a round."""
    round_ = network.round(round_id)
    place = (
        CHAIN_ID, network.deployment.rounds, int(round_.project_id), int(round_id), solver, round_.seed,
    )  # fmt: skip
    types = ("bytes32", "uint256", "address", "uint256", "uint256", "address", "bytes32")
    shard = training_shard(*place, count=SIZES["training_sites"])
    return shard, keccak(abi_encode(types, (keccak(b"jepanet.training.seed"), *place)))


async def refused(work: object) -> str:
    """The reason with which something was refused; fails if it was not."""
    try:
        await work  # type: ignore[misc]  # any awaitable
    except JepanetError as error:
        return getattr(error, "reason", type(error).__name__)
    raise AssertionError("it was not refused")
