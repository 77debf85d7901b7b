"""Training by hand: the loop that a solver's delta comes from, on shards of one's own, to a model file."""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import torch

from jepanet.cid import digest_of
from jepanet.files import write_atomically
from jepanet.learning.family import Batch
from jepanet.learning.memory import training_memory
from jepanet.learning.model_file import ModelHeader, load_model, model_bytes
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import read_recipe
from jepanet.learning.seeding import derive, torch_generator
from jepanet.learning.training.resuming.trace import TRACE
from jepanet.tensors import Arrays
from jepanet.work.processes.part import Run, data_of
from jepanet.work.processes.together import Training, trained
from jepanet.work.requests.local_training import PlannedTraining, PlanTraining, TrainedLocally, TrainLocally
from jepanet.work.requests.request import OnProgress
from jepanet.work.room import check_trainable

_TIMED_STEPS = 4
"""The first of them is left out: it fills caches."""


def train_locally(request: TrainLocally, on_progress: OnProgress) -> TrainedLocally:
    """Trains, or goes on from the checkpoints of a call before, and writes model and trace.

    Raises:
        Rejected: as the training loop, or a file does not fit the recipe.
    """
    began = time.monotonic()
    recipe = read_recipe(request.recipe.read_bytes())
    weights, header = _start(request, recipe)
    run = Run(
        shards=request.shards,
        seed=derive(request.seed, "training"),
        steps=recipe.inner_steps,
        start_step=0,
        total_steps=recipe.total_steps,
        device=request.device,
        checkpoints=request.checkpoints,
        from_scratch=request.base is None,
    )
    training = Training(recipe, weights, run)
    shared = request.target.with_name(f"{request.target.name}.processes")
    result, _ = trained(training, request.processes, shared, on_progress)
    data = model_bytes(result.weights, header)
    write_atomically(request.trace_target, TRACE.encode(result.trace))
    write_atomically(request.target, data)
    return TrainedLocally(
        digest=digest_of(data),
        bytes=len(data),
        steps=result.steps,
        status=result.status.value,
        metrics={name: float(value) for name, value in result.metrics.items()},
        seconds=round(time.monotonic() - began, 3),
    )


def plan_training(request: PlanTraining, on_progress: OnProgress) -> PlannedTraining:
    """Does a few steps from random weights, without a guard, and says what all of them would take.

    Raises:
        Rejected: as `train_locally`.
    """
    recipe = read_recipe(request.recipe.read_bytes())
    check_trainable(recipe, request.device, request.processes.count)
    weights = recipe.family.initial_weights(derive(bytes(32), "initial"))
    moments = [time.monotonic()]
    with tempfile.TemporaryDirectory() as name:
        run = Run(
            shards=request.shards,
            seed=bytes(32),
            steps=_TIMED_STEPS,
            start_step=0,
            total_steps=recipe.total_steps,
            device=request.device,
            checkpoints=None,
        )
        training = Training(replace(recipe, guard=None), weights, run)
        memory = trained(
            training, request.processes, Path(name) / "processes", lambda _: moments.append(time.monotonic())
        )[1]
    took = [later - earlier for earlier, later in pairwise(moments[1:])]
    with closing(data_of(request.shards, recipe)) as data:
        data.check(recipe.family)
        batches = data.batches(recipe.family, bytes(32), guarded=recipe.guard is not None)
        batch = next(batches)
    samples = len(batch.examples) * recipe.loop.accumulate * recipe.inner_steps
    return PlannedTraining(
        parameters=recipe.parameters(),
        steps=recipe.inner_steps,
        samples=samples,
        examples=batches.examples,
        memory=memory,
        estimate=training_memory(recipe).on(request.device, request.processes.count),
        flops=_flops(recipe, weights, batch, request.device) * recipe.loop.accumulate * recipe.inner_steps,
        seconds_per_step=round(statistics.median(took), 6),
    )


def _start(request: TrainLocally, recipe: Recipe) -> tuple[Arrays, ModelHeader]:
    """Weights to begin with, and the header of the model that comes of them."""
    if request.base is None:
        return recipe.family.initial_weights(derive(request.seed, "initial")), ModelHeader.of(recipe, 0)
    data = request.base.model.read_bytes()
    model = load_model(data, read_recipe(request.base.recipe.read_bytes()))
    return model.weights, ModelHeader.of(recipe, model.header.round, digest_of(data))


def _flops(recipe: Recipe, weights: Arrays, batch: Batch, device: str) -> int:
    """Of one batch, forward and backward, as torch counts its matrix products and convolutions."""
    from torch.utils.flop_counter import FlopCounterMode  # here: it imports the compiler

    model = recipe.family.network(weights, device, weights)
    with FlopCounterMode(display=False) as counter:
        loss = model.loss(batch.to(device), torch_generator(bytes(32), "directions")).loss
        torch.autograd.grad(loss, [item for _, item in model.named_parameters()])
    return int(counter.get_total_flops())
