"""Planning with the models of a comparison: closed loop in the real simulator, on the unseen sites."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jepanet.cid import digest_of
from jepanet.lab import setting as places
from jepanet.lab.arms import BEST
from jepanet.lab.compare import Comparison, Progress, models_of
from jepanet.lab.keeping import just_kept, keep_json, kept_json
from jepanet.lab.measure import Figures
from jepanet.learning.data.building.recording import NumberedSite
from jepanet.learning.data.shards import Shard, load_shard
from jepanet.learning.evaluation.proportion import together
from jepanet.learning.machine.surroundings import surroundings
from jepanet.learning.parallel import in_parallel
from jepanet.learning.planning.closed_loop import RATES, evaluate
from jepanet.tensors import Arrays, canonical_json

VERSION = 2
PLANNED = ("start", BEST, "local", "pooled")
"""What all begin with, the federation, what its solvers had alone, and the ceiling."""
COST, PLANNER = "whitened", "icem"
"""Chosen on the tuning sites (`lab study planning`): the best success among costs under which better
predictors plan better."""
_SEED = hashlib.sha256(b"laboratory planning").digest()


@dataclass(frozen=True, slots=True)
class _Task:
    comparison: Comparison
    arm: str
    seed: int
    data: Path
    out: Path
    episodes: int

    @property
    def path(self) -> Path:
        """Where the result is kept, named by all it depends on."""
        arm = next(arm for arm in self.comparison.arms if arm.name == self.arm)
        key = self.comparison.key(arm, self.seed)
        suffix = digest_of(canonical_json([VERSION, COST, PLANNER, self.episodes])).hex()[:8]
        return self.out / "runs" / f"{key}-control-{suffix}.json"


def add_control(
    comparison: Comparison,
    figures: Sequence[Figures],
    data: Path,
    out: Path,
    episodes: int,
    workers: int,
    progress: Progress | None = None,
) -> list[Figures]:
    """The figures with `control` added where an arm plans: each model's success rates and their episodes.

    `episodes` tasks of each kind are shared among the unseen sites; every model faces the same ones. The
    cost's metric is fitted on the public shard.

    Raises:
        Fatal: the simulator is not installed.
    """
    tasks = {
        (item["arm"], item["seed"]): _Task(comparison, item["arm"], item["seed"], data, out, episodes)
        for item in figures
        if item["arm"] in PLANNED and item["models"]
    }
    todo = [task for task in tasks.values() if kept_json(task.path, dict) is None]
    finished = len(tasks) - len(todo)

    def ended(task: _Task, _: None) -> None:
        nonlocal finished
        finished += 1
        if progress is not None:
            progress(finished, len(tasks), f"{task.arm}, seed {task.seed}")

    in_parallel(todo, _plan, workers, ended)
    added = []
    for item in figures:
        task = tasks.get((item["arm"], item["seed"]))
        if task is not None:
            found = just_kept(task.path, dict)
            item = {**item, "control": found["models"], "control_made_on": found["made_on"]}
        added.append(item)
    return added


def _plan(task: _Task) -> None:
    comparison = task.comparison
    arm = next(arm for arm in comparison.arms if arm.name == task.arm)
    sites = places.plan(comparison.setting).unseen
    public = load_shard(task.data / "public.safetensors")
    rates = [
        _rates(weights, comparison, sites, public, task.episodes)
        for weights in models_of(comparison, arm, task.seed, task.out)
    ]
    keep_json(task.path, {"models": rates, "made_on": surroundings()})


def _rates(
    weights: Arrays, comparison: Comparison, sites: Sequence[NumberedSite], public: Shard, episodes: int
) -> Figures:
    each = max(1, episodes // len(sites))
    play = places.play_of(comparison.setting.environment)
    found = [
        evaluate(
            weights, comparison.recipe, play, site, episodes=each, seed=_SEED, cost=COST, planner=PLANNER,
            reference=public,
        )
        for site in sites
    ]  # fmt: skip
    return {name: together([getattr(item, name) for item in found]).to_json() for name in RATES}
