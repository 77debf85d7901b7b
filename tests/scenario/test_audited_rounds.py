"""Whole rounds whose drawn trainings are audited before they are paid: on a chain, with real processes.

Everybody is drawn. An honest node is paid; a delta that was scaled after an honest training, and one whose
states nobody is shown, lose the whole bond; whoever verifies the round finds the same and names a coordinator
that did not look.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from attackers import Attacker, Peer, Shelf, attacker, peer
from network import CHAIN_ID, TERMS, TOKEN, Network, Node, new_wallet
from test_verify import command, verify

from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.keys.wallet_files import load_wallet, read_password
from jepanet.cid import blake3_of, digest_of
from jepanet.errors import Exit, Transient
from jepanet.federation.deltas.delta import DeltaHeader, decode_delta, encode_delta, schema_of
from jepanet.learning.model_file import load_model
from jepanet.learning.recipe_reader import read_recipe
from jepanet.protocol import facts
from jepanet.protocol.assignment import training_seed, training_shard
from jepanet.protocol.documents.spec import decode_spec
from jepanet.types import Digest, Phase, RoundId, SlashCause
from jepanet.work.requests.auditing import AuditPlace
from jepanet.work.requests.files import RoundFiles, TrainingShard
from jepanet.work.requests.training import TrainDelta
from jepanet.work.worker import Worker

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(900)]

SEGMENTS = 4
LYING = Path(__file__).with_name("lying_verifiers.py")


@dataclass
class Made:
    """An honest training of a cheat, and what it leaves for audits."""

    honest: bytes
    scaled: bytes
    transcript: bytes
    states: list[bytes]


@dataclass
class Outcome:
    network: Network
    number: int
    cast: dict[str, Attacker] = field(default_factory=dict)
    receipts: dict[str, Any] = field(default_factory=dict)


async def made_by(
    network: Network, server: Peer, who: Attacker, number: int, folder: Path, *, seed: bytes | None = None
) -> Made:
    """What the node of `who` would make in this round, and the same delta scaled after its last step; with
    another `seed` than its own in every segment, which is what whoever trains several times would do."""
    folder.mkdir()  # noqa: ASYNC240
    files = network.dataset / "project"
    round_, name = network.round(number), who.wallet.address
    for attempt in range(20):
        try:
            spec_path = await server.node.fetch(round_.params.spec, max_bytes=1 << 16, directory=folder)
            base_path = await server.node.fetch(round_.base, max_bytes=1 << 24, directory=folder)
            break
        except Transient:
            if attempt == 19:
                raise
            await asyncio.sleep(1)
    place = (CHAIN_ID, network.deployment.rounds, int(round_.project_id), number, name, round_.seed)
    shard = training_shard(*place, count=2)
    left = AuditPlace(folder / "states", folder / "transcript", os.urandom(32))
    recipe = read_recipe((files / "recipe.json").read_bytes())
    worker = Worker()
    try:
        await worker.run(
            TrainDelta(
                round=RoundFiles(base_path, files / "recipe.json", spec_path),
                shards=(TrainingShard.of(network.dataset / f"training-{shard:02d}.safetensors"),),
                probe=network.dataset / "probe.safetensors" if recipe.aligns else None,
                residual=None,
                seed=seed or training_seed(*place, who.salt),
                target=folder / "delta",
                residual_target=folder / "left-out",
                audit=left,
            )
        )
    finally:
        await worker.stop()
    spec = decode_spec(spec_path.read_bytes())
    base = load_model(base_path, recipe).weights
    honest = (folder / "delta").read_bytes()
    weights = decode_delta(
        honest, schema=schema_of(base), max_bytes=spec.max_delta_bytes, base=spec.base, recipe=spec.recipe,
        codec=spec.codec, audited=True,
    )  # fmt: skip
    louder = {name: np.asarray(array * np.float32(1.5)) for name, array in weights.items()}
    transcript = (folder / "transcript").read_bytes()
    header = DeltaHeader(spec.base, spec.recipe, digest_of(transcript))
    states = [path.read_bytes() for path in sorted((folder / "states").glob("*.state"))]
    return Made(honest, encode_delta(louder, header, spec.codec), transcript, states)


def shelve(shelf: Shelf, name: str, made: Made) -> Digest:
    """Serves what a cheat of that name serves to everybody; the digest of its delta."""
    shelf.put(made.transcript)
    if name != "shut":
        for state in made.states:
            shelf.put(state, blake3_of([state]))
    return shelf.put(made.scaled if name == "scaled" else made.honest)


async def play(
    network: Network,
    folder: Path,
    cheats: tuple[str, ...],
    *,
    serve: Callable[[Shelf, str, Made], Digest] = shelve,
    shut: Mapping[str, Sequence[Node]] = MappingProxyType({}),
    **terms: Any,
) -> Outcome:
    """One audited round of an honest node and these cheats, until it is settled and all is claimed.

    `shut`: cheats whose training is open to some nodes only, with those that score and wait for it in vain.
    """
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240
    network.run_nodes()
    wallets = {}
    for name in cheats:
        new_wallet(folder / name)
        wallets[name] = load_wallet(folder / name / "wallet", read_password(folder / name / "password"), None)
    await asyncio.to_thread(network.fund, [wallet.address for wallet in wallets.values()], 100)
    rpc = Rpc([network.anvil.url], CHAIN_ID)
    cast = {name: attacker(network, rpc, name, wallet) for name, wallet in wallets.items()}
    await asyncio.gather(*(item.stake() for item in cast.values()))
    rules = {"audit_segments": SEGMENTS, "audit_probability_milli": 1000, "audit_opened": 1, **terms}
    number = await asyncio.to_thread(network.play, commits=1 + len(cast), **rules)
    round_id = RoundId(number)

    async def until(what: str, condition: Callable[[], Any]) -> None:
        await asyncio.to_thread(network.wait, what, condition)

    try:
        async with peer(network, folder / "peer") as server:
            for name, who in cast.items():
                made = await made_by(network, server, who, number, folder / f"made by {name}")
                await who.commit(round_id, serve(server.shelf, name, made))
            await until("the end of commits", lambda: network.phase(number) is Phase.REVEAL)
            await asyncio.gather(*(who.reveal(round_id) for who in cast.values()))
            await until("every reveal", lambda: len(network.round(number).reveals) == 1 + len(cast))
            await until("the unsealed shard", lambda: network.round(number).shard)
            if network.phase(number) is Phase.REVEAL:
                network.warp(TERMS["reveal_seconds"])
            await until("the verification", lambda: network.phase(number) is Phase.VERIFY)
            for who in cast.values():
                assert who.digest is not None
                await server.provide(who.wallet, round_id, who.digest)
            if shut:
                waiting = {node.name: node for nodes in shut.values() for node in nodes}.values()
                open_ones = 1 + len(cast) - len(shut)
                for node in waiting:
                    await until("the audits of what is open", lambda: audits(node, number) >= open_ones)  # noqa: B023
                await asyncio.to_thread(network.out_of_patience, number, *waiting)
            await asyncio.to_thread(network.wait_finished, number)
            shown = await asyncio.to_thread(network.receipts, number)
    finally:
        await rpc.close()
    return Outcome(network, number, cast, {row["solver"]: row for row in shown["receipts"]})


def audits(node: Node, number: int) -> int:
    """How many trainings a node has audited."""
    said = [*node.events("audit.done"), *node.events("audit.failed")]
    return len({item["solver"] for item in said if item["round"] == number})


@pytest.fixture(scope="module")
def audited_network(new_network: Callable[..., Network]) -> Network:
    return new_network(solvers=1, nursery=LYING)


@pytest.fixture(scope="module")
def audited(audited_network: Network, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("audited")
    shut = {"shut": [audited_network.judge]}
    return asyncio.run(play(audited_network, folder, ("scaled", "shut"), shut=shut))


def test_attack_a_scaled_delta_loses_the_whole_bond_and_earns_nothing(audited: Outcome) -> None:
    who = audited.cast["scaled"].wallet.address
    row = audited.receipts[who]
    assert (row["verdict"], row["reason"], row["paid"]) == ("invalid", "not-reproduced", "0"), row
    assert bonds_lost(audited)[who] == 10 * TOKEN


def test_attack_a_delta_that_nobody_can_audit_costs_as_much(audited: Outcome) -> None:
    who = audited.cast["shut"].wallet.address
    row = audited.receipts[who]
    assert (row["verdict"], row["reason"], row["paid"]) == ("invalid", "not-opened", "0"), row
    assert bonds_lost(audited)[who] == 10 * TOKEN


def test_honest_work_is_audited_and_judged_by_its_gain_alone(audited: Outcome) -> None:
    """Four steps may do harm, which costs a part of the bond; the audit takes nothing."""
    (node,) = audited.network.solvers
    row = audited.receipts[node.address]
    assert (row["verdict"], row["reason"]) in {("accepted", "accepted"), ("excluded", "harm")}, row
    assert [score["audited"] for score in row["scores"]] == [True]
    assert node.address not in bonds_lost(audited)
    done = [item for item in audited.network.judge.events("audit.done") if item["solver"] == node.address]
    assert len(done) == 1 and len(done[0]["segments"]) == 3


def bonds_lost(outcome: Outcome) -> dict[str, int]:
    return {
        item.account: item.amount
        for item in outcome.network.events(facts.ChainBondSlashed, outcome.number)
        if item.cause is not SlashCause.EXCLUDED
    }


def test_a_stranger_verifies_the_round_and_its_audits(audited: Outcome, tmp_path: Path) -> None:
    """The solvers are gone, but for the honest one: the verifiers serve what they were shown."""
    network = audited.network
    code, report = verify(network, audited.number, tmp_path / "inputs", *peers(network))
    assert (code, report["agrees"]) == (Exit.OK, True), report
    details = {item["check"]: item["detail"] for item in report["checks"]}
    (node,) = network.solvers
    assert details[f"audit of {node.address}"].endswith("lead where its delta says")
    assert details[f"audit of {audited.cast['scaled'].wallet.address}"].startswith("not-reproduced")
    assert details[f"audit of {audited.cast['shut'].wallet.address}"].startswith("not done again here")
    code, report = command(network, tmp_path / "inputs", "audit", str(audited.number), *peers(network))
    assert code == Exit.VERIFICATION_FAILED
    assert set(report["drawn"]) == set(audited.receipts)
    segments = [row["segment"] for row in report["segments"] if row["solver"] == node.address]
    assert len(segments) == 3 and {0, SEGMENTS - 1} < set(segments)


def peers(network: Network) -> list[str]:
    statuses = [node.status() for node in (network.hub, network.judge, *network.solvers)]
    return [word for status in statuses if status for word in ("--peer", status["addresses"][0])]


@pytest.mark.parametrize(("lie", "named"), [("copy", "forged the audit"), ("skip", "skipped the audit")])
def test_attack_a_coordinator_that_did_not_look_is_named(
    audited: Outcome, lie: str, named: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nobody else is in this set: alone the verification of strangers stands against it."""
    network = audited.network
    flag = network.folder / "nodes" / "lies"
    flag.write_text(lie)
    try:
        for node in (network.hub, network.judge):
            node.stop()
        network.run_nodes()
        outcome = asyncio.run(play(network, tmp_path_factory.mktemp("lying"), ()))
    finally:
        flag.unlink()
    code, report = verify(network, outcome.number, tmp_path / "inputs", *peers(network))
    assert code == Exit.VERIFICATION_FAILED
    wrong = [item for item in report["checks"] if not item["agrees"]]
    (node,) = network.solvers
    assert [(item["check"], item["detail"]) for item in wrong] == [
        (f"audit by {network.judge.address}", f"{named} of {node.address}")
    ]
    for node in (network.hub, network.judge):  # as honest as before
        node.stop()
    network.run_nodes()
