"""Names, shapes and initial numbers of transformer blocks, and codes of places; numpy alone."""

from __future__ import annotations

from math import prod, sqrt

import numpy as np

NORMS = ("norm", "before", "between")
"""What the layers that normalise are called: they begin at identity."""
GATES = "modulate"
"""What the layer of a conditioned block is called that shifts, scales and gates by the condition."""
GATED = 0.02
"""Deviation of its initial numbers. The source begins at 0, which keeps every gradient from what is gated
until a step has opened the gates, and a round's few steps and gates of exactly 0 would be told apart from
damage by nothing."""
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


def block_multiplications(width: int, depth: int, tokens: int) -> int:
    """Of numbers, for one of `tokens` tokens that attend to each other, in `depth` such blocks."""
    return depth * (12 * width**2 + 2 * tokens * width)


def conditioned_layers(
    room: str, width: int, inner: int, hidden: int, depth: int
) -> dict[str, tuple[int, ...]]:
    """The same of `depth` blocks `conditioned.ConditionedBlock(width, inner, hidden, ...)`."""
    layers: dict[str, tuple[int, ...]] = {}
    for number in range(depth):
        inside = f"{room}.blocks.{number}"
        layers |= {f"{inside}.{GATES}": (6 * width, width)}
        layers |= {f"{inside}.attend": (3 * inner, width), f"{inside}.join": (width, inner)}
        layers |= {f"{inside}.widen": (hidden, width), f"{inside}.narrow": (width, hidden)}
    return layers


def begun(generator: np.random.Generator, layer: str, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """Initial numbers, float32, of the `kind` ("weight" or "bias") of a layer called so: norms at identity,
    biases 0, gates nearly closed, else uniform with deviation 1/sqrt(fan-in); what adds to the tokens of
    block n is divided by sqrt(2n), as I-JEPA does."""
    last = layer.rpartition(".")[2]
    if kind == "bias" or last in NORMS:
        return np.full(shape, 0.0 if kind == "bias" else 1.0, dtype=np.float32)
    if last == GATES:
        return uniform(generator, shape, GATED)
    scale = 1.0 / sqrt(prod(shape[1:]))
    if last in ("join", "narrow"):
        scale /= sqrt(2.0 * (int(layer.split(".")[2]) + 1))
    return uniform(generator, shape, scale)


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
