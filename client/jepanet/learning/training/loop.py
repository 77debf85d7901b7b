"""Local training of one round: the same weights, shard, recipe and seed give the same bytes.

    weights ──▶ steps x (windows ─▶ colour ─▶ encode ─▶ predict ─▶ loss ─▶ AdamW) ──▶ weights'

Bit-for-bit only on one machine and build with one thread; across machines compare within a tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from jepanet.errors import Rejected
from jepanet.learning.data.shards import Shard
from jepanet.learning.data.windows import WindowSampler
from jepanet.learning.evaluation.guards import DivergenceGate
from jepanet.learning.families.world.model import Colour, WorldModel, load_world_model, normalise, weights_of
from jepanet.learning.families.world.schema import check_weights, init_weights
from jepanet.learning.objectives import world_objective
from jepanet.learning.recipe import Optimiser, Recipe
from jepanet.learning.seeding import derive, torch_generator
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


class AdamW:
    """AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) over torch's own fused kernel.

    `torch.optim.AdamW` does the same sums, but building one imports the compiler: three seconds of every
    worker's first job.
    """

    def __init__(self, parameters: Sequence[Tensor], rules: Optimiser) -> None:
        self._parameters = list(parameters)
        self._rules = rules
        self._means = [torch.zeros_like(item) for item in self._parameters]
        self._squares = [torch.zeros_like(item) for item in self._parameters]
        self._steps = [torch.zeros((), device=item.device) for item in self._parameters]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], rate: float) -> None:
        """One step at learning rate `rate`; the gradients are in the order of the parameters."""
        rules = self._rules
        adamw(
            self._parameters, list(gradients), self._means, self._squares, [], self._steps, fused=True,
            amsgrad=False, beta1=rules.beta1, beta2=rules.beta2, lr=rate,
            weight_decay=rules.weight_decay, eps=1e-8, maximize=False,
        )  # fmt: skip


def clip(gradients: Sequence[Tensor], limit: float) -> float:
    """Scales gradients in place to a global L2 norm of at most `limit`; returns the norm before."""
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(list(gradients))))
    torch._foreach_mul_(list(gradients), torch.clamp(limit / (norm + 1e-6), max=1.0))
    return float(norm)


def learning_rate(rules: Optimiser, local: int, count: int, globally: int, total: int) -> float:
    """Linear warm-up and cool-down over `count` local steps, times a cosine over global steps."""
    warm = min(1.0, (local + 1) / rules.warmup) if rules.warmup else 1.0
    cool = min(1.0, (count - local) / (rules.cooldown * count)) if rules.cooldown else 1.0
    progress = min(1.0, globally / max(1, total))
    cosine = rules.final + (1.0 - rules.final) * 0.5 * (1.0 + math.cos(math.pi * progress))
    return rules.learning_rate * warm * cool * cosine


def draw_colour(generator: torch.Generator, device: str = "cpu", *, hues: bool = True) -> Colour:
    """A random linear map of colours: gains in [0.5, 1.5] for the channels and one sign, then any rotation
    (`hues`) or any order of the channels.

    With rotations background, wall and agent take any hue, while contrasts between them stay within the
    gains. Rotations are uniform: a normalised Gaussian quaternion (Muller 1959, doi:10.1145/377939.377946).
    """
    mixed = _rotation(generator) if hues else torch.eye(3)[torch.randperm(3, generator=generator)]
    gains = 0.5 + torch.rand(3, generator=generator)
    sign = 1.0 if torch.rand((), generator=generator) < 0.5 else -1.0
    return (mixed * (gains * sign)).to(device)


def _rotation(generator: torch.Generator) -> Tensor:
    quaternion = torch.randn(4, generator=generator)
    w, x, y, z = (quaternion / quaternion.norm()).tolist()
    return torch.tensor(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def turn(frames: Tensor, actions: Tensor, which: int) -> tuple[Tensor, Tensor]:
    """One of the square's eight symmetries, applied to frames [..., S, S] and actions [..., 2] (x, y) alike.

    Bit 0 of `which` mirrors x, bit 1 mirrors y, bit 2 swaps the axes.
    """
    mirrored = [axis for axis, bit in ((-1, 1), (-2, 2)) if which & bit]
    if mirrored:
        frames = frames.flip(mirrored)
        signs = [-1.0 if which & bit else 1.0 for bit in (1, 2)]
        actions = actions * torch.tensor(signs, device=actions.device)
    return (frames.transpose(-1, -2), actions.flip(-1)) if which & 4 else (frames, actions)


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


@contextmanager
def deterministic() -> Iterator[None]:
    """One thread and deterministic kernels, with the previous settings restored afterwards."""
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    memory: Any = torch.utils.deterministic
    filling = memory.fill_uninitialized_memory
    torch.set_num_threads(1)
    # The same switch as use_deterministic_algorithms, which would import the compiler: three seconds of every
    # worker's first job.
    torch.set_deterministic_debug_mode("error")
    # Nothing here reads uninitialised memory, and filling it costs a tenth of a step.
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(mode)
        memory.fill_uninitialized_memory = filling


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
