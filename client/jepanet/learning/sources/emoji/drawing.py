"""One picture of one symbol: where it stands, how large and how turned, on a plain ground of any colour.

Drawn in software by `resvg`, without fonts and without the system's libraries: one version gives one machine
the same bytes for ever. Its arithmetic is float32, so that other processors may differ in single levels of
single pixels; a dataset is announced by the digests of its shards, wherever it was drawn.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

Drawing = tuple[str, float, float]
"""SVG elements, with width and height of their view."""


@dataclass(frozen=True, slots=True)
class Placement:
    """How a symbol is shown; lengths are shares of the picture's side."""

    ground: tuple[int, int, int]
    size: float
    turned: float
    """Degrees."""
    right: float
    """Of the middle, as `down`."""
    down: float


def draw_placement(generator: np.random.Generator) -> Placement:
    red, green, blue = (int(value) for value in generator.integers(40, 256, 3))
    size, turned, right, down = generator.random(4)
    return Placement(
        (red, green, blue), 0.6 + 0.35 * size, 40.0 * turned - 20.0, 0.2 * right - 0.1, 0.2 * down - 0.1
    )


def picture(drawing: Drawing, placement: Placement, side: int) -> np.ndarray:
    """uint8 [3, side, side]."""
    import resvg_py
    from PIL import Image

    body, width, height = drawing
    scale = side * placement.size / max(width, height)
    across, along = side * (0.5 + placement.right), side * (0.5 + placement.down)
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{side}" height="{side}" viewBox="0 0 {side} {side}">'
        f'<rect width="{side}" height="{side}" fill="rgb{placement.ground}"/>'
        f'<g transform="translate({across:.4f} {along:.4f}) rotate({placement.turned:.4f}) '
        f'scale({scale:.6f}) translate({-width / 2:.2f} {-height / 2:.2f})">{body}</g></svg>'
    )
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True))
    with Image.open(io.BytesIO(png)) as image:
        return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1))
