"""One step of a training, and where it lies among the others: the same for who trains and who audits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jepanet.learning.family import Batch
from jepanet.learning.recipe import Recipe
from jepanet.learning.training.guarding.divergence import check_finite
from jepanet.learning.training.resuming.state import StepReport, TrainingState
from jepanet.learning.training.step.gradient import Penalty, mean_gradient
from jepanet.learning.training.step.optimiser import clip
from jepanet.learning.training.step.schedule import learning_rate


@dataclass(frozen=True, slots=True)
class Span:
    """How many steps a training has, the global step of the first, and the length of the schedule."""

    count: int
    start: int
    horizon: int


def take_step(
    state: TrainingState,
    recipe: Recipe,
    span: Span,
    device: str,
    penalties: Sequence[Penalty] = (),
) -> tuple[StepReport, list[Batch]]:
    """Draws the batches of the next step and changes `state` by it.

    Raises:
        Rejected: `diverged`, as the gate of the state and `check_finite` say. Of several processes
            `processes-differ`.
        Transient: a shard of a stream is missing or damaged.
    """
    step, rules = state.step, recipe.optimiser
    rate = learning_rate(rules, step, span.count, span.start + step, span.horizon, recipe.loop.schedule)
    check_finite(step, "the learning rate", rate)
    batches = [next(state.batches) for _ in range(recipe.loop.accumulate)]
    found = mean_gradient(state, batches, penalties, step, recipe.loop.precision, device)
    state.gate.admit(step, found.loss)
    norm = 0.0
    if state.scale.unscaled(found.gradients, step, state.holding.everywhere):
        norm = clip(found.gradients, rules.clip, state.holding.norm)
        check_finite(step, "the gradient norm", norm)
        state.optimiser.step(found.gradients, rate)
    report = StepReport(
        step=step + 1,
        steps=span.count,
        loss=found.loss,
        parts=found.parts,
        penalty=found.penalty,
        gradient_norm=norm,
        learning_rate=rate,
    )
    state.admit(report, batches)
    return report, batches
