"""Pictures of a comparison: errors by arm, progress over rounds, steps ahead, frame drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from jepanet.files import write_atomically
from jepanet.lab.measure import Figures
from jepanet.lab.reporting.targets import by_arm, measured, value_of

_WITHOUT_ROUNDS = ("start", "local", "pooled", "pooled-wide")
"""Arms with no global model after a round: their result is a level."""

Runs = Mapping[str, Mapping[int, Figures]]


def draw(figures: Sequence[Figures], path: Path) -> None:
    """Writes one PNG with four panels and one legend, whatever settings of matplotlib's a person has.

    Raises:
        Fatal: it cannot be written. Whatever matplotlib raises.
    """
    image = BytesIO()
    with mpl.rc_context():
        mpl.rcdefaults()  # a screen, a notebook or TeX may not be there
        _drawn(by_arm(figures)).savefig(image, dpi=110, format="png")
    write_atomically(path, image.getvalue())


def _drawn(runs: Runs) -> Figure:
    palette = mpl.colormaps["tab20"]
    # The strong colours of the palette first, then the pale ones.
    colours = {name: palette((2 * index % 20 + index // 10) / 20) for index, name in enumerate(runs)}
    figure = Figure(figsize=(14, 9.5), layout="constrained")
    axes = figure.subplots(2, 2)
    errors, rounds, ahead, drifts = axes.flat
    _errors(errors, runs, colours)
    _rounds(rounds, drifts, runs, colours)
    for name in runs:
        if not all(measured(run, "unseen", "rollout") for run in runs[name].values()):
            continue
        curves = np.array(
            [model["unseen"]["rollout"] for run in runs[name].values() for model in run["models"]]
        )
        ahead.plot(range(1, curves.shape[1] + 1), curves.mean(axis=0), "o-", color=colours[name])
    _logarithmic(ahead)
    ahead.set(xlabel="steps ahead, open loop", ylabel="error / latent variance")
    ahead.set_title("Error by horizon, unseen sites")
    handles = [Line2D([], [], color=colour, marker="o", label=name) for name, colour in colours.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=6)
    return figure


def _errors(axes: Axes, runs: Runs, colours: Mapping[str, tuple[float, ...]]) -> None:
    for place, name in enumerate(runs):
        for shift, where, mark in ((-0.15, "unseen", "o"), (0.15, "own", "s")):
            values = [value_of(run, where, "nmse") for run in runs[name].values()]
            axes.plot([place + shift] * len(values), values, mark, color=colours[name], alpha=0.45)
            axes.plot([place + shift - 0.12, place + shift + 0.12], [np.mean(values)] * 2, "k-", lw=2)
    axes.set_xticks(range(len(runs)), list(runs), rotation=30, ha="right")
    _logarithmic(axes)
    axes.grid(axis="y", which="both", alpha=0.2)
    axes.set_ylabel("error / latent variance")
    axes.set_title("One-step error by seed and mean: unseen sites (circles), own sites (squares)")


def _rounds(axes: Axes, drifts: Axes, runs: Runs, colours: Mapping[str, tuple[float, ...]]) -> None:
    for name in runs:
        histories = [run["history"] for run in runs[name].values() if run["history"]]
        if not histories:
            continue
        steps = [item["round"] for item in histories[0]]
        error = np.array([[item["nmse"] for item in history] for history in histories])
        axes.plot(steps, error.mean(axis=0), "o-", color=colours[name])
        axes.fill_between(steps, error.min(axis=0), error.max(axis=0), color=colours[name], alpha=0.12)
        # None, where a frame has too few directions, becomes NaN.
        turned = np.array([[item["drift"] for item in history] for history in histories], dtype=float)
        if not np.isnan(turned).all():
            drifts.plot(steps, np.nanmean(turned, axis=0), "o-", color=colours[name])
    for name in set(_WITHOUT_ROUNDS) & set(runs):
        level = np.mean([value_of(run, "unseen", "nmse") for run in runs[name].values()])
        axes.axhline(float(level), color=colours[name], linestyle="--")
    _logarithmic(axes)
    axes.set(xlabel="round", ylabel="error / latent variance")
    axes.set_title("Error on unseen sites by round (band: seeds; dashed: no rounds)")
    drifts.set(xlabel="round", ylabel="degrees")
    drifts.set_title("Rotation of the latent frame since the start (rms)")
    for panel in (axes, drifts):
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))


def _logarithmic(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
