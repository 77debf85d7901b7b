"""The loss on a fixed fifth of a shard, on which nothing is trained: the same number for everybody."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from jepanet.errors import Rejected
from jepanet.learning.data.shards import Shard
from jepanet.learning.family import NEXT_TOKEN, Batch, Family, Terms
from jepanet.learning.recipe_loop import FROM_SCRATCH, Regime
from jepanet.learning.seeding import derive, torch_generator
from jepanet.learning.training.processes.holding import Alone
from jepanet.tensors import Arrays

FIFTH = 5
MOST_BATCHES = 8
"""A measurement then costs about as much as three steps, however large the shard is."""
_SEED = b"jepanet validation loss"
"""Not secret: whoever has the shard measures the same."""


def split(shard: Shard) -> tuple[Shard, Shard]:
    """What is trained on, and every fifth episode, in the order of sites, on which the loss is measured.

    Raises:
        Rejected: a shard of one episode (`shard-mismatch`).
    """
    if shard.episodes < 2:
        raise Rejected("a guarded training needs two episodes: one to validate on", reason="shard-mismatch")
    order = np.argsort(np.array(shard.site), kind="stable")
    held = np.zeros(shard.episodes, bool)
    held[order[FIFTH - 1 :: FIFTH] if shard.episodes >= FIFTH else order[-1:]] = True
    return shard.chosen(~held), shard.chosen(held)


class Validation:
    """Measures models of one family on one shard: always the same batches, and the same random numbers."""

    def __init__(self, family: Family, shard: Shard, device: str) -> None:
        self._family, self._device = family, device
        drawn = family.batches(shard, _SEED)
        first = next(drawn)
        wanted = min(MOST_BATCHES, -(-drawn.examples // len(first.examples)))
        self._batches = [first, *(next(drawn) for _ in range(wanted - 1))]

    @torch.no_grad()
    def loss(self, terms_of: Callable[[Batch, torch.Generator], Terms]) -> float:
        """Mean loss over the batches: that of the next token where the family has a vocabulary.

        `terms_of`: the loss of a batch that lies on the CPU (`Holding.terms`).
        """
        generator = torch_generator(_SEED, "directions")
        total = 0.0
        for batch in self._batches:
            terms = terms_of(batch, generator)
            judged = terms.loss if self._family.sizes.vocabulary is None else terms.parts[NEXT_TOKEN]
            total += float(judged)
        return total / len(self._batches)

    def reference(self, regime: Regime, weights: Arrays, base: Arrays | None) -> float:
        """What the first loss is held against: that of the weights which training begins with, or from
        scratch that of a random start. `base` as in `Family.network`: both are measured by one objective."""
        if regime.kind == FROM_SCRATCH:
            weights = self._family.initial_weights(derive(_SEED, "random start"))
        network = self._family.network(weights, self._device, base)
        return self.loss(Alone(network, (), self._device).terms)
