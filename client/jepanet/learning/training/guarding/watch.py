"""The guard of one training: measures its loss on data that it does not train on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jepanet.learning.data.shards import Shard
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_loop import Guard
from jepanet.learning.training.guarding.regime import RegimeGate, first_bound
from jepanet.learning.training.guarding.validation import Validation
from jepanet.learning.training.resuming.state import Evaluation, TrainingState
from jepanet.tensors import Arrays


class Watch:
    """Measures one training as its recipe's guard says."""

    def __init__(
        self,
        recipe: Recipe,
        guard: Guard,
        weights: Arrays,
        held: Shard,
        device: str,
        *,
        base: Arrays | None,
    ) -> None:
        """`weights`: those that it begins with; `base` as in `Family.network`."""
        family = recipe.family
        self.guard = guard
        self._validation = Validation(family, held, device)
        vocabulary = family.sizes.vocabulary
        reference = 0.0
        if vocabulary is None:
            reference = self._validation.reference(guard.regime, weights, base)
        self._bound = first_bound(guard.regime, vocabulary=vocabulary, reference=reference)

    def gate(self) -> RegimeGate:
        return RegimeGate(self.guard, self._bound)

    def evaluate(self, state: TrainingState, tell: Callable[[Evaluation], None] | None) -> bool:
        """Measures a training; whether it is to stop early. Raises: Rejected as its gate."""
        gate = state.gate
        assert isinstance(gate, RegimeGate), "a guarded training has the gate of its watch"
        loss = self._validation.loss(state.holding.terms)
        state.holding.agree(f"the validation loss after {state.step} steps", np.array([loss]).tobytes())
        gate.admit_validation(state.step, loss)
        if tell is not None:
            tell(Evaluation(state.step, loss, state.epoch))
        return gate.stops(state.epoch)
