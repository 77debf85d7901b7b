"""Runs every arm with every seed, in parallel over cores; what is finished is kept and never run again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.files import check_writable, keep, kept, kept_digest, tell_damage
from jepanet.lab import setting as places
from jepanet.lab.arms import Arm
from jepanet.lab.keeping import just_kept, keep_json, kept_json
from jepanet.lab.measure import Figures, Measure
from jepanet.lab.play import ABORTED, NOTHING_TO_TRAIN, Played, play, seed_of
from jepanet.lab.setting import Setting, Sites
from jepanet.learning.machine.surroundings import surroundings
from jepanet.learning.model_file import ModelHeader, load_model, model_bytes, model_cap
from jepanet.learning.parallel import in_parallel
from jepanet.learning.recipe import TRAINING_VERSION, Recipe
from jepanet.learning.training.loop import warm_start
from jepanet.tensors import Arrays, canonical_json

VERSION = 6
"""Raised whenever the same inputs would give other figures."""
NETWORK_VERSION = 1
"""The same of what `Comparison.as_network` adds."""
_NO_MODEL = (*ABORTED, "rank-deficient", "no-frames", NOTHING_TO_TRAIN)
"""Reasons for which an arm ends with no model that could be measured: a result, not a failure."""
Progress = Callable[[int, int, str], None]
"""(finished runs, runs in all, what has just finished)."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything a comparison's figures depend on."""

    recipe: Recipe
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    rounds: int
    setting: Setting
    as_network: bool = False
    """Whether rounds are those of a network: the recipe's own schedule, which does not end with the
    comparison, and the gain of every round as it is paid for."""
    device: str = "cpu"
    """Where models are trained and encoded, as torch names it. Planning and steps ahead stay on the CPU."""

    def key(self, arm: Arm, seed: int) -> str:
        """Names one run by everything that decides its figures."""
        content = {
            "version": [VERSION, places.VERSION, TRAINING_VERSION], "recipe": self.recipe.digest().hex(),
            "arm": arm.to_json(), "seed": seed, "rounds": self.rounds, "sites": self._builds(),
        }  # fmt: skip
        if self.as_network:
            content["as network"] = NETWORK_VERSION
        if self.device != "cpu":
            content["device"] = self.device
        name = re.sub(r"[^a-z0-9.]+", "-", arm.name.lower())
        return f"{name}-s{seed}-{digest_of(canonical_json(content)).hex()[:12]}"

    def _builds(self) -> list[str]:
        return [item.build for item in places.plan(self.setting).recordings.values()]


@dataclass(frozen=True, slots=True)
class _Run:
    comparison: Comparison
    arm: Arm
    seed: int
    data: Path
    out: Path

    @property
    def path(self) -> Path:
        """Where its figures are kept."""
        return self.out / "runs" / f"{self.comparison.key(self.arm, self.seed)}.json"

    def weights(self, index: int) -> Path:
        """Where its model `index` is kept."""
        return self.path.with_name(f"{self.path.stem}-{index}.safetensors")


def run(
    comparison: Comparison, data: Path, out: Path, workers: int, progress: Progress | None = None
) -> list[Figures]:
    """Figures of every arm and seed, arms in order, then seeds. Safe to interrupt and call again.

    A run that ended without a sound model has none; its `no_model` says why.

    Raises:
        Fatal: a file cannot be written, or a process died. Rejected: an arm's changes do not fit the recipe,
            or the public start that all arms share diverged.
    """
    runs = [_Run(comparison, arm, seed, data, out) for seed in comparison.seeds for arm in comparison.arms]
    content = places.content(data, comparison.setting)
    todo = [item for item in runs if _kept(item, content) is None]
    if todo:
        check_writable(out / "runs")
    finished = len(runs) - len(todo)
    if progress is not None:
        progress(finished, len(runs), "runs kept from before" if finished else "")

    def ended(item: _Run, _: None) -> None:
        nonlocal finished
        finished += 1
        if progress is not None:
            progress(finished, len(runs), f"{item.arm.name}, seed {item.seed}")

    in_parallel(todo, _run, workers, ended)
    return [just_kept(item.path, dict) for item in runs]


def models_of(comparison: Comparison, arm: Arm, seed: int, out: Path) -> list[Arrays]:
    """The weights a finished run left."""
    run = _Run(comparison, arm, seed, out, out)
    count = len(just_kept(run.path, dict)["models"])
    return [load_model(run.weights(index), comparison.recipe).weights for index in range(count)]


def _kept(item: _Run, content: str) -> Figures | None:
    """The figures of a finished run; None if it has to be run (again): nothing of it may be damaged, and it
    must be of the shards that are there."""
    figures: Figures | None = kept_json(item.path, dict)
    if figures is None:
        return None
    if figures.get("data") != content:
        tell_damage(item.path, "is of other shards than those that are there")
        return None
    for index in range(len(figures["models"])):
        if kept_digest(item.weights(index)) is None:
            tell_damage(item.path, f"is without its model {index}")
            return None
    return figures


def _run(item: _Run) -> None:
    """One arm with one seed, in a process of its own."""
    began = time.process_time()
    comparison, recipe, arm = item.comparison, item.comparison.recipe, item.arm
    sites = _loaded(item.data, comparison.setting)
    # One yardstick for every arm, also for one that changes the public start itself.
    try:
        measure = Measure(
            recipe, sites, _start(item, sites, recipe), seed_of(item.seed), device=comparison.device
        )
    except Rejected as error:
        raise Rejected(
            f"the public start of seed {item.seed}, with which all arms are compared: {error.message}",
            reason=error.reason,
            remedy="change the recipe's warm_rate, warm_steps or optimiser",
        ) from error
    result: Figures = {
        "arm": arm.name, "seed": item.seed, "models": [], "history": [], "sent": None,
        "aborted": [], "probes": {},
        "data": sites.digest, "made_on": surroundings(),
    }  # fmt: skip
    trained = began
    try:
        played = _played(item, sites, measure, result["history"])
        trained = time.process_time()
        models = [
            measure.whole(weights, solver)
            for weights, solver in zip(played.models, played.solvers, strict=True)
        ]
    except Rejected as error:
        if error.reason not in _NO_MODEL:
            raise
        result["no_model"] = error.message
    else:
        header = ModelHeader.of(recipe, comparison.rounds)
        for index, weights in enumerate(played.models):
            keep(item.weights(index), model_bytes(weights, header))
        result |= {
            "models": models,
            "aborted": [asdict(item) for item in played.aborted],
            "probes": measure.probes(),
            "sent": float(np.mean(played.sent)) if played.sent else None,
        }
    result["seconds"] = {
        "train": round(trained - began, 1), "all": round(time.process_time() - began, 1)
    }  # fmt: skip
    # Last: its presence means that the weights beside it are complete.
    keep_json(item.path, result)


def _played(item: _Run, sites: Sites, measure: Measure, history: list[Figures]) -> Played:
    """Plays the run's arm from its public start; `history` gets the figures of its rounds."""
    comparison, recipe = item.comparison, item.comparison.recipe
    start = before = _start(item, sites, item.arm.start(recipe))

    def on_round(number: int, weights: Arrays | None) -> None:
        nonlocal before
        if weights is None:
            return
        figures = {"round": number, **measure.quick(weights)}
        if comparison.as_network:
            figures |= {
                "gain": measure.gain(before, weights),
                "gain_since_start": measure.gain(start, weights),
            }
        history.append(figures)
        before = weights

    return play(
        item.arm, recipe, sites, start, seed_of(item.seed), comparison.rounds, on_round,
        total_steps=recipe.total_steps if comparison.as_network else 0, device=comparison.device,
    )  # fmt: skip


def _start(item: _Run, sites: Sites, recipe: Recipe) -> Arrays:
    """The public warm start of a seed; made once, and again if it is damaged."""
    device = item.comparison.device
    content = [VERSION, TRAINING_VERSION, recipe.digest().hex(), sites.digest, item.seed]
    content += [device] if device != "cpu" else []
    name = digest_of(canonical_json(content)).hex()[:12]
    path = item.out / "runs" / f"start-s{item.seed}-{name}.safetensors"
    data = kept(path, model_cap(recipe))
    if data is None:
        weights = warm_start(recipe, sites.public, seed_of(item.seed), device=device)
        data = model_bytes(weights, ModelHeader.of(recipe, 0))
        keep(path, data)
    return load_model(data, recipe).weights


@cache
def _loaded(folder: Path, setting: Setting) -> Sites:
    return places.load(folder, setting)
