"""What a comparison should show: ratios of one arm to its controls, each against a target, seed by seed.

No figure counts alone: the error falls when the rank falls, so the rank stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

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

    `met` is None where an arm it needs was not run, or a control has no model in some seed. `why` says what
    decided it if not its figure.
    """

    name: str
    wanted: str
    value: float | None
    seeds: tuple[float, ...]
    met: bool | None
    why: str | None = None

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def interval(values: Sequence[float]) -> tuple[float, float | None]:
    """(mean, half-width of its 95 % confidence interval), which is None, unknown, for a single value."""
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return mean, None
    quantile = _STUDENT[min(count - 1, len(_STUDENT)) - 1]
    return mean, quantile * float(np.std(values, ddof=1)) / count**0.5


def by_arm(figures: Sequence[Figures]) -> dict[str, dict[int, Figures]]:
    """arm -> seed -> figures of that run, without the runs that have no model."""
    found: dict[str, dict[int, Figures]] = {}
    for item in figures:
        if item["models"]:
            found.setdefault(item["arm"], {})[item["seed"]] = item
    return found


def without_model(figures: Sequence[Figures]) -> dict[str, dict[int, str]]:
    """arm -> seed -> why that run has no models."""
    found: dict[str, dict[int, str]] = {}
    for item in figures:
        if not item["models"]:
            found.setdefault(item["arm"], {})[item["seed"]] = item["no_model"]
    return found


def titled(figures: Sequence[Figures]) -> Iterator[tuple[str, dict[int, Figures]]]:
    """(title of its row, its runs) of every arm in order; the title says how many runs have no model."""
    found, lost = by_arm(figures), without_model(figures)
    for name in dict.fromkeys(item["arm"] for item in figures):
        runs, without = found.get(name, {}), len(lost.get(name, ()))
        yield (f"{name} ({len(runs)} of {len(runs) + without} seeds)" if without else name), runs


def empty_row(title: str, columns: Sequence[str]) -> list[str]:
    """The row of an arm none of whose runs has a model."""
    return [title, "no model", *["-"] * (len(columns) - 2)]


def collapsed(run: Figures) -> bool:
    """Whether the errors of any model of a run say nothing; one among healthy ones is not averaged away."""
    sound = [
        model["unseen"]["rank"] >= COLLAPSED and model["unseen"]["latent_std"] >= DEAD
        for model in run["models"]
    ]
    return not all(sound)


def error_of(run: Figures) -> str:
    """The metric by which its models are told apart: of models of texts the loss of the next token."""
    return "next_token" if measured(run, "unseen", "next_token") else "nmse"


def value_of(run: Figures, where: str, name: str, pick: str = "mean") -> float:
    """A metric of a run on `unseen`, `unfamiliar` or `own` sites; over its models the mean, or that of the
    best by its error on unseen ones."""
    return float(np.mean([model[where][name] for model in picked(run, pick)]))


def measured(run: Figures, where: str, name: str) -> bool:
    """Whether a run has a metric: some families do not plan, and some data do not say where anything was."""
    return all(name in model.get(where, ()) for model in run["models"])


def picked(run: Figures, pick: str) -> list[Figures]:
    """All models of a run, or the best of them by the error on unseen sites."""
    models: list[Figures] = run["models"]
    if pick != "best":
        return models
    error = error_of(run)
    return [min(models, key=lambda model: float(model["unseen"][error]))]


def targets(figures: Sequence[Figures], best: str = BEST) -> list[Target]:
    """Every target that can be read off the runs. Nothing is met by an arm that has collapsed or diverged."""
    runs = by_arm(figures)
    ran, lost = {item["arm"] for item in figures}, without_model(figures)
    why = "collapsed" if any(collapsed(run) for run in runs.get(best, {}).values()) else None
    if best in lost:
        why = "no model"

    def judged(target: Target, *others: str) -> Target:
        if not ran >= {best, *others}:
            return target
        if why is not None:
            return replace(target, met=False, why=why)
        missing = [f"{other}: no model" for other in others if other in lost]
        # Nobody knows what it would have been in that seed.
        return replace(target, met=None, why=missing[0]) if missing else target

    def ratio(name: str, wanted: float, other: str, where: str, metric: str, *, pick: str = "mean",
              least: bool = False, every: bool = False) -> Target:  # fmt: skip
        shared = sorted(set(runs.get(best, {})) & set(runs.get(other, {})))
        values = tuple(
            value_of(runs[best][seed], where, metric) / value_of(runs[other][seed], where, metric, pick)
            for seed in shared
        )
        return judged(_target(name, wanted, values, least=least, every=every), other)

    def lead(name: str, metric: str) -> Target:
        shared = sorted(set(runs.get(best, {})) & set(runs.get("pooled", {})))
        values = tuple(
            value_of(runs[best][seed], "unseen", metric) - value_of(runs["pooled"][seed], "unseen", metric)
            for seed in shared
            if measured(runs[best][seed], "unseen", metric)
        )
        return judged(_target(name, 0.0, values, least=True, every=True), "pooled")

    planning = _planning(runs, best)
    if any("control" in item for item in figures):
        planning = [
            judged(item, *others) for item, others in zip(planning, ((), ("local",)) * 2, strict=True)
        ]
    return [
        ratio("global error / public start, unseen sites", 1.0, "start", "unseen", "nmse", every=True),
        ratio("global error / mean local-only, unseen sites", 0.04, "local", "unseen", "nmse"),
        ratio("global error / best single local, unseen sites", 0.30, "local", "unseen", "nmse", pick="best"),
        ratio("global error / pooled, unseen sites", 0.65, "pooled", "unseen", "nmse", every=True),
        ratio("global error / pooled, the solvers' own sites", 1.05, "pooled", "own", "nmse"),
        ratio("effective rank / pooled", 0.95, "pooled", "unseen", "rank", least=True),
        lead("score - pooled, nats", "score"),
        lead("position-probe R2 - pooled", "probe_r2"),
        *planning,
    ]


def _planning(runs: Mapping[str, Mapping[int, Figures]], best: str) -> list[Target]:
    found = []
    for kind, wanted in (("same", 0.90), ("cross", 0.65)):
        ours = {
            seed: run["control"][0][kind]["rate"]
            for seed, run in runs.get(best, {}).items()
            if "control" in run
        }
        local = {
            seed: max(model[kind]["rate"] for model in run["control"])
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
