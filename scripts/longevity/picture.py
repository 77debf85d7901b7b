"""A picture of a soak: every figure of every node over the rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure as Drawing
from scripts.longevity.report import FIGURES

from jepanet.files import write_atomically


def draw(samples: Sequence[Mapping[str, Any]], warm_up: int, path: Path) -> None:
    """Writes a PNG. Raises: Fatal: it cannot be written; whatever matplotlib raises."""
    image = BytesIO()
    with mpl.rc_context():
        mpl.rcdefaults()  # a screen, a notebook or TeX may not be there
        drawing = Drawing(figsize=(14, 10), layout="constrained")
        axes = drawing.subplots(3, 4)
        names = sorted({name for item in samples for name in item["nodes"]})
        for axis, figure in zip(axes.flat, FIGURES, strict=False):
            for name in names:
                mine = [item for item in samples if name in item["nodes"]]
                values = [item["nodes"][name][figure.name] / figure.scale for item in mine]
                axis.plot([item["rounds"] for item in mine], values, label=name, linewidth=1)
            axis.axvspan(0, warm_up, color="0.93")
            unit = f", {figure.unit}" if figure.unit else ""
            axis.set_title(f"{figure.name.replace('_', ' ')}{unit}", fontsize=10)
            axis.set_ylim(bottom=0)
        pace = axes.flat[len(FIGURES)]
        timed = [item for item in samples if item["seconds_a_round"] is not None]
        pace.plot([item["rounds"] for item in timed], [item["seconds_a_round"] for item in timed], color="k")
        pace.set_title("seconds a round (of all projects)", fontsize=10)
        pace.set_ylim(bottom=0)
        for axis in axes[-1]:
            axis.set_xlabel("rounds")
        axes.flat[0].legend(fontsize=7)
        drawing.suptitle("What nodes hold over hundreds of rounds (grey: warm-up)")
        drawing.savefig(image, dpi=100, format="png")
    write_atomically(path, image.getvalue())
