"""Pictures of a comparison: errors by arm and by round; of worlds steps ahead and frame drift besides.

Of other models scores stand in the place of these two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from jepanet.lab.reporting.targets import by_arm, error_of, measured, value_of

_WITHOUT_ROUNDS = ("start", "local", "pooled", "pooled-wide")
"""Arms with no global model after a round: their result is a level."""

_SAID = {
    "nmse": "error / latent variance",
    "next_token": "loss of the next token, nats",
    "score": "score, nats",
}
Runs = Mapping[str, Mapping[int, Figures]]
Colours = Mapping[str, tuple[float, ...]]


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
    errors, rounds, third, fourth = axes.flat
    made = [run for found in runs.values() for run in found.values()]
    error = error_of(made[0]) if made else "nmse"
    _by_arm(errors, runs, colours, error)
    errors.set(ylabel=_SAID[error], title="By seed and mean: unseen sites (circles), own sites (squares)")
    _by_round(rounds, runs, colours, error)
    rounds.set(ylabel=_SAID[error], title="On unseen sites by round (band: seeds; dashed: no rounds)")
    if error == "nmse":
        _logarithmic(errors)
        _logarithmic(rounds)
    if any(measured(run, "unseen", "rollout") for run in made):
        _ahead(third, runs, colours)
        _drift(fourth, runs, colours)
    else:
        _by_arm(third, runs, colours, "score")
        third.set(ylabel=_SAID["score"], title="Score by seed and mean: unseen (circles), own (squares)")
        _by_round(fourth, runs, colours, "score")
        fourth.set(ylabel=_SAID["score"], title="Score on unseen sites by round")
    handles = [Line2D([], [], color=colour, marker="o", label=name) for name, colour in colours.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=6)
    return figure


def _by_arm(axes: Axes, runs: Runs, colours: Colours, metric: str) -> None:
    for place, name in enumerate(runs):
        for shift, where, mark in ((-0.15, "unseen", "o"), (0.15, "own", "s")):
            values = [value_of(run, where, metric) for run in runs[name].values()]
            axes.plot([place + shift] * len(values), values, mark, color=colours[name], alpha=0.45)
            axes.plot([place + shift - 0.12, place + shift + 0.12], [np.mean(values)] * 2, "k-", lw=2)
    axes.set_xticks(range(len(runs)), list(runs), rotation=30, ha="right")
    axes.grid(axis="y", which="both", alpha=0.2)


def _by_round(axes: Axes, runs: Runs, colours: Colours, metric: str) -> None:
    for name, steps, histories in _histories(runs):
        values = np.array([[item[metric] for item in history] for history in histories])
        axes.plot(steps, values.mean(axis=0), "o-", color=colours[name])
        axes.fill_between(steps, values.min(axis=0), values.max(axis=0), color=colours[name], alpha=0.12)
    for name in set(_WITHOUT_ROUNDS) & set(runs):
        level = np.mean([value_of(run, "unseen", metric) for run in runs[name].values()])
        axes.axhline(float(level), color=colours[name], linestyle="--")
    _rounds(axes)


def _drift(axes: Axes, runs: Runs, colours: Colours) -> None:
    for name, steps, histories in _histories(runs):
        # None, where a frame has too few directions, becomes NaN.
        turned = np.array([[item["drift"] for item in history] for history in histories], dtype=float)
        if not np.isnan(turned).all():
            axes.plot(steps, np.nanmean(turned, axis=0), "o-", color=colours[name])
    axes.set(ylabel="degrees", title="Rotation of the latent frame since the start (rms)")
    _rounds(axes)


def _ahead(axes: Axes, runs: Runs, colours: Colours) -> None:
    for name in runs:
        if not all(measured(run, "unseen", "rollout") for run in runs[name].values()):
            continue
        curves = np.array(
            [model["unseen"]["rollout"] for run in runs[name].values() for model in run["models"]]
        )
        axes.plot(range(1, curves.shape[1] + 1), curves.mean(axis=0), "o-", color=colours[name])
    _logarithmic(axes)
    axes.set(xlabel="steps ahead, open loop", ylabel=_SAID["nmse"], title="Error by horizon, unseen sites")


def _histories(runs: Runs) -> Iterator[tuple[str, list[int], list[list[Figures]]]]:
    """(arm, rounds, the figures of every seed by round) of arms that have rounds."""
    for name in runs:
        histories = [run["history"] for run in runs[name].values() if run["history"]]
        if histories:
            yield name, [item["round"] for item in histories[0]], histories


def _rounds(axes: Axes) -> None:
    axes.set_xlabel("round")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _logarithmic(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
