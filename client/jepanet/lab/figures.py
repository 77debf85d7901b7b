"""Pictures of a comparison: errors by arm, progress over rounds, steps ahead, frame drift."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

from jepanet.lab.measure import Figures
from jepanet.lab.targets import by_arm, value_of

mpl.use("Agg")

from matplotlib import pyplot as plt  # the backend is chosen first: there may be no screen


def draw(figures: Sequence[Figures], path: Path) -> None:
    """Writes one PNG with four panels."""
    runs = by_arm(figures)
    names = list(runs)
    colours = {name: f"C{index % 10}" for index, name in enumerate(names)}
    figure, axes = plt.subplots(2, 2, figsize=(13, 9), layout="constrained")
    bars, rounds, ahead, drifts = axes.flat

    for offset, (where, shade) in enumerate((("unseen", 1.0), ("own", 0.45))):
        for place, name in enumerate(names):
            values = [value_of(run, where, "nmse") for run in runs[name].values()]
            at = place + 0.4 * offset - 0.2
            bars.bar(at, np.mean(values), 0.38, color=colours[name], alpha=shade)
            bars.plot([at] * len(values), values, "k.", markersize=4)
    bars.set_xticks(range(len(names)), names, rotation=30, ha="right")
    bars.set_yscale("log")
    bars.set_title("Normalised prediction error: unseen sites (solid), own sites (pale); dots are seeds")

    for name in names:
        histories = [run["history"] for run in runs[name].values() if run["history"]]
        if not histories:
            continue
        steps = [item["round"] for item in histories[0]]
        error = np.array([[item["nmse"] for item in history] for history in histories])
        rounds.plot(steps, error.mean(axis=0), "o-", color=colours[name], label=name)
        rounds.fill_between(steps, error.min(axis=0), error.max(axis=0), color=colours[name], alpha=0.15)
        turned = np.array([[item["drift"] or np.nan for item in history] for history in histories])
        if not np.isnan(turned).all():
            drifts.plot(steps, turned.mean(axis=0), "o-", color=colours[name], label=name)
    for name in ("local", "pooled"):
        if name in runs:
            level = np.mean([value_of(run, "unseen", "nmse") for run in runs[name].values()])
            rounds.axhline(float(level), color=colours[name], linestyle="--", label=f"{name}, at the end")
    rounds.set_yscale("log")
    rounds.set_xlabel("round")
    rounds.set_title("Normalised error on unseen sites, round by round (band: all seeds)")
    rounds.legend(fontsize=8)
    drifts.set_xlabel("round")
    drifts.set_title("Rotation of the latent frame since the start, rms principal angle, degrees")
    if drifts.lines:
        drifts.legend(fontsize=8)

    for name in names:
        curves = np.array(
            [model["unseen"]["rollout"] for run in runs[name].values() for model in run["models"]]
        )
        ahead.plot(range(1, curves.shape[1] + 1), curves.mean(axis=0), "o-", color=colours[name], label=name)
    ahead.set_yscale("log")
    ahead.set_xlabel("steps ahead, open loop")
    ahead.set_title("Normalised error by horizon, unseen sites")
    ahead.legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
