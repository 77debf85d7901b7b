"""Local training of one round: the same weights, shard, recipe and seed give the same bytes.

    weights ──▶ steps x (the family's batches ─▶ their loss ─▶ mean gradient, clipped ─▶ AdamW) ──▶ weights'
                   │
                   ├─ every few steps, where there is a guard, the loss on what is not trained on
                   └─ every few steps a point of the trace, and behind it a checkpoint

Bit-for-bit only on one machine and build with one thread; across machines compare within a tolerance. Killed
and begun again with the same checkpoints, a training ends in the same bytes. Several processes that train
together change nothing but rounding: each computes some rows of the same batches (`several.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from enum import StrEnum

from jepanet.division import segment_steps
from jepanet.learning.auditing.division import segment_ends
from jepanet.learning.auditing.segments import Segments
from jepanet.learning.data.shards import Shard
from jepanet.learning.family import check_weights
from jepanet.learning.machine.determinism import deterministic
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_loop import FROM_SCRATCH, Regime
from jepanet.learning.seeding import derive
from jepanet.learning.training.beginning import begin
from jepanet.learning.training.guarding.divergence import DivergenceGate
from jepanet.learning.training.guarding.watch import Watch
from jepanet.learning.training.processes.spread import spread
from jepanet.learning.training.processes.together import SHARDED, Together
from jepanet.learning.training.resuming.checkpoints import Checkpoints
from jepanet.learning.training.resuming.state import Evaluation, StepReport, TrainingState
from jepanet.learning.training.resuming.trace import (
    Trace,
    cadence,
    digest_of_batches,
    digest_of_point,
    trace_point,
)
from jepanet.learning.training.resuming.training_file import run_of
from jepanet.learning.training.step.compiled import compile_parts, compiles, compiling
from jepanet.learning.training.step.gradient import Penalty
from jepanet.learning.training.step.taking import Span, take_step
from jepanet.learning.training.supply import InMemory, Supply
from jepanet.tensors import Arrays


class Status(StrEnum):
    """How a training ended that was not aborted: whoever aborts raises."""

    OK = "ok"
    EARLY_STOP = "early_stop"


@dataclass(frozen=True, slots=True)
class TrainResult:
    weights: Arrays
    metrics: dict[str, float]
    """loss_first, loss_last, `_last` of every part of the loss that the family reports, gradient_norm_max;
    with a guard also validation_first and validation_last."""
    steps: int
    """That were done: fewer than were asked for after an early stop."""
    trace: Trace
    status: Status


def train(
    weights: Arrays,
    data: Shard | Supply,
    recipe: Recipe,
    *,
    seed: bytes,
    steps: int | None = None,
    start_step: int = 0,
    total_steps: int | None = None,
    penalties: Sequence[Penalty] = (),
    frozen: tuple[str, ...] = (),
    on_step: Callable[[StepReport], None] | None = None,
    on_evaluation: Callable[[Evaluation], None] | None = None,
    device: str = "cpu",
    checkpoints: Checkpoints | None = None,
    together: Together | None = None,
    from_scratch: bool = False,
    segments: Segments | None = None,
) -> TrainResult:
    """Trains from `weights`, which `check_weights` has passed, on one shard, or on what a supply has, with a
    fresh optimiser.

    `start_step` is the global step at which this round begins; the cosine schedule runs over `total_steps`
    global steps (defaults: the recipe's). `seed` drives the family's batches and its loss.
    Parameters whose names start with an entry of `frozen` keep their values, and those the family freezes.
    With `checkpoints` it goes on where the newest usable one was written; `on_step` and `on_evaluation` then
    hear of what is later alone. With `together` this is one of several processes that call it alike, each
    with a part of every batch; `device` is then a kind, "cpu" or "cuda". One of them tells and writes.
    `from_scratch`: the weights are random, no base that an objective could hold on to.
    With `segments` the trace has points at its pace, and what they are digests of is kept in its folder.

    Raises:
        Transient: a shard of a stream is missing or damaged.
        Rejected: `diverged`, `start-too-high` or `loss-jumped` as the gates say; `no-room` for a state of
            `segments`; `shard-mismatch` when the shard does not fit the recipe; `non-finite` when the last
            step spoiled the weights.
            Of several processes also `processes-differ` and `too-many-processes`. Where it is to be compiled,
            `no-compiler` and `no-compile`.
        ValueError: checkpoints together with penalties, of which a checkpoint knows nothing; several
            processes and penalties, whose statistics they would not pool.
    """
    count = recipe.inner_steps if steps is None else steps
    horizon = recipe.total_steps if total_steps is None else total_steps
    span, kept = Span(count, start_step, horizon), (*frozen, *recipe.family.frozen)
    every = cadence(recipe) if segments is None else segment_steps(count, segments.count)
    ends = frozenset(() if segments is None else segment_ends(recipe, count, segments.count))
    if checkpoints is not None and penalties:
        raise ValueError("a checkpoint does not tell which penalties a training has")
    if together is not None and penalties:
        raise ValueError("several processes do not know penalties")
    supply: Supply = InMemory(data) if isinstance(data, Shard) else data
    supply.check(recipe.family)
    here = device if together is None else together.device(device)

    compiled = compiles(recipe, device, count)
    repeatable = deterministic() if recipe.loop.deterministic else nullcontext()
    place, rank = checkpoints.folder if checkpoints else None, together.rank if together else 0
    with closing(supply), repeatable, compiling(compiled, place, rank, fixed=recipe.loop.deterministic):
        base = None if from_scratch else weights
        watch = None
        if recipe.guard is not None:
            watch = Watch(recipe, recipe.guard, weights, supply.held_out(), here, base=base)

        def fresh() -> TrainingState:
            gate = watch.gate() if watch else DivergenceGate(recipe.explode)
            return begin(recipe, weights, supply, gate, seed=seed, frozen=kept, device=here, base=base)

        if checkpoints is None:
            state = fresh()
        else:
            run = run_of(
                recipe, weights, supply.identity(),
                seed=seed, steps=(count, start_step, horizon), frozen=kept, device=device,
                from_scratch=from_scratch,
            )  # fmt: skip
            state = checkpoints.resume(fresh, run, count)
        if compiled:
            compile_parts(state.model, whole=together is None or together.way != SHARDED)
        if together is not None:
            spread(state, together, here)
        speaks = state.holding.speaks
        on_step, on_evaluation = (on_step, on_evaluation) if speaks else (None, None)
        status = Status.OK
        if watch and state.step == 0:
            watch.evaluate(state, on_evaluation)
        losses = list[float]()
        for _ in range(state.step, count):
            report, batches = take_step(state, recipe, span, here, penalties)
            losses.append(report.loss)
            if on_step is not None:
                on_step(report)
            last = state.step == count
            evaluated = watch is not None and (state.step % watch.guard.every == 0 or last)
            if watch and evaluated and watch.evaluate(state, on_evaluation):
                status, last = Status.EARLY_STOP, True
            due = state.step % every == 0 if segments is None else state.step in ends
            if due or evaluated or last:
                now = state.parts()
                point = trace_point(state.step, now, digest_of_batches(batches))
                state.holding.agree(f"its state after step {state.step}", digest_of_point(point))
                state.trace.append(point)
                if segments is not None and speaks:
                    segments.keep(state.step, now, losses)
                losses.clear()
                # Of weights that a guard has not seen there is no checkpoint.
                if checkpoints is not None and speaks and not last and (watch is None or evaluated):
                    checkpoints.offer(state, run, now)
            if last:
                break
        trained = state.weights()
    check_weights(trained, recipe.family, what="trained weights")
    return TrainResult(trained, state.reported(), state.step, Trace(every, tuple(state.trace)), status)


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
    guard = recipe.guard and replace(recipe.guard, regime=Regime(FROM_SCRATCH))
    return train(
        weights,
        public_shard,
        replace(recipe, optimiser=rules, guard=guard),
        seed=derive(seed, "warm start"),
        steps=count,
        total_steps=count,
        on_step=on_step,
        device=device,
        from_scratch=True,
    ).weights
