"""Who leaves a round in the middle, so that others go unpaid or another shard is drawn: what it costs, and
nobody else."""

from __future__ import annotations

import pytest
import test_liveness as liveness
from network import Network
from rows import NETWORK, Played

pytestmark = [pytest.mark.scenario, pytest.mark.slow, pytest.mark.timeout(900)]

UNSEAL_BONDS = 2.0
"""What a proposer of these rounds puts up, in bonds of a solver."""


def row(attack: str, defence: str, lost: float, detected: str) -> Played:
    return Played(attack, defence, NETWORK, 0.0, 0.0, lost, False, detected)


def test_attack_a_solver_that_vanishes_loses_its_bond(network: Network, rows: list[Played]) -> None:
    liveness.test_a_solver_that_never_reveals_is_slashed_and_the_others_settle(network)
    defence = "a commitment that is not opened in time costs its bond"
    rows.append(row("vanish as a solver, after committing", defence, 1.0, "NOT_REVEALED"))


def test_attack_a_proposer_that_vanishes_pays_those_who_revealed(
    network: Network, rows: list[Played]
) -> None:
    liveness.test_a_proposer_that_does_not_unseal_pays_those_who_revealed(network)
    defence = "an unseal bond, which goes to those who revealed"
    rows.append(row("not unseal, when the draw displeases", defence, UNSEAL_BONDS, "NOT_UNSEALED"))


def test_attack_an_aggregator_that_vanishes_costs_no_bond(network: Network, rows: list[Played]) -> None:
    liveness.test_a_vanished_aggregator_costs_the_solvers_nothing(network)
    rows.append(row("vanish as the only aggregator", "a round expires, and bonds come back", 0.0, "EXPIRED"))
