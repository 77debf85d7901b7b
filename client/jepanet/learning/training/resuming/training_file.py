"""A training as a file: written while it runs, read back strictly, and only by the training it belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from math import isfinite

import numpy as np

from jepanet.errors import Rejected
from jepanet.learning.machine.surroundings import surroundings
from jepanet.learning.recipe import TRAINING_VERSION, Recipe
from jepanet.learning.seeding import derive
from jepanet.learning.training.guarding.regime import RegimeGate, perplexities
from jepanet.learning.training.resuming.state import Parts, TrainingState
from jepanet.learning.training.resuming.trace import (
    digest_of_arrays,
    points_as_arrays,
    points_from_arrays,
    trace_point,
)
from jepanet.tensors import MAX_HEADER_BYTES, Arrays, Header, canonical_json, decode_tensors, encode_tensors
from jepanet.types import Digest

SCHEMA = "jepanet.training.2"
_FIELDS = {"schema", "run", "step", "samples", "metrics", "optimiser", "losses", "perplexities"}
_PARTS = ("weights", "optimiser", "streams", "data", "scale", "gate", "trace")
_ROOM = 1 << 20
"""Bytes for what is small: the gate, streams, and the lengths of names."""


def run_of(
    recipe: Recipe,
    weights: Mapping[str, np.ndarray],
    data: Digest,
    *,
    seed: bytes,
    steps: tuple[int, int, int],
    frozen: tuple[str, ...],
    device: str,
    from_scratch: bool = False,
) -> Digest:
    """What tells one training from every other: all that its bytes depend on.

    `data`: of what is trained on (`supply.py`). `steps`: how many, the global step of the first, and the
    length of the schedule. Build and processor count, since another sums in another order; how many processes
    train together does not, so that their number may change on the way. The seed is secret, and a hash of it
    stands in its place.
    """
    named = {
        "training": TRAINING_VERSION,
        "recipe": recipe.digest().hex(),
        "weights": digest_of_arrays(weights).hex(),
        "shard": data.hex(),
        "seed": derive(seed, "checkpoint").hex(),
        "steps": list(steps),
        "frozen": list(frozen),
        "device": device,
        "surroundings": surroundings(),
    }
    if from_scratch:  # the base of every other training is the weights that it begins with
        named["from_scratch"] = True
    return Digest(hashlib.sha256(canonical_json(named)).digest())


def checkpoint_bytes(state: TrainingState, run: Digest, now: Parts) -> bytes:
    """Canonical bytes of a training; the last point of its trace is that of this very state, and `now` its
    parts."""
    parts: Parts = {**now, "trace": points_as_arrays(state.trace)}
    arrays = {f"{part}.{name}": item for part, items in parts.items() for name, item in items.items()}
    return encode_tensors(arrays, _header(state, run, now))


def _header(state: TrainingState, run: Digest, now: Parts) -> Header:
    """What a checkpoint says of itself; `metrics` has the largest gradient norm, `samples` what was seen.

    `losses` on the held-out fifth, and their `perplexities`, are null where the training has none.
    """
    losses = state.gate.losses if isinstance(state.gate, RegimeGate) else None
    tokens = losses is not None and state.vocabulary is not None
    return {
        "schema": SCHEMA,
        "run": run.hex(),
        "step": state.step,
        "samples": state.samples,
        "metrics": dict(state.metrics),
        "optimiser": digest_of_arrays(now["optimiser"]).hex(),
        "losses": None if losses is None else [*losses],
        "perplexities": [*perplexities(losses)] if losses is not None and tokens else None,
    }


def checkpoint_cap(state: TrainingState, steps: int, now: Parts) -> int:
    """Most bytes that a checkpoint of this training can have: its state `now`, with every example still to be
    drawn, and a trace of every step."""
    held = sum(item.nbytes for items in now.values() for item in items.values())
    return held + 8 * state.batches.examples + 168 * steps + MAX_HEADER_BYTES + _ROOM


def restore(state: TrainingState, data: bytes, run: Digest, *, steps: int, max_bytes: int) -> None:
    """Puts `state`, fresh, where the checkpoint was; on a refusal it is spoiled.

    Raises:
        Rejected: `foreign`, of another training, build or processor; `too-large`, `truncated`, `malformed`,
            `not-canonical`, `wrong-shape`, `non-finite`, `bad-position`; `damaged` where it does not agree
            with its own trace.
    """
    arrays, header = decode_tensors(data, max_bytes=max_bytes, what="checkpoint")
    if set(header) != _FIELDS or header["schema"] != SCHEMA:
        raise Rejected(f"checkpoint: its header is not that of a {SCHEMA}", reason="malformed")
    if header["run"] != run.hex():
        raise Rejected("checkpoint: it belongs to another training, build or processor", reason="foreign")
    parts = _parts(arrays)
    points = points_from_arrays(parts.pop("trace"))
    step, samples = _count(header, "step", steps), _count(header, "samples", 1 << 52)
    state.restore(parts, step, samples, _metrics(header))
    state.trace = points
    now = state.parts()
    if header != _header(state, run, now):
        raise Rejected("checkpoint: its header does not agree with its state", reason="damaged")
    if not points or points[-1] != trace_point(step, now, points[-1].batch):
        raise Rejected("checkpoint: it does not agree with its own trace", reason="damaged")


def _parts(arrays: Arrays) -> Parts:
    parts: Parts = {part: {} for part in _PARTS}
    for key, array in arrays.items():
        part, _, name = key.partition(".")
        if part not in parts:
            raise Rejected(f"checkpoint: {key} is in none of its parts", reason="wrong-shape")
        parts[part][name] = array
    return parts


def _count(header: Header, name: str, most: int) -> int:
    value = header[name]
    if type(value) is not int or not 1 <= value <= most:
        raise Rejected(f"checkpoint: {name} must be a whole number from 1 to {most}", reason="malformed")
    return value


def _metrics(header: Header) -> dict[str, float]:
    metrics = header["metrics"]
    if not isinstance(metrics, dict):
        raise Rejected("checkpoint: its metrics are no object", reason="malformed")
    found: dict[str, float] = {}
    for name, value in metrics.items():
        if type(value) not in (int, float) or not isfinite(value):  # type: ignore[arg-type]
            raise Rejected(f"checkpoint: metric {name} is no finite number", reason="malformed")
        found[name] = float(value)  # type: ignore[arg-type]
    return found
