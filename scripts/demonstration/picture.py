"""A picture of the demo: held-out scores per round, and who was paid for what."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jepanet.files import write_atomically

_PANELS = (
    ("nmse", "normalised prediction error (lower is better)"),
    ("skill", "skill against identity (higher is better)"),
    ("probe_r2", "position probe R² (higher is better)"),
    ("rank", "effective rank"),
)


def draw(report: dict[str, Any], path: Path) -> None:
    """Writes a PNG: four held-out metrics before and after each merge, controls, gains, payments.

    Raises:
        Fatal: it cannot be written. Whatever matplotlib raises.
    """
    image = BytesIO()
    with mpl.rc_context():
        mpl.rcdefaults()  # a screen, a notebook or TeX may not be there
        _drawn(report).savefig(image, dpi=110, format="png")
    write_atomically(path, image.getvalue())


def _drawn(report: dict[str, Any]) -> Figure:
    progress = report["progress"]
    rounds = [item for item in report["rounds"] if item["heldout"]["before"].get("nmse") is not None]
    figure = Figure(figsize=(13, 7), layout="constrained")
    axes = figure.subplots(2, 3)
    numbers = [item["round"] for item in rounds]
    for axis, (name, title) in zip(axes.flat, _PANELS, strict=False):
        if any(item[name] is None for item in progress):
            name, title = "score", "score by the recipe, the first model as the base (higher is better)"
        if name != "score":  # which every round measures on a scale of its own
            _merges(axis, name, rounds)
        scale = [item["round"] + 0.5 for item in progress]
        axis.plot(scale, [item[name] for item in progress], "-", color="tab:green", label="all shards")
        alone = [item[name] for item in report["controls"] if item["name"].endswith("alone")]
        if alone:
            axis.axhline(
                sum(alone) / len(alone), color="tab:red", linestyle="--", label="mean of solvers alone"
            )
        for item in report["controls"]:
            if item["name"].startswith("pooled"):
                axis.axhline(item[name], color="tab:purple", linestyle=":", label="pooled data")
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("round (dots: its own sealed shard)")
        axis.set_xticks(numbers)
    axes.flat[0].legend()
    solvers = sorted({delta["solver"] for item in rounds for delta in item["deltas"]})
    width = 0.8 / max(1, len(solvers))
    for axis, key, scale, title in (
        (axes.flat[4], "gain", 1e3, "measured gain of each delta (milli-nats, ± 1 s.e.)"),
        (axes.flat[5], "paid", 1e18, "paid (tokens)"),
    ):
        for place, solver in enumerate(solvers):
            chosen = [(item["round"], d) for item in rounds for d in item["deltas"] if d["solver"] == solver]
            x = [number + (place - (len(solvers) - 1) / 2) * width for number, _ in chosen]
            heights = [int(delta[key]) / scale for _, delta in chosen]
            errors = [delta["stderr"] / scale for _, delta in chosen] if key == "gain" else None
            axis.bar(x, heights, width, yerr=errors, label=f"{solver[:8]}…")
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("round")
        axis.set_xticks(numbers)
        axis.axhline(0, color="black", linewidth=0.5)
    axes.flat[4].legend(fontsize=8)
    figure.suptitle("Federated training: what was measured and what was paid")
    return figure


def _merges(axis: Axes, name: str, rounds: list[dict[str, Any]]) -> None:
    """What each merge did on its round's own shard."""
    numbers = [item["round"] for item in rounds]
    before = [item["heldout"]["before"][name] for item in rounds]
    after = [item["heldout"]["after"][name] for item in rounds]
    for number, low, high in zip(numbers, before, after, strict=True):
        axis.annotate("", (number, high), (number, low), arrowprops={"arrowstyle": "->", "color": "0.5"})
    axis.plot(numbers, before, "o", color="tab:gray", label="base")
    axis.plot(numbers, after, "o", color="tab:blue", label="merged")
