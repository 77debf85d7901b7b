"""What a comparison should show: ratios of one arm to its controls, each against a target, seed by seed.

No figure counts alone: the error falls when the rank falls, so the rank stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from jepanet.lab.arms import BEST
from jepanet.lab.measure import Figures

_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Two-sided 95 % quantiles of Student's t for 1, 2, ... degrees of freedom."""
COLLAPSED, DEAD = 2.0, 0.1
"""Effective rank and latent standard deviation below which a model's errors say nothing."""


@dataclass(frozen=True, slots=True)
class Target:
    """One line of the table of targets.

    `met` is None where an arm it needs was not run. `why` says of a missed one that no figure decided it.
    """

    name: str
    wanted: str
    value: float | None
    seeds: tuple[float, ...]
    met: bool | None
    why: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """(mean, half-width of its 95 % confidence interval); the half-width is 0 for a single value."""
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return mean, 0.0
    quantile = _STUDENT[min(count - 1, len(_STUDENT)) - 1]
    return mean, quantile * float(np.std(values, ddof=1)) / count**0.5


def by_arm(figures: Sequence[Figures]) -> dict[str, dict[int, Figures]]:
    """arm -> seed -> figures of that run, without the runs that diverged."""
    found: dict[str, dict[int, Figures]] = {}
    for item in figures:
        if item["models"]:
            found.setdefault(item["arm"], {})[item["seed"]] = item
    return found


def diverged(figures: Sequence[Figures]) -> dict[str, dict[int, str]]:
    """arm -> seed -> why that run has no models."""
    found: dict[str, dict[int, str]] = {}
    for item in figures:
        if "diverged" in item:
            found.setdefault(item["arm"], {})[item["seed"]] = item["diverged"]
    return found


def collapsed(run: Figures) -> bool:
    """Whether the errors of any model of a run say nothing; one among healthy ones is not averaged away."""
    return any(
        model["unseen"]["rank"] < COLLAPSED or model["unseen"]["latent_std"] < DEAD for model in run["models"]
    )


def value_of(run: Figures, where: str, name: str, pick: str = "mean") -> float:
    """A metric of a run on `unseen` or `own` sites; over its models the mean, or the best by unseen nmse."""
    return float(np.mean([model[where][name] for model in picked(run, pick)]))


def picked(run: Figures, pick: str) -> list[Figures]:
    """All models of a run, or the best of them by unseen nmse."""
    models: list[Figures] = run["models"]
    return [min(models, key=lambda model: float(model["unseen"]["nmse"]))] if pick == "best" else models


def targets(figures: Sequence[Figures], best: str = BEST) -> list[Target]:
    """Every target that can be read off the runs. Nothing is met by an arm that has collapsed or diverged."""
    runs = by_arm(figures)
    why = "collapsed" if any(collapsed(run) for run in runs.get(best, {}).values()) else None
    if best in diverged(figures):
        why = "diverged"

    def ratio(name: str, wanted: float, other: str, where: str, metric: str, *, pick: str = "mean",
              least: bool = False, every: bool = False) -> Target:  # fmt: skip
        shared = sorted(set(runs.get(best, {})) & set(runs.get(other, {})))
        values = tuple(
            value_of(runs[best][seed], where, metric) / value_of(runs[other][seed], where, metric, pick)
            for seed in shared
        )
        return _target(name, wanted, values, least=least, every=every)

    def lead(name: str, metric: str) -> Target:
        shared = sorted(set(runs.get(best, {})) & set(runs.get("pooled", {})))
        values = tuple(
            value_of(runs[best][seed], "unseen", metric) - value_of(runs["pooled"][seed], "unseen", metric)
            for seed in shared
        )
        return _target(name, 0.0, values, least=True, every=True)

    found = [
        ratio("global error / public start, unseen sites", 1.0, "start", "unseen", "nmse", every=True),
        ratio("global error / mean local-only, unseen sites", 0.04, "local", "unseen", "nmse"),
        ratio("global error / best single local, unseen sites", 0.30, "local", "unseen", "nmse", pick="best"),
        ratio("global error / pooled, unseen sites", 0.65, "pooled", "unseen", "nmse", every=True),
        ratio("global error / pooled, the solvers' own sites", 1.05, "pooled", "own", "nmse"),
        ratio("effective rank / pooled", 0.95, "pooled", "unseen", "rank", least=True),
        lead("grounded score - pooled, nats", "grounded"),
        lead("position-probe R2 - pooled", "probe_r2"),
        *_planning(runs, best),
    ]
    if why is None:
        return found
    return [item if item.met is None else replace(item, met=False, why=why) for item in found]


def _planning(runs: Mapping[str, Mapping[int, Figures]], best: str) -> list[Target]:
    found = []
    for kind, wanted in (("same", 0.90), ("cross", 0.65)):
        ours = {seed: run["control"][0][kind] for seed, run in runs.get(best, {}).items() if "control" in run}
        local = {
            seed: max(model[kind] for model in run["control"])
            for seed, run in runs.get("local", {}).items()
            if "control" in run
        }
        shared = sorted(set(ours) & set(local))
        name = f"planning success, unseen sites, {kind} room"
        found.append(
            _target(name, wanted, tuple(ours[seed] for seed in sorted(ours)), least=True, every=False)
        )
        leads = tuple(ours[seed] - local[seed] for seed in shared)
        found.append(_target(f"{name} - best single local", 0.0, leads, least=True, every=False))
    return found


def _target(name: str, wanted: float, values: tuple[float, ...], *, least: bool, every: bool) -> Target:
    sign = ">=" if least else "<="
    text = f"{sign} {wanted:g}" + (" in every seed" if every else "")
    if not values:
        return Target(name, text, None, (), None)
    mean = float(np.mean(values))
    judged = values if every else (mean,)
    met = all(value >= wanted if least else value <= wanted for value in judged)
    return Target(name, text, mean, values, met)
