"""The gradient of one step: the mean over its batches, of their loss and what is added to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from jepanet.learning.family import Batch, Network
from jepanet.learning.training.resuming.state import TrainingState
from jepanet.learning.training.step.precision import lowered

Penalty = Callable[[Network, int], Tensor]
"""(model, step from 0) -> scalar added to the loss; carries its own weight."""


@dataclass(frozen=True, slots=True)
class Gradient:
    """Means over a step's batches. Gradients are of the scaled loss, in the order of the parameters."""

    loss: float
    parts: dict[str, float]
    penalty: float
    gradients: list[Tensor]


def mean_gradient(
    state: TrainingState,
    batches: Sequence[Batch],
    penalties: Sequence[Penalty],
    step: int,
    precision: str,
    device: str,
) -> Gradient:
    """Forward and backward through every batch of a step, one after the other.

    Raises:
        Rejected: of several processes, one computed another loss (`processes-differ`).
    """
    model, holding, count = state.model, state.holding, len(batches)
    losses, total, added, parts = list[float](), 0.0, 0.0, dict[str, float]()
    for number, batch in enumerate(batches, 1):
        with holding.adding(last=number == count):
            with lowered(precision, device):
                terms = holding.terms(batch, state.streams["directions"])
            penalty = sum((term(model, step) for term in penalties), terms.loss.new_zeros(()))
            loss = terms.loss + penalty
            holding.backward(loss * (state.scale.scale / count))
        losses.append(float(loss.detach()))
        total += losses[-1]
        added += float(penalty.detach())
        for name, part in terms.parts.items():
            parts[name] = parts.get(name, 0.0) + float(part.detach())
    holding.agree(f"the loss of step {step}", np.array(losses).tobytes())
    return Gradient(
        loss=total / count,
        parts={name: value / count for name, value in parts.items()},
        penalty=added / count,
        gradients=holding.gradients(),
    )
