"""What `scripts/soak` makes of its samples: slopes, verdicts, shares of rounds, what it goes on with."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from scripts.longevity.__main__ import lines_of
from scripts.longevity.network import SHARDS, Network, projects_for, recipe_for, rounds_of
from scripts.longevity.processes import Kept
from scripts.longevity.readings import Reading, read
from scripts.longevity.report import FIGURES, bound_of, build_report, failures
from scripts.longevity.trends import LEAST_SAMPLES, Verdict, trend

from jepanet.learning.recipes.text import read_recipe_file
from jepanet.process_identity import identity_of

pytestmark = pytest.mark.unit

PLAN: dict[str, Any] = {"storage_gb": 0.02, "log_bytes": 65_536, "log_files": 2}
ROUNDS = list(range(0, 500, 10))


def noisy(slope: float, level: float, noise: float) -> list[float]:
    dice = random.Random(7)
    return [level + slope * item + dice.gauss(0.0, noise) for item in ROUNDS]


def test_a_slope_is_found_beneath_noise_and_its_interval_holds_it() -> None:
    found = trend(ROUNDS, noisy(0.5, 100.0, 5.0), warm_up=0, tolerance=0.1)
    assert found.low < 0.5 < found.high and abs(found.slope - 0.5) < 0.02
    assert found.verdict is Verdict.GROWS and found.last > found.first


def test_a_peak_moves_no_slope() -> None:
    values = noisy(0.0, 100.0, 1.0)
    values[-1] = 10_000.0
    assert trend(ROUNDS, values, warm_up=0, tolerance=0.01).verdict is Verdict.FLAT


def test_what_grows_in_the_warm_up_alone_is_flat() -> None:
    values = [min(item, 100) * 1.0 for item in ROUNDS]
    assert trend(ROUNDS, values, warm_up=0, tolerance=0.01).samples == len(ROUNDS)
    late = trend(ROUNDS, values, warm_up=100, tolerance=0.01)
    assert late.verdict is Verdict.FLAT and late.slope == 0.0


def test_growth_below_its_bound_is_bounded_and_above_it_is_not() -> None:
    values = noisy(1.0, 0.0, 0.1)
    options: dict[str, Any] = {"warm_up": 0, "tolerance": 0.1}
    assert trend(ROUNDS, values, **options, bound=600.0).verdict is Verdict.BOUNDED
    assert trend(ROUNDS, values, **options, bound=400.0).verdict is Verdict.GROWS


def test_growth_within_the_tolerance_is_none() -> None:
    values = noisy(0.01, 1000.0, 0.1)
    assert trend(ROUNDS, values, warm_up=0, tolerance=0.1).verdict is Verdict.FLAT
    assert trend(ROUNDS, values, warm_up=0, tolerance=0.001).verdict is Verdict.GROWS


@pytest.mark.parametrize("count", [0, 1, LEAST_SAMPLES - 1])
def test_few_samples_say_nothing(count: int) -> None:
    found = trend(ROUNDS[:count], [float(item) for item in ROUNDS[:count]], warm_up=0, tolerance=0.1)
    assert found.verdict is Verdict.UNKNOWN and found.samples == count


def test_samples_of_the_same_round_are_no_pair() -> None:
    found = trend([10.0] * 3 + [20.0] * 3, [1.0, 2.0, 3.0, 1.0, 2.0, 3.0], warm_up=0, tolerance=0.1)
    assert found.slope == 0.0


@pytest.mark.parametrize(
    ("rounds", "shares"),
    [(1, [1]), (3, [3]), (29, [29]), (30, [10, 10, 10]), (500, [167, 167, 166]), (2000, [250] * 8)],
)
def test_rounds_are_shared_by_projects_whose_shards_last(rounds: int, shares: list[int]) -> None:
    found = rounds_of(rounds, projects_for(rounds))
    assert found == shares and sum(found) == rounds and max(found) <= SHARDS


def test_the_recipe_still_learns_after_the_last_round(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(recipe_for(167))
    recipe = read_recipe_file(path)
    assert recipe.total_steps == 167 * recipe.inner_steps


def a_sample(rounds: int, **changed: int) -> dict[str, Any]:
    usual = dict.fromkeys((figure.name for figure in FIGURES), 1000)
    return {
        "rounds": rounds, "settled": rounds, "cancelled": 0, "published": 3, "slashed": {}, "restarts": 0,
        "seconds_a_round": 6.0, "nodes": {"solver-1": {**usual, **changed}},
    }  # fmt: skip


STARTS = {"fresh": {"solver-1": [2.0, 9.0, 2.2]}, "kept": {"solver-1": [3.0, 3.2, 2.9]}}


def test_a_soak_in_which_nothing_grows_is_as_it_should_be() -> None:
    report = build_report([a_sample(item) for item in ROUNDS], PLAN, STARTS, 100)
    assert failures(report) == []
    assert report["starts"]["solver-1"] == {"kept": 3.0, "fresh": 2.2, "ratio": 1.36}
    assert json.loads(json.dumps(report))["trends"]["solver-1"]["memory"]["verdict"] == "flat"


@pytest.mark.parametrize("figure", [item.name for item in FIGURES])
def test_every_figure_that_grows_is_a_failure_but_those_without_a_bound_by_design(figure: str) -> None:
    samples = [a_sample(item, **{figure: 1000 + item * 10**6}) for item in ROUNDS]
    may_grow = next(item for item in FIGURES if item.name == figure).may_grow
    assert bool(failures(build_report(samples, PLAN, STARTS, 100))) is not may_grow


def test_slow_starts_and_nodes_that_ended_are_failures() -> None:
    samples = [a_sample(item) | {"restarts": 2} for item in ROUNDS]
    slow = {**STARTS, "kept": {"solver-1": [5.0]}}
    found = failures(build_report(samples, PLAN, slow, 100))
    assert len(found) == 2 and "solver-1 starts in 2.27" in found[0] and "2 times" in found[1]


def test_a_soak_that_settles_nothing_is_a_failure() -> None:
    samples = [a_sample(item) | {"settled": 0} for item in ROUNDS]
    assert failures(build_report(samples, PLAN, STARTS, 100)) == ["no round was settled"]


def test_a_store_is_bounded_by_its_budget_and_a_log_by_its_files() -> None:
    assert bound_of("blobs", PLAN) == pytest.approx(0.02 * 1.05 * 2**30 + 2**23)
    assert bound_of("log", PLAN) == 3 * 65_536
    assert bound_of("memory", PLAN) is None


def test_a_line_that_a_kill_cut_is_left_out(tmp_path: Path) -> None:
    samples = tmp_path / "samples.jsonl"
    samples.write_text('{"rounds": 10}\n{"rounds": 20}\n{"rou')
    assert [item["rounds"] for item in lines_of(samples)] == [10, 20]
    assert lines_of(tmp_path / "none") == []


def test_a_soak_that_was_killed_is_found_in_its_folder(tmp_path: Path) -> None:
    assert Network.of(tmp_path) is None
    node = {"name": "solver-1", "role": "solver", "address": "0x" + "1" * 40}
    plan = {"ready": True, "rpc": "http://127.0.0.1:1", "nodes": [node]}
    (tmp_path / "soak.json").write_text(json.dumps(plan))
    found = Network.of(tmp_path)
    assert found is not None and found["solver-1"].folder == tmp_path / "nodes" / "solver-1"
    assert found["solver-1"].pid is None


@pytest.mark.subprocess
def test_a_process_is_found_again_by_whoever_comes_next_and_read(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        record = {"pid": child.pid, "process": identity_of(child.pid)}
        (tmp_path / "process.json").write_text(json.dumps(record))
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "journal.sqlite").write_bytes(b"x" * 4096)
        node = Kept("solver-1", "solver", tmp_path, "0x")
        assert node.pid == child.pid
        reading = read(child.pid, tmp_path, node.output)
        assert isinstance(reading, Reading) and reading.journal == 4096 and reading.memory > 1 << 20
        assert reading.children == 0 and reading.output == 0 and reading.files == 2
        (tmp_path / "process.json").write_text(json.dumps({**record, "process": "another boot"}))
        assert node.pid is None
        (tmp_path / "process.json").write_text(json.dumps(record))
        node.stop()
        time.sleep(0.1)
        assert node.pid is None
    finally:
        child.kill()
        child.wait()
