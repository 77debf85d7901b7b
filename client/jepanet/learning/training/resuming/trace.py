"""A trace of a training: what its state was at fixed steps, as digests.

Two trainings of equal inputs on one machine and build have equal traces. Where they differ, the first point
says from which step on, and which part differs first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Annotated, ClassVar

import numpy as np

from jepanet.cid import blake3_of
from jepanet.errors import Rejected
from jepanet.learning.family import Batch
from jepanet.learning.recipe import Recipe
from jepanet.records.codec import Codec
from jepanet.records.marks import Range, Size
from jepanet.tensors import Arrays, bytes_of
from jepanet.types import Digest

SCHEMA = "jepanet.trace.2"
MAX_POINTS = 20_000
MAX_TRACE_BYTES = 16 << 20
_HASHED = 1.0e9
"""Bytes of state that are hashed in a second, small tensors included: more of a large state."""
_COMPUTED = 2.5e10
"""Floating-point operations a second of one thread."""
_SHARE = 0.01
"""Of a training's time that its digests may take, by these two figures."""
_PARTS = ("weights", "optimiser", "streams", "data", "batch")


@dataclass(frozen=True, slots=True)
class TracePoint:
    """The state after a step. Digests are those of `digest_of_arrays`."""

    step: Annotated[int, Range(1, 1 << 40)]
    weights: Digest
    optimiser: Digest
    """Moments, and the steps that they were made of."""
    streams: Digest
    """Of the random numbers that the loss draws."""
    data: Digest
    """Place in the data, with the random streams that choose from it."""
    batch: Digest
    """Of the batches of the last step."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Points at every `every`-th step and after the last one, or as `segment_points` says."""

    HEAD: ClassVar = {"schema": SCHEMA}

    every: Annotated[int, Range(1, 1 << 40)]
    points: Annotated[tuple[TracePoint, ...], Size(0, MAX_POINTS)]


TRACE = Codec(Trace, "trace", max_bytes=MAX_TRACE_BYTES)


def cadence(recipe: Recipe) -> int:
    """Steps between two points: the recipe's, or so many that a point costs about 1 % of the steps between.

    Weights and both moments are hashed, 12 bytes a parameter; a step computes at least 6 floating-point
    operations a parameter and example (forward 2, backward 4: Kaplan et al. 2020, arXiv:2001.08361).
    """
    if recipe.loop.trace:
        return recipe.loop.trace
    parameters = recipe.parameters()
    hashing = 12.0 * parameters / _HASHED
    step = 6.0 * parameters * recipe.frames_of_a_step / _COMPUTED
    return max(1, ceil(hashing / (_SHARE * step)))


def trace_point(step: int, parts: Mapping[str, Arrays], batch: Digest) -> TracePoint:
    """The point of a state's parts after `step`, and of the digest of the batch before it."""
    weights, optimiser, streams, data = (digest_of_arrays(parts[name]) for name in _PARTS[:4])
    return TracePoint(step, weights, optimiser, streams, data, batch)


def digest_of_point(point: TracePoint) -> Digest:
    """SHA-256 over the digests of a point."""
    return Digest(hashlib.sha256(b"".join(getattr(point, part) for part in _PARTS)).digest())


def digest_of_arrays(arrays: Mapping[str, np.ndarray]) -> Digest:
    """BLAKE3 over names, types, shapes and little-endian bytes of arrays, in ascending name order."""
    return blake3_of(_pieces(arrays))


def _pieces(arrays: Mapping[str, np.ndarray]) -> Iterator[bytes | memoryview]:
    for name in sorted(arrays):
        array = arrays[name]
        yield f"{name} {array.dtype.str} {list(array.shape)} {array.nbytes}\n".encode()
        yield bytes_of(array)


def digest_of_batches(batches: Sequence[Batch]) -> Digest:
    """Of the tensors of a step's batches, wherever they lie."""
    return digest_of_arrays(
        {
            f"{number}.{name}": item.cpu().numpy()
            for number, batch in enumerate(batches)
            for name, item in batch.tensors.items()
        }
    )


def points_as_arrays(points: list[TracePoint]) -> Arrays:
    """`steps` int64 [N] and `digests` uint8 [N, 160], as a checkpoint holds them."""
    joined = b"".join(getattr(point, part) for point in points for part in _PARTS)
    return {
        "steps": np.array([point.step for point in points], np.int64),
        "digests": np.frombuffer(joined, np.uint8).reshape(len(points), 32 * len(_PARTS)),
    }


def points_from_arrays(arrays: Arrays) -> list[TracePoint]:
    """Raises: Rejected (`wrong-shape`) when these are not the arrays of points in ascending order."""
    if set(arrays) != {"steps", "digests"}:
        raise Rejected("a trace has steps and digests", reason="wrong-shape")
    steps, digests = arrays["steps"], arrays["digests"]
    fits = steps.dtype == np.int64 and digests.dtype == np.uint8 and steps.ndim == 1
    if not fits or digests.shape != (len(steps), 32 * len(_PARTS)):
        raise Rejected("a trace has one row of digests for each of its steps", reason="wrong-shape")
    if len(steps) and (steps[0] < 1 or (np.diff(steps) < 1).any()):
        raise Rejected("the steps of a trace ascend from 1", reason="wrong-shape")
    points = []
    for step, row in zip(steps.tolist(), digests, strict=True):
        parts = [Digest(row[first : first + 32].tobytes()) for first in range(0, len(row), 32)]
        points.append(TracePoint(step, *parts))
    return points
