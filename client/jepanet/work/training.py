"""Training jobs: a solver's delta, the same delta again for an audit, and the model of round 0.

Whoever has the same files and the seed repeats a training; what is done to the weights afterwards stands in
`work/contribution.py`.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.delta import DeltaHeader, delta_bytes
from jepanet.federation.deltas.feedback import Residual, decode_residual, encode_residual, residual_digest
from jepanet.federation.judging.similarity import cosine
from jepanet.files import write_atomically
from jepanet.learning.data.shards import Shard, load_shard
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import read_recipe
from jepanet.learning.training.loop import warm_start
from jepanet.learning.training.resuming.state import StepReport
from jepanet.learning.training.resuming.trace import TRACE
from jepanet.work.base_score import check_base
from jepanet.work.contribution import contribution
from jepanet.work.processes.part import Run
from jepanet.work.processes.together import Training, trained
from jepanet.work.requests.request import OnProgress, Progress
from jepanet.work.requests.training import (
    FirstModel,
    MakeFirstModel,
    RepeatedTraining,
    RepeatTraining,
    TrainDelta,
    TrainedDelta,
)
from jepanet.work.room import check_trainable
from jepanet.work.round_files import OpenedRound, open_round

MAX_PROBE_FRAMES = 100_000
"""As many as `jepanet dataset build` makes at most, in episodes of four."""
MAX_PROBE_LENGTH = 64
"""Frames of one probe episode: whole episodes are encoded together."""


def train_delta(request: TrainDelta, on_progress: OnProgress) -> TrainedDelta:
    """Trains from the base on the assigned shards; writes the encoded delta, and what a lossy codec left out.

    Raises:
        Rejected: the base is too weak (as `check_base`), training diverged, the latent frame lost its
            directions, there are too many probe frames, or a file does not fit the recipe.
        Transient: a shard is missing or damaged. Transient, Fatal: as `trained`, of several processes.
    """
    return _train_delta(request, open_round(request.round), on_progress)


def _train_delta(request: TrainDelta, round_: OpenedRound, on_progress: OnProgress) -> TrainedDelta:
    started = time.monotonic()
    _check_repeatable(round_.recipe)
    spec, base = round_.spec, round_.base.weights
    if request.public is not None:
        check_base(round_.recipe, base, load_shard(request.public), request.device)
    probe = None if request.probe is None else _probe(request.probe)
    run = Run(
        shards=request.shards,
        seed=request.seed,
        steps=spec.inner_steps,
        start_step=spec.start_step,
        total_steps=spec.total_steps,
        device=request.device,
        checkpoints=request.checkpoints,
    )
    training = Training(round_.recipe, base, run)
    shared = request.target.with_name(f"{request.target.name}.processes")

    def told(progress: Progress) -> None:
        if progress.loss is not None:
            on_progress(replace(progress, measures={}))

    result, _ = trained(training, request.processes, shared, told)
    before = None
    if request.residual is not None and spec.feedback_milli:
        before = _residual(request.residual, round_)
    made = contribution(
        result.weights,
        base,
        round_.recipe,
        codec=spec.codec,
        probe=probe,
        left_out=before.values if before else None,
        feedback=spec.feedback_milli / 1000,
        device=request.device,
    )
    data = delta_bytes(made.parts, DeltaHeader(base=spec.base, recipe=spec.recipe), spec.codec)
    if len(data) > spec.max_delta_bytes:
        raise Rejected(
            f"the delta has {len(data)} bytes, the round allows {spec.max_delta_bytes}", reason="too-large"
        )
    write_atomically(request.target, data)
    digest, kept = digest_of(data), None
    if made.left_out is not None:
        came_from = residual_digest(before) if before else None
        residual = encode_residual(Residual(made.left_out, digest, came_from, spec.codec))
        write_atomically(request.residual_target, residual)
        kept = digest_of(residual)
    traced = None
    if request.trace_target is not None:
        trace = TRACE.encode(result.trace)
        write_atomically(request.trace_target, trace)
        traced = digest_of(trace)
    return TrainedDelta(
        digest=digest,
        residual=kept,
        turned_degrees=round(made.turned_degrees, 3),
        bytes=len(data),
        steps=result.steps,
        metrics={name: float(value) for name, value in result.metrics.items()},
        seconds=round(time.monotonic() - started, 3),
        trace=traced,
        status=result.status.value,
    )


def repeat_training(request: RepeatTraining, on_progress: OnProgress) -> RepeatedTraining:
    """Trains a revealed delta again and compares.

    Raises:
        Rejected: as `train_delta`, or the claimed file is no delta of the round.
    """
    round_ = open_round(request.training.round)
    training = replace(request.training, checkpoints=None)  # an audit does all of the work itself
    made = _train_delta(training, round_, on_progress)
    revealed = request.claimed.read_bytes()
    claimed, ours = (round_.delta(data) for data in (revealed, request.training.target.read_bytes()))
    same = made.digest == digest_of(revealed)
    return RepeatedTraining(same, 1.0 if same else cosine(ours, claimed))


def make_first_model(request: MakeFirstModel, on_progress: OnProgress) -> FirstModel:
    """Round 0: the public warm start that anyone can repeat.

    Raises:
        Rejected: as the training loop, or a file does not fit.
    """
    recipe = read_recipe(request.recipe.read_bytes())
    _check_repeatable(recipe)
    check_trainable(recipe, request.device)
    weights = warm_start(
        recipe,
        load_shard(request.shard),
        request.seed,
        on_step=lambda step: on_progress(_progress(step)),
        device=request.device,
    )
    header = ModelHeader.of(recipe, 0)
    data = model_bytes(weights, header)
    write_atomically(request.target, data)
    return FirstModel(digest_of(data), len(data))


def _check_repeatable(recipe: Recipe) -> None:
    """Raises: Rejected (`not-repeatable`): others could not do again what is trained by it."""
    if not recipe.loop.deterministic:
        raise Rejected(
            "the recipe trains without fixed order of sums, so that nobody could repeat a round's training",
            reason="not-repeatable",
            remedy="leave loop.deterministic out of a project's recipe; it is for trainings by hand",
        )


def _progress(step: StepReport) -> Progress:
    return Progress(step.step, step.steps, step.loss)


def _probe(path: Path) -> Shard:
    """The public probe frames: a stranger chose them, and the latents of all are held at once.

    Raises:
        Rejected: too many (`probe-too-large`), or no shard.
    """
    shard = load_shard(path)
    if shard.length > MAX_PROBE_LENGTH or shard.episodes * shard.length > MAX_PROBE_FRAMES:
        raise Rejected(
            f"{shard.episodes} probe episodes of {shard.length} frames; at most {MAX_PROBE_LENGTH} each "
            f"and {MAX_PROBE_FRAMES} in all are compared",
            reason="probe-too-large",
        )
    return shard


def _residual(path: Path, round_: OpenedRound) -> Residual:
    codec = round_.spec.codec
    return decode_residual(
        path.read_bytes(), schema=round_.schema, max_bytes=path.stat().st_size, codec=codec
    )
