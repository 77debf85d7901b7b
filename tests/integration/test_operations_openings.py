"""No command opens chain, history, network or journal more than once: a server will hold them open."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import pytest
import structlog
from click.testing import CliRunner
from contract_fixtures import LEAVES as SEALED
from contract_fixtures import (
    PARAMS,
    SHARDS,
    TOKEN,
    Network,
    configured,
    deployed_network,
    draw,
    found_project,
)

from jepanet.chain.contracts.all import Attestation
from jepanet.chain.devchain.anvil import free_port
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.following.follower import Follower
from jepanet.cid import digest_of, to_cid
from jepanet.errors import Exit, JepanetError
from jepanet.interface.cli import cli
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.data.on_disk import BuiltDataset, SealedShard
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.presets import preset
from jepanet.operations.projects import create as create_module
from jepanet.operations.projects import draft as draft_module
from jepanet.p2p.host import P2PNode
from jepanet.protocol.commitment import commitment, shard_proof
from jepanet.protocol.documents.spec import encode_spec
from jepanet.protocol.documents.typed_data import result_data
from jepanet.protocol.facts import RecordedResult
from jepanet.protocol.settling.sheet import derive_sheet, encode_sheet
from jepanet.protocol.settling.tally import RevealedDelta, RoundFacts
from jepanet.storage.journal import Journal
from jepanet.types import Digest, ProjectId, RoundId
from round_samples import GOOD, a_spec, reports_of

pytestmark = pytest.mark.integration

PROPOSER, JUDGE, SECOND, SOLVER, OTHER = range(5)
DELTA = digest_of(b"a delta")
RECIPE = preset("tworoom-tiny")
NOBODY = "/ip4/127.0.0.1/tcp/1/p2p/16Uiu2HAkyqpcnrmzZWhoJHBNxpyXbXpj6nGmkw39YgYt6BCPhYvg"
"""A peer that is not there: every document lies in the folder, so nobody is asked for one."""
ENTRY = ShardEntry(0, digest_of(b"shard"), 1, 1)
MANIFEST = DatasetManifest(
    "a simulator", {"image": RECIPE.family.sizes.image}, bytes(32), (ENTRY,), ENTRY, ENTRY,
    EvaluationEntry(len(SHARDS), None, 4, (1000,)),
)  # fmt: skip

SIGNS, LOOKS, READS = {"chain": 1, "journal": 1}, {"chain": 1}, {"chain": 1, "history": 1}
FETCHES = {**READS, "network": 1}
OPENED: dict[str, dict[str, int]] = {
    "wallet show": LOOKS,
    "stake deposit": SIGNS,
    "stake collect": SIGNS,
    "stake unbond": SIGNS,
    "stake withdraw": SIGNS,
    "verifiers create": SIGNS,
    "verifiers join": SIGNS,
    "verifiers leave": SIGNS,
    "verifiers admit": SIGNS,
    "verifiers show": LOOKS,
    "project create": SIGNS,
    "project list": LOOKS,
    "project show": LOOKS,
    "round list": READS,
    "round show": FETCHES,
    "round challenge": {**SIGNS, "history": 1},
    "receipt": FETCHES,
    "verify": FETCHES,
    "audit": FETCHES,
    "model export": FETCHES,
    "model card": FETCHES,
    "claim": {**SIGNS, "history": 1, "network": 1},
    "node rescan": {"journal": 1},
    "node release": SIGNS,
    "devnet up": LOOKS,
    "devnet status": LOOKS,
    "devnet fund": SIGNS,
    "devnet down": {},
}
ELSEWHERE = {
    "node run": "is a node",
    "node check": "asks every endpoint and peer by itself: that is what it checks",
    "quickstart": "makes a network, step by step, each of which is counted elsewhere",
    "doctor": "asks every endpoint and peer by itself, as `node check` does",
    "status": "reads a file",
    "dashboard": "asks a running node; without one it holds what `verify` opens, while it serves",
    **dict.fromkeys(("version", "completion", "simulator install"), "the program itself"),
    **dict.fromkeys(
        (
            "rewards",
            "top",
            "round watch",
            "peer list",
            "peer banned",
            "peer connect",
            "peer ban",
            "node pause",
            "node resume",
            "node drain",
        ),
        "a running node",
    ),
    **dict.fromkeys(("init", "config show", "node address", "backup", "restore"), "files alone"),
    **dict.fromkeys(("wallet new", "wallet import", "wallet password", "wallet list"), "keystores alone"),
    **dict.fromkeys(("dataset build", "dataset inspect"), "files alone"),
    **dict.fromkeys(("dataset pictures", "dataset captions", "dataset lerobot"), "files alone"),
    **dict.fromkeys(("dataset pairs", "dataset tokenizer", "dataset split", "model evaluate"), "files alone"),
    **dict.fromkeys(("recipe list", "recipe show", "recipe check", "recipe diff"), "files alone"),
    "recipe from-backbone": "files alone",
    "train": "files, and one network where data is named by CID",
}


def leaves(name: str, command: click.Command) -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield name
        return
    context = click.Context(command)
    for each in command.list_commands(context):
        below = command.get_command(context, each)
        assert below is not None
        yield from leaves(f"{name} {each}".strip(), below)


def test_every_command_stands_here() -> None:
    found = {name for name in leaves("", cli) if not name.startswith("lab")}
    found = {"dataset build" if name.startswith("dataset build") else name for name in found}
    assert found == set(OPENED) | set(ELSEWHERE)


# ------------------------------------------------------------------ a settled round with its documents


@dataclass
class Recorded:
    """A round that was recorded and is open to challenge, and the folder with everything that it names."""

    network: Network
    inputs: Path
    result: RecordedResult | None = None

    def keep(self, data: bytes, codec: Any) -> Digest:
        digest = digest_of(data)
        (self.inputs / to_cid(digest, codec)).write_bytes(data)
        return digest


@pytest.fixture
async def recorded(tmp_path: Path) -> AsyncIterator[Recorded]:
    async with deployed_network() as network:
        inputs = tmp_path / "inputs"
        await asyncio.to_thread(inputs.mkdir)
        made = Recorded(network, inputs)
        recipe, dataset = made.keep(RECIPE.to_bytes(), "dag-json"), made.keep(MANIFEST.to_bytes(), "dag-json")
        base = made.keep(
            model_bytes(RECIPE.family.initial_weights(b"a" * 32), ModelHeader.of(RECIPE, 0)), "raw"
        )
        after = ModelHeader.of(RECIPE, 1, parent=base)
        model = made.keep(model_bytes(RECIPE.family.initial_weights(b"b" * 32), after), "raw")
        await found_project(network, recipe=recipe, dataset=dataset, model=base)
        spec = a_spec(base=base, recipe=recipe, dataset=dataset, aggregators=())
        await _record(made, spec, made.keep(encode_spec(spec), "dag-json"), base, model)
        yield made


async def _record(made: Recorded, spec: Any, spec_digest: Digest, base: Digest, model: Digest) -> None:
    network, rounds = made.network, made.network.contracts.rounds
    deployment, solver = network.deployment, network.wallet(SOLVER).address
    params = replace(PARAMS, spec=spec_digest, max_solvers=1, challenge_duration=100_000)
    await network.do(PROPOSER, rounds.open_round(params))
    word = commitment(deployment.chain_id, deployment.rounds, RoundId(1), solver, DELTA, bytes(32))
    await network.do(SOLVER, rounds.commit(1, word))
    lens = network.contracts.lens
    await network.at((await lens.round(1, "latest")).commit_end)
    await draw(network, 1, JUDGE)
    index = (await lens.round(1, "latest")).evaluation_index
    _, shard, blinding = SHARDS[index]
    await network.do(PROPOSER, rounds.unseal(1, shard, blinding, shard_proof(SEALED, index)))
    reveals = (await lens.round(1, "latest")).reveal_start
    await network.at(max(reveals, (await network.chain.block()).timestamp + 1))
    await network.do(SOLVER, rounds.reveal(1, DELTA, bytes(32)))
    members = sorted((network.wallet(who).address for who in (JUDGE, SECOND)), key=str.lower)
    facts = RoundFacts(
        chain_id=deployment.chain_id, contract=deployment.rounds, round_id=RoundId(1),
        project_id=ProjectId(1), spec=spec_digest, base=base, shard=Digest(shard), budget=PARAMS.budget,
        fee=PARAMS.fee, members=tuple(members), threshold=2, reveals=(RevealedDelta(solver, DELTA, 0),),
    )  # fmt: skip
    metrics = (("after.nmse", 500_000), ("before.nmse", 600_000))
    reports = reports_of(facts, [[GOOD], [GOOD]])
    sheet = derive_sheet(facts, spec, reports, model=model, improvement=30_000, metrics=metrics)
    digest = made.keep(encode_sheet(sheet), "dag-json")
    typed = result_data(
        deployment.chain_id, deployment.rounds, round_id=RoundId(1), root=sheet.root, model=model,
        sheet=digest, payout=sheet.payout, improvement=30_000, extension=bytes(32),
    )  # fmt: skip
    signed = [Attestation(30_000, network.wallet(who).sign_typed(typed)) for who in (JUDGE, SECOND)]
    call = rounds.record_training(1, sheet.root, model, digest, sheet.payout, bytes(32), signed)
    await network.do(SOLVER, call)
    made.result = RecordedResult(
        sheet.root, model, digest, bytes(32), sheet.payout, improvement=30_000, signers=0b11
    )


# ------------------------------------------------------------------ counting


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often each was opened since it was last cleared."""
    counts: Counter[str] = Counter()

    def counted(what: str, owner: type, method: str) -> None:
        original = getattr(owner, method)

        def call(*arguments: Any, **options: Any) -> Any:
            counts[what] += 1
            return original(*arguments, **options)

        monkeypatch.setattr(owner, method, call)

    counted("chain", Rpc, "__init__")
    counted("history", Follower, "__init__")
    counted("network", P2PNode, "start")
    counted("journal", Journal, "open")
    yield counts
    structlog.reset_defaults()


def test_the_counter_counts(opened: Counter[str], tmp_path: Path) -> None:
    for name in ("a", "a", "b"):
        Journal.open(tmp_path / name).close()
    assert opened == {"journal": 3}


async def ran(opened: Counter[str], *arguments: object) -> tuple[Any, dict[str, int]]:
    """What a command printed as JSON or the error that ended it, and what it opened."""
    opened.clear()
    words = [*map(str, arguments), "--json"]
    result = await asyncio.to_thread(CliRunner().invoke, cli, words)
    counts = dict(opened)
    if isinstance(result.exception, JepanetError):
        return result.exception, counts
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return json.loads(result.stdout), counts


async def test_commands_that_look_open_each_handle_once(
    recorded: Recorded, opened: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JEPANET_CONFIG", raising=False)
    config = configured(recorded.network, SOLVER, tmp_path / "home")
    fetch = ("--inputs", recorded.inputs, "--peer", NOBODY)
    answers = {}
    for name, more in (
        ("wallet show", ()),
        ("verifiers show", (1,)),
        ("project list", ()),
        ("project show", (1,)),
        ("round list", ()),
        ("round show", (1, *fetch)),
        ("receipt", (1, *fetch)),
        ("verify", (1, *fetch)),
        ("audit", (1, *fetch)),
        ("model export", ("--round", 1, "--out", tmp_path / "model", *fetch)),
        ("model card", (1, "--out", tmp_path / "card", *fetch)),
    ):
        answers[name], counts = await ran(opened, *name.split(), *more, "--config", config)
        assert counts == OPENED[name], name
    assert answers["verify"].code is Exit.VERIFICATION_FAILED, "its signatures are made up"
    assert answers["audit"].reason == "not-audited", "its rules ask for no states"
    assert answers["round show"]["receipts"][0]["paid"] == str(38_000 * 10**12)
    assert answers["receipt"][0]["paid"] == str(38_000 * 10**12)
    assert answers["model card"]["rounds"] == 1
    assert answers["model card"]["model"] == answers["model export"]["model"]


async def test_commands_that_sign_open_each_handle_once(
    recorded: Recorded, opened: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JEPANET_CONFIG", raising=False)
    network, data = recorded.network, tmp_path / "data"
    config = configured(network, SOLVER, tmp_path / "home")
    await asyncio.to_thread(data.mkdir)
    sealed = tuple(SealedShard(n, digest_of(b"%d" % n), bytes([n]) * 32, data) for n in range(2))
    monkeypatch.setattr(draft_module, "open_dataset", lambda folder: BuiltDataset(folder, MANIFEST, sealed))
    monkeypatch.setattr(draft_module, "check_shards", lambda *_: None)

    async def first_model(*_: Any, **__: Any) -> Digest:
        return digest_of(b"model")

    monkeypatch.setattr(create_module, "first_model", first_model)
    create = ("--dataset", data, "--recipe", "tworoom-tiny", "--threshold", 1,
              "--verifier", network.wallet(SOLVER).address)  # fmt: skip
    for name, more in (
        ("stake deposit", (100,)),
        ("round challenge", (1, "--evidence", "ab" * 32)),
        ("verifiers create", (network.wallet(SOLVER).address, "--threshold", 1)),
        ("verifiers join", (2,)),
        ("verifiers admit", (2, network.wallet(OTHER).address)),
        ("stake unbond", (5,)),
        ("verifiers leave", (2,)),
        ("project create", create),
    ):
        answer, counts = await ran(opened, *name.split(), *more, "--config", config)
        assert not isinstance(answer, JepanetError), (name, answer)
        assert counts == OPENED[name], name
    assert answer["project"] == 2 and answer["created"] is True
    await network.at((await network.chain.block()).timestamp + 61)
    no_debt, counts = await ran(opened, "stake", "collect", "--config", config)
    assert counts == OPENED["stake collect"] and isinstance(no_debt, JepanetError)
    withdrawn, counts = await ran(opened, "stake", "withdraw", "--config", config)
    assert counts == OPENED["stake withdraw"] and withdrawn["stake_unbonding"] == "0"


async def test_a_claim_opens_each_handle_once(
    recorded: Recorded, opened: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JEPANET_CONFIG", raising=False)
    network = recorded.network
    await network.at((await network.contracts.lens.round(1, "latest")).challenge_end)
    assert recorded.result is not None
    await network.do(OTHER, network.contracts.rounds.settle(1, recorded.result))
    config = configured(network, SOLVER, tmp_path / "home")
    fetch = ("--inputs", recorded.inputs, "--peer", NOBODY)
    made, counts = await ran(opened, "claim", 1, *fetch, "--config", config)
    assert counts == OPENED["claim"]
    assert made["rounds"][0]["verdict"] == "accepted" and made["missing"] == 0
    assert int(made["rounds"][0]["claimed"]) < TOKEN


async def test_a_rescan_opens_the_journal_once(
    recorded: Recorded, opened: Counter[str], tmp_path: Path
) -> None:
    config = configured(recorded.network, SOLVER, tmp_path / "home")
    deployment = recorded.network.deployment
    await asyncio.to_thread((tmp_path / "home" / "data").mkdir)
    with Journal.open(tmp_path / "home" / "data" / "journal.sqlite") as journal:
        journal.bind(f"{deployment.chain_id}/{deployment.rounds}")
    refused, counts = await ran(opened, "node", "rescan", 1, "--config", config)
    assert refused.code is Exit.USAGE and counts == OPENED["node rescan"]


@pytest.fixture
def devnet(tmp_path: Path, anvil_binary: Path) -> Iterator[Path]:
    folder = tmp_path / "devnet"
    yield folder
    stop = [sys.executable, "-m", "jepanet.interface.cli", "devnet", "down", "--dir", str(folder)]
    subprocess.run(stop, capture_output=True, check=False, timeout=60)


async def test_a_devnet_is_asked_through_one_connection(devnet: Path, opened: Counter[str]) -> None:
    address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    for name, more in (
        ("devnet up", ("--port", free_port(), "--block-time", 0.5)),
        ("devnet status", ()),
        ("devnet fund", (address,)),
        ("devnet down", ()),
    ):
        answer, counts = await ran(opened, *name.split(), *more, "--dir", devnet)
        assert not isinstance(answer, JepanetError), (name, answer)
        assert counts == OPENED[name], name
