"""Malicious solvers and strangers in one round with honest ones: refused with a reason, paid nothing.

Every attack of a round happens in the same round, beside two honest solvers, as a real attacker would.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from attackers import Attacker, Material, Peer, attacker, material, peer, refused
from network import CHAIN_ID, TERMS, TOKEN, Network, new_wallet
from rows import NETWORK, Played

from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.keys.wallet_files import load_wallet, read_password
from jepanet.federation.deltas.delta import DeltaHeader
from jepanet.protocol import facts
from jepanet.protocol.documents.messages import SayResult, SayScores, SaySheet
from jepanet.protocol.documents.scores import ScoreReport, SignedScore, encode_report
from jepanet.types import Digest, Phase, RoundId, SlashCause, Verdict

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(900)]

GAP = 120
LINED_UP = (
    "wrong-base",
    "not-a-number",
    "ten-times",
    "truncated",
    "oversized",
    "zero",
    "collapsed",
    "twin",
    "twin-with-noise",
    "same-digest",
    "recomputed",
    "unserved",
    "served-otherwise",
)
EXPECTED = {
    "wrong-base": ("invalid", {"wrong-base"}),
    "not-a-number": ("invalid", {"non-finite"}),
    "ten-times": ("invalid", {"norm-cap"}),
    "truncated": ("invalid", {"truncated"}),
    "oversized": ("excluded", {"too-large"}),
    "zero": ("excluded", {"zero-delta"}),
    "twin-with-noise": ("excluded", {"near-copy"}),
    "same-digest": ("excluded", {"duplicate"}),
    "unserved": ("excluded", {"unavailable"}),
    "served-otherwise": ("excluded", {"unavailable"}),
}
ABSENT = {"unserved": Digest(b"\x55" * 32), "served-otherwise": Digest(b"\x44" * 32)}
"""Digests of no file."""
DEFENCES = {
    "wrong-base": "a delta names its base",
    "not-a-number": "what is not finite is a fault of form",
    "ten-times": "a delta is no larger than the base allows",
    "truncated": "every offset is held against the file",
    "oversized": "a file has a cap",
    "zero": "an empty delta is out",
    "collapsed": "state guards, and a limit on lengths",
    "twin": "a delta is paid for its gain, whoever made it",
    "twin-with-noise": "a near-copy of an earlier delta is out",
    "same-digest": "of one digest twice the later is out",
    "recomputed": "a training depends on its solver's salt",
    "unserved": "what nobody serves in time is out",
    "served-otherwise": "bytes are hashed before they are used",
}
TRAINED = ("twin", "twin-with-noise", "same-digest", "recomputed")
"""Attackers with a training of their own, or one among them."""


@dataclass
class Outcome:
    """What one attacked round left behind, for several tests to look at."""

    network: Network
    round_id: RoundId
    attackers: dict[str, Attacker]
    receipts: dict[str, dict[str, Any]]
    refusals: dict[str, str]
    balances: dict[str, int]


def files(have: Material) -> dict[str, bytes]:
    """What each attacker reveals."""
    whole = have.encode(have.honest)
    big = max(float(abs(array).max()) for array in have.base.values())
    loud = {name: array * 0 + big for name, array in have.honest.items()}
    made = {
        "wrong-base": have.encode(have.honest, DeltaHeader(Digest(b"\x07" * 32), have.spec.recipe)),
        "not-a-number": have.poisoned(),
        "ten-times": have.encode({name: array.astype("<f4") * 10 for name, array in loud.items()}),
        "truncated": whole[: len(whole) // 2],
        "oversized": whole + bytes(have.spec.max_delta_bytes),
        "zero": have.encode(have.scaled(0.0)),
        "collapsed": have.encode(have.collapsed()),
        "twin": whole,
        "twin-with-noise": have.encode(have.nearly(0.05, seed=1)),
        "same-digest": whole,
        "recomputed": have.recomputed,
        "unserved": have.encode(have.nearly(0.8, seed=2)),
        "served-otherwise": have.encode(have.nearly(0.8, seed=3)),
    }
    assert set(made) == set(LINED_UP)
    return made


@pytest.fixture(scope="module")
def attacked(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return asyncio.run(attack(network, tmp_path_factory.mktemp("attack")))


async def attack(network: Network, folder: Path) -> Outcome:
    network.run_nodes()
    honest, victim = network.solvers
    victim.stop()  # until the rival who recomputes its delta has committed first
    wallets = {}
    for name in (*LINED_UP, "copycat", "otherwise", "latecomer", "stranger"):
        new_wallet(folder / name)
        wallets[name] = load_wallet(folder / name / "wallet", read_password(folder / name / "password"), None)
    await asyncio.to_thread(network.fund, [wallet.address for wallet in wallets.values()], 100)
    rpc = Rpc([network.anvil.url], CHAIN_ID)
    cast = {name: attacker(network, rpc, name, wallet) for name, wallet in wallets.items()}
    await asyncio.gather(*(item.stake() for name, item in cast.items() if name != "stranger"))
    commits = len(network.solvers) + len(LINED_UP) + 2  # the two that cannot open theirs
    number = await asyncio.to_thread(
        network.play, commits=commits, gap_seconds=GAP
    )  # the hub restarts: peers after it
    round_id = RoundId(number)
    refusals: dict[str, str] = {}

    async def until(what: str, condition: Any) -> None:
        await asyncio.to_thread(network.wait, what, condition)

    try:
        async with (
            peer(network, folder / "peer") as server,
            peer(network, folder / "loud") as loud,
            peer(network, folder / "false") as false,
        ):
            have = await material(network, server, round_id, folder, victim.address)
            bad = files(have)
            await until("an honest commit", lambda: network.round(number).committed(honest.address))
            word = next(item for item in network.round(number).commits if item.solver == honest.address)
            await cast["copycat"].commit_word(round_id, word.commitment)
            await cast["otherwise"].commit(round_id, Digest(b"\x33" * 32))
            for name in LINED_UP:
                digest = ABSENT.get(name) or server.shelf.put(bad[name])
                await cast[name].commit(round_id, digest)
            false.shelf.put(bad["served-otherwise"], ABSENT["served-otherwise"])
            await asyncio.to_thread(network.run_nodes, victim.name)
            await until("the end of commits", lambda: network.phase(number) is not Phase.COMMIT)
            # Too late: nothing that anybody reveals from here on can be committed to.
            refusals["latecomer"] = await refused(
                cast["latecomer"].commit(round_id, server.shelf.put(bad["twin"]))
            )
            network.warp(GAP)
            await until("an honest reveal", lambda: network.round(number).reveal_of(honest.address))
            opened = network.round(number).reveal_of(honest.address)
            assert opened is not None
            copy = cast["copycat"].contracts.rounds.reveal(round_id, opened.digest, opened.salt)
            refusals["copycat"] = await refused(cast["copycat"].sender.send("reveal", copy))
            other = cast["otherwise"].contracts.rounds.reveal(
                round_id, server.shelf.put(bad["twin"]), cast["otherwise"].salt
            )
            refusals["otherwise"] = await refused(cast["otherwise"].sender.send("reveal", other))
            await asyncio.gather(*(cast[name].reveal(round_id) for name in LINED_UP))
            await until("every reveal", lambda: len(network.round(number).reveals) == commits - 2)
            await until("the unsealed shard", lambda: network.round(number).shard)
            network.warp(TERMS["reveal_seconds"])
            await until("the verification", lambda: network.phase(number) is Phase.VERIFY)
            status = network.judge.status()
            assert status is not None
            await loud.node.connect(status["addresses"][0])  # refused messages are relayed by nobody
            await loud.meet(2)
            await shout(network, loud, cast["stranger"], cast["twin"], round_id)
            for name in LINED_UP:
                digest = cast[name].digest
                if name != "unserved" and digest is not None:
                    by = server if name not in ABSENT else false
                    await by.provide(cast[name].wallet, round_id, digest)
            await until("every served delta to be fetched", lambda: fetched(network, number))
            # Nobody serves the last one: it counts as unavailable after a quarter of the verification.
            await asyncio.to_thread(network.out_of_patience, number)
            await asyncio.to_thread(network.wait_finished, number)
        balances = {}
        for name, item in cast.items():
            stake = await item.contracts.lens.account(item.wallet.address, "latest")
            held = await item.contracts.token.balance(item.wallet.address, "latest")
            balances[name] = held + stake.free + stake.locked
    finally:
        await rpc.close()
    shown = await asyncio.to_thread(network.receipts, number)
    receipts = {row["solver"]: row for row in shown["receipts"]}
    return Outcome(network, round_id, cast, receipts, refusals, balances)


def fetched(network: Network, number: int) -> bool:
    """Whether the judge said why it waits: only deltas that nobody serves are missing."""
    rows = network.judge.query(
        "SELECT error FROM outbox WHERE key = ? AND state = 'pending'", f"ScoreDeltas/{number}"
    )
    held = sum(1 for item in network.judge.events("blob.fetched"))
    waits = rows[0][0] or "" if rows else ""
    return any(item.hex()[:16] in waits for item in ABSENT.values()) or held >= len(LINED_UP) + 4


async def shout(
    network: Network, loud: Peer, stranger: Attacker, solver: Attacker, round_id: RoundId
) -> None:
    """Lies over gossip: garbage, stolen names, offices nobody gave."""
    sheet, judge = Digest(b"\x66" * 32), network.judge
    await loud.node.publish(b"\x00\xff not an envelope")
    await loud.node.publish(json.dumps({"version": 1}).encode())
    await loud.say(stranger.wallet, SaySheet(round_id, sheet))
    await loud.say(stranger.wallet, SayResult(round_id, sheet, 10**6, bytes(65)))
    await loud.say(solver.wallet, SayScores(round_id, forged_report(network, solver, round_id)))
    # In the judge's name, without the judge's key.
    stolen = loud.binding(stranger.wallet, claims=judge.wallet())
    await loud.say(stranger.wallet, SayResult(round_id, sheet, 1, bytes(65)), binding=stolen)


def forged_report(network: Network, solver: Attacker, round_id: RoundId) -> bytes:
    """The judge's scores as a solver would like them."""
    scores = tuple(
        SignedScore(
            solver=item.solver, digest=item.digest, verdict=Verdict.ACCEPTED, reason="accepted", gain=10**6,
            stderr=0, signature=bytes(65),
        )
        for item in sorted(network.round(round_id).reveals, key=lambda item: item.solver.lower())
    )  # fmt: skip
    return encode_report(ScoreReport(round_id, network.judge.address, scores))


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_bad_delta_is_refused_with_its_reason_and_earns_nothing(attacked: Outcome, name: str) -> None:
    row = attacked.receipts[attacked.attackers[name].wallet.address]
    verdict, reasons = EXPECTED[name]
    assert (row["verdict"], row["paid"]) == (verdict, "0"), row
    assert row["reason"] in reasons, row
    assert attacked.balances[name] <= 100 * TOKEN


def test_a_collapsed_model_earns_nothing(attacked: Outcome) -> None:
    """In a first round it is measured at the length of the others (decision 65), where it may do no harm."""
    row = attacked.receipts[attacked.attackers["collapsed"].wallet.address]
    assert (row["reason"], row["paid"]) in {
        (reason, "0") for reason in ("state-guard", "harm", "dropped", "accepted")
    }


def test_a_copied_commitment_cannot_be_revealed_and_costs_its_bond(attacked: Outcome) -> None:
    copycat = attacked.attackers["copycat"]
    assert attacked.refusals["copycat"] == "CommitmentMismatch"
    slashed = attacked.network.events(facts.ChainBondSlashed, attacked.round_id)
    assert (copycat.wallet.address, SlashCause.NOT_REVEALED) in [
        (item.account, item.cause) for item in slashed
    ]
    assert attacked.balances["copycat"] == 90 * TOKEN
    assert copycat.wallet.address not in attacked.receipts


def test_attack_a_reveal_whose_bytes_differ_from_the_commitment_costs_its_bond(attacked: Outcome) -> None:
    otherwise = attacked.attackers["otherwise"]
    assert attacked.refusals["otherwise"] == "CommitmentMismatch"
    assert attacked.balances["otherwise"] == 90 * TOKEN
    assert otherwise.wallet.address not in attacked.receipts


def test_what_was_revealed_can_no_longer_be_committed_to(attacked: Outcome) -> None:
    assert attacked.refusals["latecomer"] == "WrongPhase"


def test_the_earliest_commit_owns_a_digest(attacked: Outcome) -> None:
    owner = attacked.attackers["twin"].wallet.address
    copy = attacked.receipts[attacked.attackers["same-digest"].wallet.address]
    assert owner in copy["detail"]
    assert attacked.receipts[owner]["reason"] != "duplicate"


def test_attack_a_duplicate_is_not_paid_and_costs_a_part_of_its_bond(attacked: Outcome) -> None:
    """One digest under many identities would take every place of a round at no loss."""
    assert attacked.balances["same-digest"] == 98 * TOKEN
    copy = attacked.attackers["same-digest"].wallet.address
    slashed = attacked.network.events(facts.ChainBondSlashed, attacked.round_id)
    assert [item.cause for item in slashed if item.account == copy] == [SlashCause.EXCLUDED]


def test_attack_a_rival_cannot_recompute_a_delta_from_public_facts(attacked: Outcome) -> None:
    """It has the victim's shard, the round's seed and every file, trains them first and commits first."""
    victim, rival = attacked.network.solvers[1], attacked.attackers["recomputed"]
    order = {item.solver: item.index for item in attacked.network.round(attacked.round_id).commits}
    assert order[rival.wallet.address] < order[victim.address]
    opened = attacked.network.round(attacked.round_id).reveal_of(victim.address)
    assert opened is not None and opened.digest != rival.digest
    assert attacked.receipts[victim.address]["reason"] not in ("duplicate", "near-copy")


def test_lies_over_gossip_are_refused_and_believed_by_nobody(attacked: Outcome) -> None:
    for node in (attacked.network.hub, attacked.network.judge):
        reasons = {item["reason"] for item in node.events("message.refused")}
        assert {"outsider", "forged-binding"} <= reasons, node.name
        assert reasons & {"bad-json", "not-canonical", "malformed"}, (node.name, reasons)
    recorded = attacked.network.events(facts.ChainTrainingRecorded, attacked.round_id)
    assert [item.sheet for item in recorded] != [b"\x66" * 32]


def test_honest_solvers_are_not_hurt(attacked: Outcome) -> None:
    network = attacked.network
    slashed = {item.account: item.cause for item in network.events(facts.ChainBondSlashed, attacked.round_id)}
    for node in network.nodes.values():
        assert node.alive
        if node.address in slashed:
            assert slashed[node.address] is SlashCause.EXCLUDED
            # So small a training may do harm, as anybody can measure.
            assert attacked.receipts[node.address]["reason"] == "harm"
    for node in network.solvers:
        assert attacked.receipts[node.address]["verdict"] != "invalid"
        assert node.address in {
            item.account for item in network.events(facts.ChainClaimed, attacked.round_id)
        }


def test_each_is_a_row_of_the_scorecard(attacked: Outcome, rows: list[Played]) -> None:
    honest = [int(attacked.receipts[node.address]["paid"]) for node in attacked.network.solvers]
    usual = sum(honest) / len(honest)
    for name, defence in DEFENCES.items():
        row = attacked.receipts[attacked.attackers[name].wallet.address]
        paid = int(row["paid"])
        rows.append(
            Played(
                name,
                defence,
                NETWORK,
                cost=1.0 if name in TRAINED else 0.0,
                earned=0.0 if not paid else round(paid / usual, 3) if usual else None,
                lost=max(0, 100 * TOKEN - attacked.balances[name]) / (10 * TOKEN),
                merged=row["verdict"] == "accepted" and bool(usual or paid),
                detected=row["reason"],
            )
        )
    lost = (100 * TOKEN - attacked.balances["copycat"]) / (10 * TOKEN)
    refusals, nothing = attacked.refusals, (0.0, 0.0)
    rows += [
        Played("copied commitment", "the hash binds its sender", NETWORK, *nothing, lost, False,
               refusals["copycat"]),
        Played("a reveal whose bytes differ from the commitment", "the hash binds the digest", NETWORK,
               *nothing, (100 * TOKEN - attacked.balances["otherwise"]) / (10 * TOKEN), False,
               refusals["otherwise"]),
        Played("a commitment once reveals are there", "phases do not overlap", NETWORK, *nothing, 0.0, False,
               refusals["latecomer"]),
        Played("sheets, results and scores of a stranger", "members of the set alone are heard", NETWORK,
               *nothing, 0.0, False, "outsider"),
        Played("words in another's name", "a wallet signs for its peer", NETWORK, *nothing, 0.0, False,
               "forged-binding"),
    ]  # fmt: skip
    earning = [row for row in rows if row.earned != 0.0]
    assert {row.attack for row in earning} <= set(TRAINED), "what was trained may be worth something"
