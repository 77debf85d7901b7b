"""Ten real rounds against a solver that cheats in every segment, where each solver is drawn with a chance of
one half: it is caught whenever it is drawn, and nobody else pays for it.

    scripts/test audits -- --audits-out FOLDER     goes on where it was stopped, on a new chain
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attackers import Attacker, attacker, peer, sheet_of
from network import CHAIN_ID, TERMS, TOKEN, Network, new_wallet
from test_audited_rounds import SEGMENTS, bonds_lost, made_by, peers
from test_audited_rounds import play as one_round
from test_verify import command, verify

from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.keys.wallet_files import load_wallet, read_password
from jepanet.cid import blake3_of
from jepanet.errors import Exit
from jepanet.learning.presets import preset
from jepanet.operations.datasets import build_dataset
from jepanet.protocol import facts
from jepanet.types import Phase, RoundId, SlashCause

pytestmark = [pytest.mark.scenario, pytest.mark.slow, pytest.mark.timeout(7200)]

ROUNDS = 10
DRAWN_MILLI = 500
BOND = 10
STEPS = 40
TEXTS = preset("language-tiny")
BEGUN = replace(
    TEXTS, name="begun", warm_steps=100, inner_steps=STEPS, score=replace(TEXTS.score, least=1.0)
)  # as early in its training, the recipe itself would pay for nothing
RULES = {
    "audit_segments": SEGMENTS,
    "audit_probability_milli": DRAWN_MILLI,
    "audit_opened": 1,
    "pay_cap": str(BOND),  # p = 1/2: a bond of what one delta can be paid makes cheating not pay
}


async def play(network: Network, who: Attacker, folder: Path) -> dict[str, Any]:
    """One round of an honest node and the cheat, until it is settled and all is claimed."""
    folder.mkdir()  # noqa: ASYNC240
    number = await asyncio.to_thread(network.play, commits=2, **RULES)
    round_id = RoundId(number)

    async def until(what: str, condition: Callable[[], Any]) -> None:
        await asyncio.to_thread(network.wait, what, condition)

    async with peer(network, folder / "peer") as server:
        made = await made_by(network, server, who, number, folder / "made", seed=os.urandom(32))
        server.shelf.put(made.transcript)
        for state in made.states:
            server.shelf.put(state, blake3_of([state]))
        await who.commit(round_id, server.shelf.put(made.honest))
        await until("the end of commits", lambda: network.phase(number) is Phase.REVEAL)
        await who.reveal(round_id)
        await until("every reveal", lambda: len(network.round(number).reveals) == 2)
        await until("the unsealed shard", lambda: network.round(number).shard)
        if network.phase(number) is Phase.REVEAL:
            network.warp(TERMS["reveal_seconds"])
        await until("the verification", lambda: network.phase(number) is Phase.VERIFY)
        assert who.digest is not None
        await server.provide(who.wallet, round_id, who.digest)
        await asyncio.to_thread(network.wait_finished, number)
        shown = await asyncio.to_thread(network.receipts, number)
    lost = {
        item.account: item.amount
        for item in network.events(facts.ChainBondSlashed, number)
        if item.cause is not SlashCause.EXCLUDED
    }
    said = [*network.judge.events("audit.done"), *network.judge.events("audit.failed")]
    drawn = {item["solver"] for item in said if item["round"] == number}
    rows = {row["solver"]: row for row in shown["receipts"]}
    (node,) = network.solvers
    if rows[who.wallet.address]["verdict"] == "accepted":
        # Eight rounds later the contract wants the bond's place; an excluded one is claimed by others.
        await who.claim(number, await sheet_of(network, number, folder / "reader"))

    def of(address: str) -> dict[str, Any]:
        row = rows[address]
        return {
            "drawn": address in drawn,
            "verdict": row["verdict"],
            "reason": row["reason"],
            "paid": str(row["paid"]),
            "bond_lost": lost.get(address, 0) // TOKEN,
        }

    return {"round": number, "cheat": of(who.wallet.address), "honest": of(node.address)}


async def play_all(network: Network, folder: Path, kept: Path) -> None:
    network.run_nodes()
    new_wallet(folder / "cheat")
    wallet = load_wallet(folder / "cheat" / "wallet", read_password(folder / "cheat" / "password"), None)
    await asyncio.to_thread(network.fund, [wallet.address], 1000)
    rpc = Rpc([network.anvil.url], CHAIN_ID)
    try:
        for number in range(len(played(kept)), ROUNDS):
            # What was sent under a key is not sent again: another sender every round.
            who = attacker(network, rpc, "cheat", wallet)
            await who.stake()
            found = await play(network, who, folder / f"round {number}")
            with kept.open("a") as file:
                file.write(json.dumps(found) + "\n")
            print(json.dumps(found), flush=True)
    finally:
        await rpc.close()


def played(kept: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []


def test_attack_a_solver_that_cheats_in_every_segment_is_caught_whenever_it_is_drawn(
    new_network: Callable[..., Network], audits_out: Path, tmp_path: Path
) -> None:
    kept = audits_out / "caught.jsonl"
    if len(played(kept)) < ROUNDS:
        asyncio.run(play_all(new_network(solvers=1), tmp_path, kept))
    rounds = played(kept)
    for item in rounds:
        cheat, honest = item["cheat"], item["honest"]
        # Four steps of so small a model may do harm, and a merge of one delta may not pass: that is no fault.
        assert honest["verdict"] in ("accepted", "excluded") and honest["bond_lost"] == 0, item
        if cheat["drawn"]:
            assert (cheat["verdict"], cheat["reason"]) == ("invalid", "not-reproduced"), item
            assert (cheat["paid"], cheat["bond_lost"]) == ("0", BOND), item
        else:
            assert cheat["bond_lost"] == 0, item
    caught = [place for place, item in enumerate(rounds, 1) if item["cheat"]["drawn"]]
    paid = sum(item["honest"]["paid"] != "0" for item in rounds)
    print(
        f"caught in rounds {caught} of {len(rounds)}, bonds of {BOND * len(caught)} lost; the honest solver "
        f"lost none and was paid in {paid}"
    )
    assert caught, "ten rounds without a draw have a chance of 1 in 1024"


@pytest.fixture(scope="module")
def begun(anvil_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Of a model of texts that has only begun to learn: forty steps gain many standard errors, where those of
    the networks of other scenarios do harm."""
    folder = tmp_path_factory.mktemp("texts")
    build_dataset(
        "words", folder / "dataset", bytes(32), {"training_sites": 2}, recipe=TEXTS.name, workers=1,
        evaluation_seed=None, progress=None,
    )  # fmt: skip
    (folder / "recipe.json").write_bytes(BEGUN.to_bytes())
    network = Network.build(
        folder / "network", folder / "dataset", solvers=1, recipe=str(folder / "recipe.json")
    )
    yield network
    network.close()


def test_honest_work_is_merged_and_paid_beside_a_cheat_that_loses_its_bond(
    begun: Network, tmp_path: Path
) -> None:
    outcome = asyncio.run(one_round(begun, tmp_path / "paid", ("scaled",), inner_steps=STEPS))
    (node,) = begun.solvers
    scaled = outcome.cast["scaled"].wallet.address
    honest, cheat = outcome.receipts[node.address], outcome.receipts[scaled]
    assert (cheat["verdict"], cheat["reason"], cheat["paid"]) == ("invalid", "not-reproduced", "0"), cheat
    assert bonds_lost(outcome) == {scaled: BOND * TOKEN}
    assert (honest["verdict"], honest["reason"]) == ("accepted", "accepted"), honest
    assert int(honest["paid"]) > 0, honest
    round_ = begun.round(outcome.number)
    assert round_.recorded is not None and round_.recorded.model != round_.base, "it was merged"

    code, report = verify(begun, outcome.number, tmp_path / "inputs", *peers(begun))
    assert (code, report["agrees"]) == (Exit.OK, True), report
    details = {item["check"]: item["detail"] for item in report["checks"]}
    assert details[f"audit of {node.address}"].endswith("lead where its delta says")
    assert details[f"audit of {scaled}"].startswith("not-reproduced")
    code, shown = command(begun, tmp_path / "inputs", "receipt", str(outcome.number), *peers(begun))
    assert code == Exit.OK, shown
    words: Any = {row["solver"]: row for row in shown}
    assert words[node.address]["outcome"] == "accepted: it is part of the next model"
    assert words[node.address]["paid"] == honest["paid"]
    assert words[scaled]["outcome"].startswith("invalid, not-reproduced")
    assert words[scaled]["bond"].startswith(f"{BOND} tokens, lost whole")
    assert all(row["checked"].startswith("recomputed here") for row in shown)
