"""What `benchmarks/audit_lottery.py` plays with the real draw comes to what the bond rule counts on."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from jepanet.protocol.settling.bond_rule import Lottery

pytestmark = pytest.mark.unit

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
ROUNDS, SOLVERS = 250, 40


def opened(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


LOTTERY = opened("audit_lottery")


@pytest.mark.parametrize("lottery", [Lottery(250, 1, 32), Lottery(250, 6, 8), Lottery(500, 2, 12)])
def test_every_cheat_is_found_as_often_as_the_bond_rule_says_and_nobody_else(lottery: Lottery) -> None:
    for kind in LOTTERY.kinds_of(lottery):
        seen = LOTTERY.play(kind, lottery, rounds=ROUNDS, solvers=SOLVERS, seed=7)
        drawn = seen.audits / seen.played
        assert abs(drawn - lottery.probability_milli / 1000) < 0.02
        if kind.name == "honest":
            assert seen.audits > 0 and seen.found == 0
            continue
        expected = seen.played / seen.theory
        assert abs(seen.found - expected) <= 4 * expected**0.5, kind.name


def test_the_interval_holds_what_is_true_and_grows_with_fewer_trials() -> None:
    low, high = LOTTERY.wilson(25, 100)
    assert low < 0.25 < high and low > 0.16 and high < 0.35
    few = LOTTERY.wilson(1, 4)
    assert few[0] < low and few[1] > high


def test_no_way_of_cheating_that_an_audit_can_meet_pays_half_of_honest_work() -> None:
    economics = opened("audit_economics")
    lottery = Lottery(250, 1, 32)
    for most in (2.0, 4.0, 12.0):
        terms = economics.Terms.of("rule", lottery, most)
        for attack in economics.read_attacks():
            found = economics.as_measured(attack, terms)
            if attack.where != "unseen":
                assert found.earned <= 1e-9, (attack.name, most)
            one = economics.Terms.of("one", lottery, most, one=True)
            whole = economics.Terms.of("whole", Lottery(250, 6, 8), most)
            for kind in (one, whole):
                hidden = economics.best(economics.hidden(attack, kind))
                assert hidden is None or hidden.rate <= 0.5, (attack.name, most, kind.name)
