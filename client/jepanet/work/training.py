"""A solver's work on one delta, as a job of the worker: train, turn back, add what was left out, encode.

Whoever has the same files and the seed repeats it: `repeat_training` is what an audit does after the reveal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.codecs import CODECS
from jepanet.federation.deltas.delta import (
    DeltaHeader,
    Schema,
    decode_delta,
    delta_bytes,
    delta_of,
    schema_of,
)
from jepanet.federation.deltas.feedback import (
    Residual,
    decode_residual,
    encode_residual,
    residual_digest,
    with_feedback,
)
from jepanet.federation.gauge import align, drift
from jepanet.federation.judging.similarity import cosine
from jepanet.files import write_atomically
from jepanet.learning.data.shards import Shard, load_shard
from jepanet.learning.evaluation.metrics import frame_latents
from jepanet.learning.families.world.rotation import rotate_world_model
from jepanet.learning.recipe import Recipe
from jepanet.learning.training.checkpoint import Model, load_model
from jepanet.learning.training.loop import train
from jepanet.protocol.documents.spec import RoundSpec, decode_spec
from jepanet.tensors import Arrays

Arguments = Mapping[str, Any]
Progress = Callable[[Mapping[str, Any]], None]
MAX_PROBE_FRAMES = 100_000
"""As many as `jepanet dataset build` makes at most, in episodes of four."""
MAX_PROBE_LENGTH = 64
"""Frames of one probe episode: whole episodes are encoded together."""


def train_delta(arguments: Arguments, progress: Progress) -> dict[str, Any]:
    """Trains from the base on one shard and writes the encoded delta, and what a lossy codec left out of it.

    Raises:
        Rejected: training diverged, the latent frame lost its directions, there are too many probe frames, or
            a file does not fit the recipe.
    """
    started = time.monotonic()
    recipe, spec, base = round_files(arguments)
    probe = _probe(arguments["probe"])
    result = train(
        base.weights,
        load_shard(Path(arguments["shard"])),
        recipe,
        seed=bytes.fromhex(arguments["seed"]),
        steps=spec.inner_steps,
        start_step=spec.start_step,
        total_steps=spec.total_steps,
        on_step=lambda step: progress({"step": step.step, "steps": step.steps, "loss": step.loss}),
        device=arguments["device"],
    )
    weights, turned = _in_frame_of(base.weights, result.weights, recipe, probe)
    delta = delta_of(weights, base.weights)
    before = _residual(arguments["residual"], schema_of(delta), spec.codec)
    parts, left = with_feedback(delta, before.values if before else None, spec.codec)
    data = delta_bytes(parts, DeltaHeader(base=spec.base, recipe=spec.recipe), spec.codec)
    if len(data) > spec.max_delta_bytes:
        raise Rejected(
            f"the delta has {len(data)} bytes, the round allows {spec.max_delta_bytes}", reason="too-large"
        )
    write_atomically(Path(arguments["target"]), data)
    digest, kept = digest_of(data), None
    if CODECS[spec.codec].feedback:
        came_from = residual_digest(before) if before else None
        residual = encode_residual(Residual(left, digest, came_from, spec.codec))
        write_atomically(Path(arguments["residual_target"]), residual)
        kept = digest_of(residual).hex()
    return {
        "digest": digest.hex(),
        "residual": kept,
        "turned_degrees": round(turned, 3),
        "bytes": len(data),
        "steps": result.steps,
        "metrics": {name: float(value) for name, value in result.metrics.items()},
        "seconds": round(time.monotonic() - started, 3),
    }


def repeat_training(arguments: Arguments, progress: Progress) -> dict[str, Any]:
    """Trains a revealed delta again. Takes what `train_delta` takes, and the revealed file as `claimed`.

    Returns `{"same": whether the bytes are equal, "cosine": between the two deltas}`: the same machine type
    and build give the same bytes, another one a cosine of 1 up to rounding, another seed one far below.

    Raises:
        Rejected: as `train_delta`, or the claimed file is no delta of the round.
    """
    made = train_delta(arguments, progress)
    _, spec, base = round_files(arguments)
    claimed, ours = (
        decode_delta(
            data,
            schema=schema_of(base.weights),
            max_bytes=spec.max_delta_bytes,
            base=spec.base,
            recipe=spec.recipe,
            codec=spec.codec,
        )
        for data in (Path(arguments["claimed"]).read_bytes(), Path(arguments["target"]).read_bytes())
    )
    same = made["digest"] == digest_of(Path(arguments["claimed"]).read_bytes()).hex()
    return {"same": same, "cosine": 1.0 if same else cosine(ours, claimed)}


def round_files(arguments: Arguments) -> tuple[Recipe, RoundSpec, Model]:
    """Recipe, spec and base model of a round. Raises: Rejected as their readers do."""
    recipe = Recipe.from_bytes(Path(arguments["recipe"]).read_bytes())
    spec = decode_spec(Path(arguments["spec"]).read_bytes())
    return recipe, spec, load_model(Path(arguments["base"]), recipe)


def _probe(path: str | None) -> Shard | None:
    """The public probe frames: a stranger chose them, and the latents of all are held at once.

    Raises:
        Rejected: too many (`probe-too-large`), or no shard.
    """
    if path is None:
        return None
    shard = load_shard(Path(path))
    if shard.length > MAX_PROBE_LENGTH or shard.episodes * shard.length > MAX_PROBE_FRAMES:
        raise Rejected(
            f"{shard.episodes} probe episodes of {shard.length} frames; at most {MAX_PROBE_LENGTH} each "
            f"and {MAX_PROBE_FRAMES} in all are compared",
            reason="probe-too-large",
        )
    return shard


def _in_frame_of(base: Arrays, trained: Arrays, recipe: Recipe, probe: Shard | None) -> tuple[Arrays, float]:
    """The trained weights, turned onto the base's latent frame where the recipe asks for it, and the rms
    angle in degrees by which they had left it.

    Raises:
        FrameDeficient: one of the frames has too few directions to compare.
    """
    if probe is None:
        return trained, 0.0
    theirs, ours = (frame_latents(weights, recipe, probe) for weights in (base, trained))
    found = drift(theirs, ours)
    if found.rms_degrees <= recipe.align_above:
        return trained, found.rms_degrees
    return align(trained, theirs, ours, rotate_world_model).weights, found.rms_degrees


def _residual(path: str | None, schema: Schema, codec: str) -> Residual | None:
    if path is None:
        return None
    file = Path(path)
    return decode_residual(file.read_bytes(), schema=schema, max_bytes=file.stat().st_size, codec=codec)
