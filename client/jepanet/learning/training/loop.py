"""Local training of one round: the same weights, shard, recipe and seed give the same bytes.

    weights ──▶ steps x (windows ─▶ colour ─▶ encode ─▶ predict ─▶ loss ─▶ AdamW) ──▶ weights'

Bit-for-bit only on one machine and build with one thread; across machines compare within a tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from jepanet.errors import Rejected
from jepanet.learning.data.shards import Shard
from jepanet.learning.data.windows import WindowSampler
from jepanet.learning.families.world.augment import draw_colour, turn
from jepanet.learning.families.world.model import WorldModel, load_world_model, normalise, weights_of
from jepanet.learning.families.world.objective import world_objective
from jepanet.learning.families.world.schema import check_weights, init_weights
from jepanet.learning.recipe import Recipe
from jepanet.learning.seeding import derive, torch_generator
from jepanet.learning.training.determinism import deterministic
from jepanet.learning.training.divergence import DivergenceGate
from jepanet.learning.training.optimiser import AdamW, clip, learning_rate
from jepanet.tensors import Arrays

Penalty = Callable[[WorldModel, Tensor, int], Tensor]
"""(model, latents [B, T, D] of the batch, step) -> scalar added to the loss; carries its own weight."""


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step of training, for progress lines and dashboards."""

    step: int
    """From 1 to `steps`."""
    steps: int
    loss: float
    prediction: float
    sigreg: float
    moments: float
    penalty: float
    gradient_norm: float
    """Before clipping."""
    learning_rate: float


@dataclass(frozen=True, slots=True)
class TrainResult:
    weights: Arrays
    metrics: dict[str, float]
    """loss_first, loss_last, prediction_last, sigreg_last, gradient_norm_max."""
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
    """Trains from `weights` on one shard with a fresh optimiser.

    `start_step` is the global step at which this round begins; the cosine schedule runs over `total_steps`
    global steps (defaults: the recipe's). `seed` drives data order, colour transforms and projections.
    Parameters whose names start with an entry of `frozen` keep their values.

    Raises:
        Rejected: `diverged`; `shard-mismatch` when the shard does not fit the recipe; `wrong-shape` or
            `non-finite` weights.
    """
    count = recipe.inner_steps if steps is None else steps
    horizon = recipe.total_steps if total_steps is None else total_steps
    check_weights(weights, recipe, what="starting weights")
    check_fit(shard, recipe)
    sampler = WindowSampler(shard.site, shard.length, recipe.window, torch_generator(seed, "windows"))
    colours, sketches = torch_generator(seed, "colours"), torch_generator(seed, "directions")
    turns = torch_generator(seed, "turns")
    gate = DivergenceGate(recipe.explode)
    reports: list[StepReport] = []
    with deterministic():
        model = load_world_model(recipe, weights, device)
        frames, actions = torch.tensor(shard.frames), torch.tensor(shard.actions)
        rules = recipe.optimiser
        parameters = [item for name, item in model.named_parameters() if not name.startswith(frozen)]
        optimiser = AdamW(parameters, rules)
        for step in range(count):
            rate = learning_rate(rules, step, count, start_step + step, horizon)
            episode, moments = sampler.draw(recipe.windows)
            batch = frames[episode.unsqueeze(1), moments].to(device)
            acted = actions[episode.unsqueeze(1), moments[:, :-1]].to(device)
            if recipe.symmetry:
                batch, acted = turn(batch, acted, int(torch.randint(8, (), generator=turns)))
            colour = draw_colour(colours, device, hues=recipe.hues) if recipe.colour else None

            latents = model.encode(normalise(batch, colour))
            terms = world_objective(latents, model.predict(latents, acted), recipe.objective, sketches)
            penalty = sum((term(model, latents, step) for term in penalties), latents.new_zeros(()))
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
                    prediction=float(terms.prediction.detach()),
                    sigreg=float(terms.sigreg.detach()),
                    moments=float(terms.moments.detach()),
                    penalty=float(penalty.detach()),
                    gradient_norm=norm,
                    learning_rate=rate,
                )
            )
            if on_step is not None:
                on_step(reports[-1])
        trained = weights_of(model)
    check_weights(trained, recipe, what="trained weights")
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
    weights = init_weights(recipe, derive(seed, "initial"))
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


def check_fit(shard: Shard, recipe: Recipe) -> None:
    """Checks frame size and action dimensions against the recipe.

    Raises:
        Rejected: reason `shard-mismatch`.
    """
    actions = shard.actions.shape[-1]
    if shard.image != recipe.model.image or actions != recipe.model.actions:
        raise Rejected(
            f"shard has {shard.image}-pixel frames and {actions} action dimensions; the recipe wants "
            f"{recipe.model.image} and {recipe.model.actions}",
            reason="shard-mismatch",
        )


def _summary(reports: Sequence[StepReport]) -> dict[str, float]:
    if not reports:
        return {}
    first, last = reports[0], reports[-1]
    return {
        "loss_first": first.loss,
        "loss_last": last.loss,
        "prediction_last": last.prediction,
        "sigreg_last": last.sigreg,
        "gradient_norm_max": max(report.gradient_norm for report in reports),
    }
