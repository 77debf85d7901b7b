"""Curves of a training: JSON for programs, a picture for people."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from jepanet.files import write_atomically
from jepanet.storage.tracking import Curves
from jepanet.tensors import canonical_json

_PANELS = (
    ("loss", ("loss", "validation"), True),
    ("parts of the loss", (), True),
    ("gradient norm", ("gradient_norm",), True),
    ("learning rate", ("learning_rate",), False),
)
"""Title, curves (none: all that no other panel shows), and whether on a logarithmic scale."""


def write_curves(curves: Curves, path: Path) -> None:
    """`{"NAME": [[step, value], ...], ...}`. Raises: Fatal when it cannot be written."""
    tree = {name: [[step, value] for step, value in points] for name, points in curves.items()}
    write_atomically(path, canonical_json(tree))


def draw_curves(curves: Curves, path: Path) -> None:
    """One PNG of four panels. Raises: Fatal when it cannot be written; whatever matplotlib raises."""
    import matplotlib as mpl  # here: it is slow to import, and reads a person's settings when it is
    from matplotlib.figure import Figure

    image = BytesIO()
    with mpl.rc_context():
        mpl.rcdefaults()  # a screen, a notebook or TeX may not be there
        figure = Figure(figsize=(12, 8), layout="constrained")
        shown = {name for _, names, _ in _PANELS for name in names}
        for axes, (title, names, logarithmic) in zip(figure.subplots(2, 2).flat, _PANELS, strict=True):
            for name in names or sorted(set(curves) - shown):
                points = curves.get(name, [])
                mark = "o-" if name == "validation" else "-"
                axes.plot(
                    [step for step, _ in points], [value for _, value in points], mark, label=name, ms=4
                )
            positive = all(value > 0 for name in names for _, value in curves.get(name, []))
            if logarithmic and names and positive:
                axes.set_yscale("log")
            axes.set(title=title, xlabel="steps")
            axes.grid(alpha=0.25)
            if axes.lines:
                axes.legend()
        figure.savefig(image, dpi=110, format="png")
    write_atomically(path, image.getvalue())
