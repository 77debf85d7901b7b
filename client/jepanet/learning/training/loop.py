"""Local training of one round: the same weights, shard, recipe and seed give the same bytes.

    weights ──▶ steps x (the family's batch ─▶ its loss ─▶ gradient, clipped ─▶ AdamW) ──▶ weights'

Bit-for-bit only on one machine and build with one thread; across machines compare within a tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from jepanet.learning.data.shards import Shard
from jepanet.learning.family import Network, check_weights
from jepanet.learning.recipe import Recipe
from jepanet.learning.seeding import derive, torch_generator
from jepanet.learning.training.determinism import deterministic
from jepanet.learning.training.divergence import DivergenceGate
from jepanet.learning.training.optimiser import AdamW, clip, learning_rate
from jepanet.tensors import Arrays

Penalty = Callable[[Network, int], Tensor]
"""(model, step from 0) -> scalar added to the loss; carries its own weight."""


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step of training, for progress lines and dashboards."""

    step: int
    """From 1 to `steps`."""
    steps: int
    loss: float
    parts: dict[str, float]
    """The parts of the loss that the family reports."""
    penalty: float
    gradient_norm: float
    """Before clipping."""
    learning_rate: float


@dataclass(frozen=True, slots=True)
class TrainResult:
    weights: Arrays
    metrics: dict[str, float]
    """loss_first, loss_last, `_last` of every part of the loss that the family reports, gradient_norm_max."""
    steps: int


def train(
    weights: Arrays,
    shard: Shard,
    recipe: Recipe,
    *,
    seed: bytes,
    steps: int | None = None,
    start_step: int = 0,
    total_steps: int | None = None,
    penalties: Sequence[Penalty] = (),
    frozen: tuple[str, ...] = (),
    on_step: Callable[[StepReport], None] | None = None,
    device: str = "cpu",
) -> TrainResult:
    """Trains from `weights`, which `check_weights` has passed, on one shard with a fresh optimiser.

    `start_step` is the global step at which this round begins; the cosine schedule runs over `total_steps`
    global steps (defaults: the recipe's). `seed` drives the family's batches and its loss.
    Parameters whose names start with an entry of `frozen` keep their values, and those the family freezes.

    Raises:
        Rejected: `diverged`; `shard-mismatch` when the shard does not fit the recipe; `non-finite` when the
            last step spoiled the weights.
    """
    count = recipe.inner_steps if steps is None else steps
    horizon = recipe.total_steps if total_steps is None else total_steps
    family = recipe.family
    family.check_shard(shard)
    batches = family.batches(shard, seed)
    sketches = torch_generator(seed, "directions")
    gate = DivergenceGate(recipe.explode)
    reports: list[StepReport] = []
    with deterministic():
        model = family.network(weights, device)
        rules, kept = recipe.optimiser, (*frozen, *family.frozen)
        parameters = [item for name, item in model.named_parameters() if not name.startswith(kept)]
        optimiser = AdamW(parameters, rules)
        for step in range(count):
            rate = learning_rate(rules, step, count, start_step + step, horizon)
            terms = model.loss(next(batches).to(device), sketches)
            penalty = sum((term(model, step) for term in penalties), terms.loss.new_zeros(()))
            loss = terms.loss + penalty
            gate.admit(step, float(loss.detach()))
            gradients = torch.autograd.grad(loss, parameters)
            norm = clip(gradients, rules.clip)
            gate.admit_gradient(step, norm)
            optimiser.step(gradients, rate)

            reports.append(
                StepReport(
                    step=step + 1,
                    steps=count,
                    loss=float(loss.detach()),
                    parts={name: float(part.detach()) for name, part in terms.parts.items()},
                    penalty=float(penalty.detach()),
                    gradient_norm=norm,
                    learning_rate=rate,
                )
            )
            if on_step is not None:
                on_step(reports[-1])
        trained = model.weights()
    check_weights(trained, family, what="trained weights")
    return TrainResult(trained, _summary(reports), count)


def warm_start(
    recipe: Recipe,
    public_shard: Shard,
    seed: bytes,
    *,
    steps: int | None = None,
    on_step: Callable[[StepReport], None] | None = None,
    device: str = "cpu",
) -> Arrays:
    """The model of round 0: seeded initial weights, trained on public data with a schedule of its own.

    Anyone can repeat it. `steps` defaults to the recipe's `warm_steps`.

    Raises:
        Rejected: as `train`.
    """
    count = recipe.warm_steps if steps is None else steps
    weights = recipe.family.initial_weights(derive(seed, "initial"))
    if count == 0:
        return weights
    rules = replace(recipe.optimiser, learning_rate=recipe.warm_rate)
    return train(
        weights,
        public_shard,
        replace(recipe, optimiser=rules),
        seed=derive(seed, "warm start"),
        steps=count,
        total_steps=count,
        on_step=on_step,
        device=device,
    ).weights


def _summary(reports: Sequence[StepReport]) -> dict[str, float]:
    if not reports:
        return {}
    first, last = reports[0], reports[-1]
    return {
        "loss_first": first.loss,
        "loss_last": last.loss,
        **{f"{name}_last": value for name, value in last.parts.items()},
        "gradient_norm_max": max(report.gradient_norm for report in reports),
    }
