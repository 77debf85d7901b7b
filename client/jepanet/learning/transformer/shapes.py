"""Names, shapes and initial numbers of transformer blocks, and codes of places; numpy alone."""

from __future__ import annotations

from math import sqrt

import numpy as np

NORMS = ("norm", "before", "between")
"""What the layers that normalise are called: they begin at identity."""
OF_A_BLOCK = 18
"""Numbers that a block keeps of every token and dimension for the backward pass: around two normalisations,
attention, and a layer four times as wide."""


def block_layers(room: str, width: int, depth: int) -> dict[str, tuple[int, ...]]:
    """Shape of the weight of every layer of `depth` blocks `block.Block(width, ...)` under `room`; each layer
    has a bias of the first length beside it."""
    layers: dict[str, tuple[int, ...]] = {}
    for number in range(depth):
        inside = f"{room}.blocks.{number}"
        layers |= {f"{inside}.before": (width,), f"{inside}.between": (width,)}
        layers |= {f"{inside}.attend": (3 * width, width), f"{inside}.join": (width, width)}
        layers |= {f"{inside}.widen": (4 * width, width), f"{inside}.narrow": (width, 4 * width)}
    return layers


def uniform(generator: np.random.Generator, shape: tuple[int, ...], deviation: float) -> np.ndarray:
    """Numbers of a uniform law of mean 0 with this standard deviation, float32."""
    drawn: np.ndarray = deviation * sqrt(3.0) * (2.0 * generator.random(shape) - 1.0)
    return drawn.astype(np.float32)


def place_codes(side: int, width: int) -> np.ndarray:
    """Fixed codes float32 [side * side, width] of the places of tokens: sines and cosines of row and column.

    As in I-JEPA (and Vaswani et al. 2017, arXiv:1706.03762): a quarter of the numbers each for the sines and
    cosines of the row and of the column, at wave lengths from 2 pi to 20,000 pi.
    """
    rates = 10_000.0 ** -(np.arange(width // 4) / (width // 4))
    angles = np.arange(side)[:, None] * rates
    line = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    rows, columns = np.repeat(line, side, axis=0), np.tile(line, (side, 1))
    return np.concatenate([rows, columns], axis=1).astype(np.float32)
