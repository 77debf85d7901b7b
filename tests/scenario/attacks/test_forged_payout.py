"""Ten rounds, in one of which everybody who may sign pays a solver more than its scores give: a stranger with
an RPC endpoint and one peer recomputes every payout of all ten, and names the forged one and whose it is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lying_verifiers import INFLATED
from network import TERMS, TOKEN, Network
from rows import NETWORK, Played
from test_verify import verify

from jepanet.errors import Exit
from jepanet.protocol import facts

pytestmark = [pytest.mark.scenario, pytest.mark.slow, pytest.mark.timeout(3600)]

ROUNDS, FORGED = 10, 6
LYING = Path(__file__).parent.with_name("lying_verifiers.py")


def play(network: Network, *, forged: bool) -> int:
    """One round of two honest solvers. Verifier and aggregator read on starting whether they are to lie."""
    flag = network.folder / "nodes" / "lies"
    if forged:
        flag.write_text("inflate")
        network.judge.stop()
        network.run_nodes("judge")
    number = network.play(commits=2)
    network.run_nodes()
    network.wait_finished(number, within=400.0)
    if forged:
        flag.unlink()
        network.judge.stop()
        network.run_nodes("judge")
    return number


def test_attack_one_forged_payout_in_ten_rounds_is_named(
    new_network: Callable[..., Network], tmp_path: Path, rows: list[Played]
) -> None:
    network = new_network(solvers=2, nursery=LYING)
    network.run_nodes()
    numbers = [play(network, forged=place == FORGED) for place in range(1, ROUNDS + 1)]
    named = {}
    for place, number in enumerate(numbers, 1):
        code, report = verify(network, number, tmp_path / "inputs", "--peer", network.bootstrap[0])
        wrong = [item for item in report["checks"] if not item["agrees"]]
        shown = network.receipts(number)
        claimed = {item.account: item.amount for item in network.events(facts.ChainClaimed, number)}
        due = {row["solver"]: int(row["paid"]) for row in shown["receipts"]}
        due |= {fee["coordinator"]: int(fee["paid"]) for fee in shown["fees"]}
        print(f"round {place}: {len(report['checks'])} checks, wrong: {wrong}; claimed {claimed}", flush=True)
        # The chain paid what the sheet says, to the wei: what verifies is therefore what was paid.
        assert {who: amount for who, amount in claimed.items() if amount} == {
            who: amount for who, amount in due.items() if amount
        }
        assert code == (Exit.OK if not wrong else Exit.VERIFICATION_FAILED)
        if wrong:
            named[place] = wrong
    assert set(named) == {FORGED}, named
    ((item,),) = named.values()
    assert item["check"] == "sheet-mismatch"
    claims = {item.account: item.amount for item in network.events(facts.ChainClaimed, numbers[FORGED - 1])}
    (paid_too_much,) = [
        node.address for node in network.solvers if f"the row of {node.address} says" in item["detail"]
    ]
    amount = claims[paid_too_much]
    assert f"amount {amount}, not {amount - INFLATED}" in item["detail"]
    fee = int(TERMS["fee"]) * TOKEN
    told = "nobody disputed it: here a part of the verifiers' own fee, at most the escrow of a round"
    rows.append(
        Played("a forged payout, signed by everybody who may", "anybody recomputes every payout", NETWORK,
               0.0, INFLATED / fee, 0.0, False, item["check"], open=True, effect=told)
    )  # fmt: skip
