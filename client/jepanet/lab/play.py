"""Plays one arm of a comparison: the same training, codecs, merges and outer step as the network's nodes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from jepanet.federation.deltas.delta import DeltaHeader, decode_parts, delta_bytes, schema_of
from jepanet.federation.judging.similarity import norm
from jepanet.federation.merging.coded import coded_step
from jepanet.federation.merging.mean import mean
from jepanet.federation.merging.outer import outer_step
from jepanet.federation.merging.rules import RULES
from jepanet.lab.arms import Arm
from jepanet.lab.setting import Sites
from jepanet.learning.data.shards import Shard, joined
from jepanet.learning.evaluation.metrics import frame_latents
from jepanet.learning.recipe import Recipe
from jepanet.learning.seeding import derive, numpy_generator
from jepanet.learning.training.loop import train
from jepanet.learning.training.step.anchor import frame_anchor
from jepanet.learning.training.step.gradient import Penalty
from jepanet.tensors import Arrays
from jepanet.types import ZERO_DIGEST
from jepanet.work.contribution import contribution

_HEADER = DeltaHeader(ZERO_DIGEST, ZERO_DIGEST)
"""Of delta files that are only weighed."""
OnRound = Callable[[int, Arrays | None], None]
"""(round from 1, the global model after it, or None where there is none)."""


@dataclass(slots=True)
class Played:
    """What an arm made: one global model, or one model a solver."""

    models: list[Arrays]
    sent: list[int] = field(default_factory=list)
    """Bytes of every delta file that was sent."""


def seed_of(number: int) -> bytes:
    return hashlib.sha256(f"laboratory seed {number}".encode()).digest()


def play(
    arm: Arm,
    recipe: Recipe,
    sites: Sites,
    start: Arrays,
    seed: bytes,
    rounds: int,
    on_round: OnRound,
    *,
    total_steps: int = 0,
) -> Played:
    """Trains one arm for `rounds` rounds of the recipe's inner steps, from the public warm start.

    A federation's learning-rate schedule is that long, or `total_steps` local steps if that is longer.

    Raises:
        Rejected: training diverged, or latents lost the directions that an aligned arm needs.
    """
    recipe, rounds = arm.recipe(recipe), rounds * arm.split
    if arm.scheme == "start":
        return Played([start])
    if arm.scheme == "pooled":
        return _pooled(arm, recipe, sites, start, seed, rounds, on_round)
    if arm.scheme == "local":
        return _local(recipe, sites, start, seed, rounds)
    total = max(total_steps, rounds * recipe.inner_steps)
    return _federated(arm, recipe, sites, start, seed, rounds, total, on_round)


def _pooled(
    arm: Arm, recipe: Recipe, sites: Sites, start: Arrays, seed: bytes, rounds: int, on_round: OnRound
) -> Played:
    solvers, part = len(sites.training), recipe.inner_steps
    if arm.wide:
        recipe = replace(recipe, family=recipe.family.widened(solvers))
    else:
        part *= solvers
    count = rounds * part
    weights = train(
        start, joined(sites.training), recipe, seed=derive(seed, "pooled"), steps=count, total_steps=count,
        on_step=lambda step: on_round(step.step // part, None) if step.step % part == 0 else None,
    ).weights  # fmt: skip
    return Played([weights])


def _local(recipe: Recipe, sites: Sites, start: Arrays, seed: bytes, rounds: int) -> Played:
    """Without a break between rounds, as nobody waits for anybody: one optimiser, one warm-up."""
    count = rounds * recipe.inner_steps
    return Played(
        [
            train(start, shard, recipe, seed=_seed(seed, 1, solver), steps=count, total_steps=count).weights
            for solver, shard in enumerate(sites.training)
        ]
    )


def _federated(
    arm: Arm,
    recipe: Recipe,
    sites: Sites,
    start: Arrays,
    seed: bytes,
    rounds: int,
    total: int,
    on_round: OnRound,
) -> Played:
    count = len(sites.training)
    penalties = [_anchor(arm.anchor, start, recipe, sites.probe, seed)] if arm.anchor else []
    frozen = ("encoder.",) if arm.frozen_encoder else ()
    weights = start
    velocity: Arrays | None = None
    remainder: Arrays | None = None
    moving: Arrays | None
    recent: list[Arrays] = []
    residuals: list[Arrays | None] = [None] * count
    played = Played([])
    for number in range(1, rounds + 1):
        bases = [weights] * count
        apart = arm.own_start and number == 1
        if apart:
            bases = [
                recipe.family.initial_weights(derive(seed, f"start {solver}")) for solver in range(count)
            ]
        deltas = []
        for solver, (shard, base) in enumerate(zip(sites.training, bases, strict=True)):
            trained = _trained(
                recipe, shard, base, seed, total, number, solver, penalties=penalties, frozen=frozen
            )
            made = contribution(
                trained,
                weights,
                recipe,
                codec=arm.codec,
                probe=sites.probe if arm.align and recipe.aligns else None,
                left_out=residuals[solver],
                feedback=arm.feedback,
            )
            residuals[solver] = made.left_out
            played.sent.append(len(delta_bytes(made.parts, _HEADER, arm.codec)))
            delta = decode_parts(made.parts, schema_of(weights), arm.codec)
            if solver >= arm.attackers:
                deltas.append(delta)
            elif arm.attack != "absent":
                deltas.append(_attack(arm, delta, seed, number, solver))
        # The way from the public start to models that did not begin there is no direction to go on in.
        rates = (1.0, 0.0) if apart else (arm.outer_lr, arm.outer_momentum)
        merged = RULES[arm.rule](deltas)
        if arm.update_codec:
            step = coded_step(
                weights, merged, velocity, remainder, codec=arm.update_codec,
                carry_milli=round(1000 * arm.update_carry), lr_milli=round(1000 * rates[0]),
                momentum_milli=round(1000 * rates[1]),
            )  # fmt: skip
            weights, moving, remainder = step.weights, step.velocity, step.remainder
        else:
            weights, moving = outer_step(weights, merged, velocity, lr=rates[0], momentum=rates[1])
        velocity = None if apart else moving
        recent = [*recent, weights][-arm.tail :]
        on_round(number, mean(recent))
    played.models.append(mean(recent))
    return played


def _trained(
    recipe: Recipe,
    shard: Shard,
    weights: Arrays,
    seed: bytes,
    total: int,
    number: int,
    solver: int,
    *,
    penalties: Sequence[Penalty] = (),
    frozen: tuple[str, ...] = (),
) -> Arrays:
    """One solver's round; the same seeds in every arm, so that arms differ in nothing but what they do."""
    return train(
        weights,
        shard,
        recipe,
        seed=_seed(seed, number, solver),
        start_step=(number - 1) * recipe.inner_steps,
        total_steps=total,
        penalties=penalties,
        frozen=frozen,
    ).weights


def _seed(seed: bytes, number: int, solver: int) -> bytes:
    return derive(seed, f"round {number} solver {solver}")


def _anchor(weight: float, start: Arrays, recipe: Recipe, probe: Shard, seed: bytes) -> Penalty:
    reference = frame_latents(start, recipe, probe).astype(np.float32)
    return frame_anchor(reference, probe.pictures, weight, seed=derive(seed, "anchor"))


def _attack(arm: Arm, honest: Arrays, seed: bytes, number: int, solver: int) -> Arrays:
    if arm.attack == "reversed":
        return {name: -array for name, array in honest.items()}
    draw = numpy_generator(seed, f"attack {number} {solver}")
    noise = {name: draw.standard_normal(array.shape).astype(np.float32) for name, array in honest.items()}
    factor = np.float32(10.0 * norm(honest) / norm(noise))
    return {name: array * factor for name, array in noise.items()}
