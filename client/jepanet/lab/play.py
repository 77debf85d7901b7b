"""Plays one arm of a comparison: the same training, codecs, merges and outer step as the network's nodes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from jepanet.errors import Rejected
from jepanet.federation.deltas.delta import DeltaHeader, decode_parts, delta_bytes, schema_of
from jepanet.federation.judging.similarity import norm
from jepanet.federation.merging.coded import coded_step
from jepanet.federation.merging.lengths import shortened
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

_ENCODER = "encoder."
_HEADER = DeltaHeader(ZERO_DIGEST, ZERO_DIGEST)
"""Of delta files that are only weighed."""
ABORTED = ("diverged", "start-too-high", "loss-jumped", "non-finite")
"""Reasons for which a training is aborted: that solver then sends nothing in the round."""
NOTHING_TO_TRAIN = "nothing-to-train"
OnRound = Callable[[int, Arrays | None], None]
"""(round from 1, the global model after it, or None where there is none)."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """One training that was aborted."""

    round: int
    """From 1; 1 for a solver that trains alone."""
    solver: int
    why: str


@dataclass(slots=True)
class Played:
    """What an arm made: one global model, or one model a solver."""

    models: list[Arrays]
    solvers: list[int | None] = field(default_factory=lambda: [None])
    """Whose each model is; None: of all."""
    aborted: list[Aborted] = field(default_factory=list)
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
    device: str = "cpu",
) -> Played:
    """Trains one arm for `rounds` rounds of the recipe's inner steps, from the public warm start.

    A federation's learning-rate schedule is that long, or `total_steps` local steps if that is longer. A
    solver whose training is aborted sends nothing in that round, and the round goes on without it.

    Raises:
        Rejected: training was aborted (`ABORTED`) where nobody is left to go on, latents lost the directions
            that an aligned arm needs, or an arm does not fit the family (`NOTHING_TO_TRAIN`, `no-frames`).
    """
    recipe, rounds = arm.recipe(recipe), rounds * arm.split
    if arm.scheme == "start":
        return Played([start])
    if arm.scheme == "pooled":
        return _pooled(arm, recipe, sites, start, seed, rounds, on_round, device)
    if arm.scheme == "local":
        return _local(recipe, sites, start, seed, rounds, device)
    if arm.frozen_encoder and all(name.startswith((_ENCODER, *recipe.family.frozen)) for name in start):
        raise Rejected(
            f"family {recipe.family.name} trains its encoder and nothing else: frozen, it is the start",
            reason=NOTHING_TO_TRAIN,
        )
    total = max(total_steps, rounds * recipe.inner_steps)
    return _federated(arm, recipe, sites, start, seed, rounds, total, on_round, device)


def _pooled(
    arm: Arm,
    recipe: Recipe,
    sites: Sites,
    start: Arrays,
    seed: bytes,
    rounds: int,
    on_round: OnRound,
    device: str,
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
        device=device,
    ).weights  # fmt: skip
    return Played([weights])


def _local(recipe: Recipe, sites: Sites, start: Arrays, seed: bytes, rounds: int, device: str) -> Played:
    """Without a break between rounds, as nobody waits for anybody: one optimiser, one warm-up."""
    count, played = rounds * recipe.inner_steps, Played([], [])
    for solver in range(len(sites.training)):
        shard = _data(recipe, sites, seed, 1, solver)
        try:
            made = train(
                start, shard, recipe, seed=_seed(seed, 1, solver), steps=count, total_steps=count,
                device=device,
            ).weights  # fmt: skip
        except Rejected as error:
            _note(played, error, 1, solver)
            continue
        played.models.append(made)
        played.solvers.append(solver)
    _check_somebody(played, bool(played.models))
    return played


def _note(played: Played, error: Rejected, number: int, solver: int) -> None:
    """Raises: what is no aborted training."""
    if error.reason not in ABORTED:
        raise error
    played.aborted.append(Aborted(number, solver, error.message))


def _check_somebody(played: Played, trained: bool) -> None:
    """Raises: Rejected (`diverged`) when every training of an arm was aborted."""
    if not trained:
        raise Rejected(
            f"every training of every solver was aborted: {played.aborted[0].why}", reason="diverged"
        )


def _data(recipe: Recipe, sites: Sites, seed: bytes, number: int, solver: int) -> Shard:
    """What a solver trains on in a round: its own shard, and of the others as many as the recipe assigns to
    it (`loop.shards`), drawn anew in every round. All are in memory; nothing is streamed here."""
    others = [index for index in range(len(sites.training)) if index != solver]
    further = min(recipe.loop.shards - 1, len(others))
    if not further:
        return sites.training[solver]
    drawn = numpy_generator(seed, f"shards of round {number} solver {solver}").permutation(others)[:further]
    return joined([sites.training[solver], *(sites.training[index] for index in drawn.tolist())])


def _federated(
    arm: Arm,
    recipe: Recipe,
    sites: Sites,
    start: Arrays,
    seed: bytes,
    rounds: int,
    total: int,
    on_round: OnRound,
    device: str,
) -> Played:
    count = len(sites.training)
    penalties = [_anchor(arm.anchor, start, recipe, sites.probe, seed, device)] if arm.anchor else []
    frozen = (_ENCODER,) if arm.frozen_encoder else ()
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
        for solver, base in enumerate(bases):
            shard = _data(recipe, sites, seed, number, solver)
            try:
                trained = _trained(
                    recipe, shard, base, seed, total, number, solver, penalties=penalties, frozen=frozen,
                    device=device,
                )  # fmt: skip
            except Rejected as error:
                _note(played, error, number, solver)
                continue
            made = contribution(
                trained,
                weights,
                recipe,
                codec=arm.codec,
                probe=sites.probe if arm.align and recipe.aligns else None,
                left_out=residuals[solver],
                feedback=arm.feedback,
                device=device,
            )
            residuals[solver] = made.left_out
            played.sent.append(len(delta_bytes(made.parts, _HEADER, arm.codec)))
            delta = decode_parts(made.parts, schema_of(weights), arm.codec)
            if solver >= arm.attackers:
                deltas.append(delta)
            elif arm.attack != "absent":
                deltas.append(_attack(arm, delta, seed, number, solver))
        if not deltas:  # nothing is merged, as on a network
            recent = [*recent, weights][-arm.tail :]
            on_round(number, mean(recent))
            continue
        # The way from the public start to models that did not begin there is no direction to go on in.
        rates = (1.0, 0.0) if apart else (arm.outer_lr, arm.outer_momentum)
        merged = RULES[arm.rule](shortened(deltas, round(1000 * recipe.gates.longest)))
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
    _check_somebody(played, bool(played.sent))
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
    device: str = "cpu",
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
        device=device,
    ).weights


def _seed(seed: bytes, number: int, solver: int) -> bytes:
    return derive(seed, f"round {number} solver {solver}")


def _anchor(weight: float, start: Arrays, recipe: Recipe, probe: Shard, seed: bytes, device: str) -> Penalty:
    reference = frame_latents(start, recipe, probe, device=device).astype(np.float32)
    return frame_anchor(reference, probe.pictures, weight, seed=derive(seed, "anchor"))


def _attack(arm: Arm, honest: Arrays, seed: bytes, number: int, solver: int) -> Arrays:
    if arm.attack == "reversed":
        return {name: -array for name, array in honest.items()}
    draw = numpy_generator(seed, f"attack {number} {solver}")
    noise = {name: draw.standard_normal(array.shape).astype(np.float32) for name, array in honest.items()}
    factor = np.float32(10.0 * norm(honest) / norm(noise))
    return {name: array * factor for name, array in noise.items()}
