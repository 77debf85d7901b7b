"""When a guarded training has to stop: by its loss on data it does not train on, as its regime allows.

    loss[0] <= what the regime allows     before the first step
    loss[N] <= 2 loss[N-1]                at every measurement after it

Training loss, gradient norm and learning rate only have to be finite. Losses are not negative.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, log

import numpy as np

from jepanet.errors import Rejected
from jepanet.learning.recipe_loop import FINETUNE, FROM_SCRATCH, MAX_STEPS, Guard, Regime
from jepanet.learning.training.guarding.divergence import check_finite
from jepanet.tensors import Arrays

FINETUNE_NATS = 10.0
"""Most nats a token that a model may lose which was trained before."""
_FACTOR = 2.0


def first_bound(regime: Regime, *, vocabulary: int | None, reference: float) -> float:
    """Most that the first validation loss may be.

    With a `vocabulary`, losses are of the next token in nats: 10 in fine-tuning, and from scratch twice the
    entropy of guessing, 2 ln(vocabulary). Without one, twice the `reference`: in fine-tuning what the base
    itself loses on this data, from scratch what a random start does.

    Raises:
        Rejected: a vocabulary below 2 (`bad-recipe`), or a reference that is not finite (`diverged`).
    """
    if vocabulary is None:
        check_finite(0, "the loss that the validation loss is held against", reference)
        return _FACTOR * reference
    if vocabulary < 2:
        raise Rejected(
            f"a vocabulary of {vocabulary} has nothing to predict",
            reason="bad-recipe",
            remedy="at least 2 tokens",
        )
    return {FINETUNE: FINETUNE_NATS, FROM_SCRATCH: _FACTOR * log(vocabulary)}[regime.kind]


@dataclass(slots=True)
class RegimeGate:
    """Stops a training that leaves its regime; one of these sees one training."""

    guard: Guard
    bound: float
    """Of the first validation loss."""
    losses: list[float] = field(default_factory=list)
    """Validation losses so far: before the first step, and at every measurement after it."""

    def admit(self, step: int, loss: float) -> None:
        """Checks the training loss of `step`. Raises: Rejected (`diverged`) when it is not finite."""
        check_finite(step, "the training loss", loss)

    def admit_validation(self, step: int, loss: float) -> None:
        """Records the validation loss after `step` steps.

        Raises:
            Rejected: `start-too-high` or `loss-jumped`; `diverged` when it is not finite.
        """
        check_finite(step, "the validation loss", loss)
        if not self.losses and loss > self.bound:
            raise Rejected(
                f"training aborted at step {step}: the validation loss is {loss:.6g}, and a "
                f"{self.guard.regime.kind} training may begin with {self.bound:.6g} at most",
                reason="start-too-high",
            )
        if self.losses and loss > _FACTOR * self.losses[-1]:
            raise Rejected(
                f"training aborted at step {step}: the validation loss is {loss:.6g}, more than twice the "
                f"{self.losses[-1]:.6g} of the measurement before",
                reason="loss-jumped",
            )
        self.losses.append(loss)

    def stops(self, epoch: int) -> bool:
        """Whether the last measurements were no better than the best before them, after epochs enough."""
        patience = self.guard.patience
        if not patience or epoch < self.guard.minimum_epochs or len(self.losses) <= patience:
            return False
        return min(self.losses[-patience:]) >= min(self.losses[:-patience])

    def position(self) -> Arrays:
        """`losses` float64 [N], for a checkpoint."""
        return {"losses": np.array(self.losses, np.float64)}

    def go_to(self, position: Arrays) -> None:
        """Goes on from a position. Raises: Rejected as the losses would have been, or `wrong-shape`."""
        losses = position.get("losses", np.zeros(0))
        fits = losses.dtype == np.float64 and losses.ndim == 1 and 1 <= len(losses) <= MAX_STEPS + 1
        if set(position) != {"losses"} or not fits:
            raise Rejected("the gate of a guarded training has its losses", reason="wrong-shape")
        self.losses = []
        for number, loss in enumerate(losses.tolist()):
            self.admit_validation(number * self.guard.every, loss)


def perplexities(losses: list[float]) -> list[float]:
    """Of losses in nats a token; those that no float holds are cut."""
    return [exp(min(loss, 700.0)) for loss in losses]
