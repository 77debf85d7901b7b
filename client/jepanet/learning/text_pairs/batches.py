"""What a language model trains on: pairs of texts, and which pairs of a batch have one text in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from jepanet.errors import Rejected
from jepanet.learning.data.schemas.texts import tokens_of
from jepanet.learning.data.shards import Shard
from jepanet.learning.family import Batch, Batches
from jepanet.learning.seeding import set_stream, stream_state, torch_generator
from jepanet.tensors import Arrays


class PairBatches:
    """Batches of `first` int64 [B, L1] and `second` int64 [B, L2], cut behind the longest text of the batch,
    and `twins` bool [B, B]: which two different pairs have their first or their second text in common.

    Every pair is drawn before any is drawn twice; a batch that spans the end of an order takes the rest from
    the next.
    """

    def __init__(self, pairs: int, shard: Shard, seed: bytes) -> None:
        self._pairs = pairs
        self._texts = tuple(shard.array(name).astype(np.int64) for name in ("first", "second"))
        self._lengths = tuple(tokens_of(texts) for texts in self._texts)
        self._stream = torch_generator(seed, "pairs")
        self._order = torch.empty(0, dtype=torch.int64)

    @property
    def examples(self) -> int:
        return len(self._texts[0])

    def __iter__(self) -> PairBatches:
        return self

    def __next__(self) -> Batch:
        while len(self._order) < self._pairs:
            more = torch.randperm(self.examples, generator=self._stream)
            self._order = torch.cat([self._order, more])
        chosen, self._order = self._order[: self._pairs], self._order[self._pairs :]
        rows = chosen.numpy()
        first, second = (
            torch.from_numpy(texts[rows, : lengths[rows].max()])
            for texts, lengths in zip(self._texts, self._lengths, strict=True)
        )
        return Batch(
            {"first": first, "second": second, "twins": twins(first, second)},
            chosen.clone(),
            shared=frozenset({"twins"}),
        )

    def lie_on(self, device: str) -> None:
        """Texts are small: they are sent with every batch."""

    def position(self) -> Arrays:
        return {"order": self._order.numpy(), "pairs": stream_state(self._stream)}

    def go_to(self, position: Arrays) -> None:
        if set(position) != {"order", "pairs"}:
            raise Rejected("a position has an order and a stream", reason="bad-position")
        order = position["order"]
        whole = order.dtype == np.int64 and order.ndim == 1
        if not whole or ((order < 0) | (order >= self.examples)).any():
            raise Rejected("the order names other pairs", reason="bad-position")
        set_stream(self._stream, position["pairs"])
        self._order = torch.from_numpy(order.copy())


def twins(first: Tensor, second: Tensor) -> Tensor:
    """Which two different pairs share a text: bool [B, B], symmetric, false on the diagonal.

    Neither is a wrong answer for the other.
    """
    # Texts by number: held against each other token by token they would take pairs x pairs x tokens bytes.
    numbers = [torch.unique(texts, dim=0, return_inverse=True)[1] for texts in (first, second)]
    same = [number.unsqueeze(0) == number.unsqueeze(1) for number in numbers]
    shared: Tensor = (same[0] | same[1]).fill_diagonal_(False)
    return shared


if TYPE_CHECKING:

    def _conforms(batches: PairBatches) -> Batches:
        return batches
