"""The federation beside each of its controls, and what probes read of every arm beside raw data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jepanet.lab.arms import CONTROLS, federation_of
from jepanet.lab.measure import Figures
from jepanet.lab.reporting.targets import by_arm, error_of, interval, measured, picked, value_of

Runs = Mapping[int, Figures]
Table = dict[str, Any]
"""columns: titles; rows: cells of text."""
_WHERE = ("unseen", "unfamiliar", "own")
PROBES_NOTE = (
    "Probes say what can be read off latents; nothing is paid for them, and they are no gate. Raw pixels and "
    "counts of tokens, which need no training, stand beside them: at the sizes of the presets models hardly "
    "do better, and mostly worse."
)


def controls(figures: Sequence[Figures]) -> Table:
    """The federation against every other arm, seed by seed: score less the control's (above 0: the federation
    is better), error over the control's, or loss less the control's (below 1, or 0: it is better).

    Means over seeds with 95 % intervals, of ratios by their logarithms. Empty where there is no federation.
    """
    runs = by_arm(figures)
    best = federation_of(runs)
    if best is None:
        return {"federation": None, "columns": [], "rows": []}
    error = error_of(next(iter(runs[best].values())))
    places = [where for where in _WHERE if all(measured(run, where, "score") for run in runs[best].values())]
    said = "error / its error" if error == "nmse" else "loss - its loss"
    columns = ["control", *(f"score - its score, {where}" for where in places)]
    columns += [f"{said}, {where}" for where in places] + ["what it is"]
    rows = []
    for name, theirs in runs.items():
        if name == best:
            continue
        several = any(len(run["models"]) > 1 for run in theirs.values())
        for pick, title in (("mean", name), ("best", f"{name}, best one"))[: 1 + several]:
            compared = [where for where in places if pick == "mean" or where != "own"]
            row = [title]
            for metric in ("score", error):
                row += [
                    _against(runs[best], theirs, where, metric, pick) if where in compared else "-"
                    for where in places
                ]
            rows.append([*row, CONTROLS.get(title, "")])
    return {"federation": best, "columns": columns, "rows": rows}


def _against(ours: Runs, theirs: Runs, where: str, metric: str, pick: str) -> str:
    seeds = sorted(set(ours) & set(theirs))
    pairs = [
        (value_of(ours[seed], where, metric), value_of(theirs[seed], where, metric, pick)) for seed in seeds
    ]
    if not pairs:
        return "-"
    if metric == "nmse":
        mean, half = interval([float(np.log(one / other)) for one, other in pairs])
        ratio = f"{np.exp(mean):.2f}"
        return ratio if half is None else f"{ratio} ({np.exp(mean - half):.2f} to {np.exp(mean + half):.2f})"
    mean, half = interval([one - other for one, other in pairs])
    return f"{mean:+.3f}" + ("" if half is None else f" \u00b1{half:.3f}")


def probes(figures: Sequence[Figures]) -> Table:
    """One row an arm, mean over its models and seeds with its interval; last, what needs no training."""
    runs = by_arm(figures)
    made = [(name, [_mean(run) for run in found.values()]) for name, found in runs.items()]
    for what in ("raw", "random weights"):
        found = {
            seed: run["probes"][what] for of in runs.values() for seed, run in of.items() if run.get("probes")
        }
        # Raw data are the same in every run.
        made.append((_BESIDE[what], list(found.values())[: 1 if what == "raw" else None]))
    names = list(dict.fromkeys(name for _, found in made for item in found for name in item))
    rows = [[title, *(_cell(found, name) for name in names)] for title, found in made if found]
    return {"columns": ["read off", *names], "rows": rows if names else []}


_BESIDE = {"raw": "raw pixels of 16 x 16, counts of tokens", "random weights": "random weights"}


def _mean(run: Figures) -> Figures:
    models = [model.get("probes", {}) for model in picked(run, "mean")]
    return {name: float(np.mean([item[name] for item in models])) for name in models[0]}


def _cell(found: Sequence[Figures], name: str) -> str:
    values = [item[name] for item in found if name in item]
    if not values:
        return "-"
    mean, half = interval(values)
    return f"{mean:.3f}" + ("" if half is None else f" \u00b1{half:.3f}")
