"""A round whose audits are tolerant of builds: the solver computes on two threads and with other kernels than
those who audit it, and is paid; a delta that was scaled after an honest training loses the whole bond.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from network import TOKEN, Network
from test_audited_rounds import SEGMENTS, Outcome, bonds_lost, peers, play
from test_verify import command, verify

from jepanet.errors import Exit

pytestmark = [pytest.mark.scenario, pytest.mark.slow, pytest.mark.timeout(900)]

NURSERY = Path(__file__).with_name("uneven_nodes.py")


@pytest.fixture(scope="module")
def tolerant(new_network: Callable[..., Network], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    network = new_network(solvers=1, nursery=NURSERY)
    (node,) = network.solvers
    (node.folder / "uneven").write_text("rounds")
    folder = tmp_path_factory.mktemp("tolerant")
    return asyncio.run(play(network, folder, ("scaled",), audit_mode="tolerant"))


def test_honest_work_of_another_build_is_audited_and_loses_nothing(tolerant: Outcome) -> None:
    (node,) = tolerant.network.solvers
    row = tolerant.receipts[node.address]
    assert (row["verdict"], row["reason"]) in {("accepted", "accepted"), ("excluded", "harm")}, row
    assert [score["audited"] for score in row["scores"]] == [True]
    assert node.address not in bonds_lost(tolerant)
    said = tolerant.network.judge.events("audit.done")
    assert [len(item["segments"]) for item in said if item["solver"] == node.address] == [3]


def test_attack_a_scaled_delta_is_as_far_from_honest_on_every_build(tolerant: Outcome) -> None:
    who = tolerant.cast["scaled"].wallet.address
    row = tolerant.receipts[who]
    assert (row["verdict"], row["reason"], row["paid"]) == ("invalid", "not-reproduced", "0"), row
    assert bonds_lost(tolerant) == {who: 10 * TOKEN}


def test_a_stranger_finds_the_same_and_how_far_the_builds_lie_apart(
    tolerant: Outcome, tmp_path: Path
) -> None:
    network, (node,) = tolerant.network, tolerant.network.solvers
    code, report = verify(network, tolerant.number, tmp_path, *peers(network))
    assert (code, report["agrees"]) == (Exit.OK, True), report
    details = {item["check"]: item["detail"] for item in report["checks"]}
    assert details[f"audit of {tolerant.cast['scaled'].wallet.address}"].startswith("not-reproduced")
    code, report = command(network, tmp_path, "audit", str(tolerant.number), *peers(network))
    assert code == Exit.VERIFICATION_FAILED, "the scaled one"
    rows = [row for row in report["segments"] if row["solver"] == node.address]
    assert len(rows) == 3 and {0, SEGMENTS - 1} < {row["segment"] for row in rows}
    shares = [row["share"] for row in rows]
    assert max(shares) > 0, "the builds are the same, and nothing was tried"
    assert max(shares) < 1
