"""Training jobs: a solver's delta, the same delta again for an audit, and the model of round 0.

Whoever has the same files and the seed repeats a training; what is done to the weights afterwards stands in
`work/contribution.py`.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace

from jepanet.cid import digest_file, digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.delta import DeltaHeader, delta_bytes
from jepanet.federation.deltas.feedback import Residual, encode_residual, residual_digest
from jepanet.federation.judging.similarity import cosine
from jepanet.files import write_atomically
from jepanet.learning.data.shards import load_shard
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import read_recipe
from jepanet.learning.training.loop import warm_start
from jepanet.learning.training.resuming.state import StepReport
from jepanet.learning.training.resuming.trace import TRACE
from jepanet.work.auditing import segments_of, write_transcript
from jepanet.work.base_score import check_base
from jepanet.work.last_steps import last_steps
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
    segments = None if request.audit is None else segments_of(spec, round_.recipe, request.audit)
    run = Run(
        shards=request.shards,
        seed=request.seed,
        steps=spec.inner_steps,
        start_step=spec.start_step,
        total_steps=spec.total_steps,
        device=request.device,
        checkpoints=request.checkpoints,
        segments=segments,
    )
    training = Training(round_.recipe, base, run)
    shared = request.target.with_name(f"{request.target.name}.processes")

    def told(progress: Progress) -> None:
        if progress.loss is not None:
            on_progress(replace(progress, measures={}))

    result, _ = trained(training, request.processes, shared, told)
    last = last_steps(
        result.weights, round_, probe=request.probe, residual=request.residual, device=request.device
    )
    made, before, left = last.made, last.before, None
    if request.audit is not None and segments is not None:
        taken = None if request.residual is None else digest_file(request.residual)
        rules = digest_of(request.round.spec.read_bytes())
        try:
            left = write_transcript(result, last, taken, rules, request.audit, segments)
        except Rejected as error:
            place = request.checkpoints
            if error.reason != "segments-missing" or place is None:
                raise
            # It went on from a checkpoint, and states from before it are gone: it is trained anew.
            shutil.rmtree(place.folder, ignore_errors=True)
            return _train_delta(replace(request, checkpoints=None), round_, on_progress)
    header = DeltaHeader(spec.base, spec.recipe, left.transcript if left else None)
    data = delta_bytes(made.parts, header, spec.codec)
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
        left=left,
    )


def repeat_training(request: RepeatTraining, on_progress: OnProgress) -> RepeatedTraining:
    """Trains a revealed delta again and compares.

    Raises:
        Rejected: as `train_delta`, or the claimed file is no delta of the round.
    """
    round_ = open_round(request.training.round)
    # Whoever repeats a training does all of the work.
    training = replace(request.training, checkpoints=None, audit=None)
    _train_delta(training, round_, on_progress)
    claimed = round_.delta(request.claimed.read_bytes())
    # What a solver leaves for audits hides losses under a key of its own: ours is a delta without.
    ours = replace(round_, spec=replace(round_.spec, audit=None)).delta(training.target.read_bytes())
    same = all(ours[name].tobytes() == array.tobytes() for name, array in claimed.items())
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
