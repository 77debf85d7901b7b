"""What the vision-language model trains on: scenes with all their questions, and which answers are equal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from jepanet.errors import Rejected
from jepanet.learning.data.placing import placed
from jepanet.learning.data.shards import Shard
from jepanet.learning.family import Batch, Batches
from jepanet.learning.seeding import set_stream, stream_state, torch_generator
from jepanet.tensors import Arrays


class SceneBatches:
    """Batches of `images` uint8 [B, 3, S, S], `queries` int64 [B, Q, Lq], `answers` int64 [B, Q, La], and
    `kinds` int64 [B x Q]: equal answers of the batch have one number.

    Every scene is drawn before any is drawn twice; a batch that spans the end of an order takes the rest from
    the next.
    """

    def __init__(self, scenes: int, shard: Shard, seed: bytes) -> None:
        self._scenes = scenes
        self._images = torch.tensor(shard.array("images"))
        self._queries, self._answers = (
            torch.from_numpy(shard.array(name).astype(np.int64)) for name in ("queries", "answers")
        )
        self._kinds = kinds_of(self._answers)
        self._stream = torch_generator(seed, "scenes")
        self._order = torch.empty(0, dtype=torch.int64)

    @property
    def examples(self) -> int:
        return len(self._images)

    def __iter__(self) -> SceneBatches:
        return self

    def __next__(self) -> Batch:
        while len(self._order) < self._scenes:
            self._order = torch.cat([self._order, torch.randperm(self.examples, generator=self._stream)])
        chosen, self._order = self._order[: self._scenes], self._order[self._scenes :]
        tensors = {
            "images": self._images[chosen],
            "queries": self._queries[chosen],
            "answers": self._answers[chosen],
            "kinds": self._kinds[chosen].flatten(),
        }
        return Batch(tensors, chosen.clone(), shared=frozenset({"kinds"}))

    def lie_on(self, device: str) -> None:
        self._images = placed(self._images, device)

    def position(self) -> Arrays:
        return {"order": self._order.numpy(), "scenes": stream_state(self._stream)}

    def go_to(self, position: Arrays) -> None:
        if set(position) != {"order", "scenes"}:
            raise Rejected("a position has an order and a stream", reason="bad-position")
        order = position["order"]
        whole = order.dtype == np.int64 and order.ndim == 1
        if not whole or ((order < 0) | (order >= self.examples)).any():
            raise Rejected("the order names other scenes", reason="bad-position")
        set_stream(self._stream, position["scenes"])
        self._order = torch.from_numpy(order.copy())


def kinds_of(texts: Tensor) -> Tensor:
    """Numbers int64 [...] of texts [..., L]: equal texts have one number."""
    flat = texts.flatten(0, -2)
    kinds: Tensor = torch.unique(flat, dim=0, return_inverse=True)[1].view(texts.shape[:-1])
    return kinds


if TYPE_CHECKING:

    def _conforms(batches: SceneBatches) -> Batches:
        return batches
