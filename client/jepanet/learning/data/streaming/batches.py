"""Batches from more shards than are in memory: several are drawn from at a time, the next is read ahead.

    shards   1 2 3 4 5 6 7 ...     in the order of their list, over and over
    drawn    [1 2 3 4] 5           5 is read while 1 to 4 are drawn from; 1 ends first, and 5 takes its place

Which batch comes when follows from the seed and the list alone: neither from when a shard arrives nor from
how many processes draw.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from jepanet.errors import Rejected
from jepanet.learning.data.streaming.ahead import Ahead
from jepanet.learning.family import Batch, Batches
from jepanet.learning.seeding import derive, set_stream, stream_state, torch_generator
from jepanet.tensors import Arrays

MakeBatches = Callable[[int, bytes, threading.Event], Batches]
"""Batches without end of the shard of that place in the list, by a seed; given up once the event is set."""
_MOST_VISITS = 1 << 40


@dataclass(slots=True)
class _Visit:
    """A shard while it is drawn from. The n-th visit is to the shard at n modulo the length of the list."""

    number: int
    batches: Batches
    seen: int = 0
    """Examples that were drawn in this visit; it ends with as many as the shard has."""


class StreamedBatches:
    """Draws from `mix` shards at a time, of a list of `count`.

    The one that has been drawn from for longest is the most likely (weights mix, mix - 1, ..., 1): shards
    then end one by one, and there is time to read the next.

    Raises (constructor, `__next__` and `go_to`): as `make`.
    """

    def __init__(self, count: int, mix: int, seed: bytes, make: MakeBatches) -> None:
        self._count, self._mix, self._seed, self._make = count, mix, seed, make
        self._choice = torch_generator(seed, "shards")
        self._ahead = Ahead(self._visit)
        self._device = "cpu"
        self._visits = [self._taken(0)]
        self._examples = count * self._visits[0].batches.examples
        self._ahead.expect(1)

    @property
    def examples(self) -> int:
        """As many as there are if every shard has as many as the first: the others are read in their turn."""
        return self._examples

    def __iter__(self) -> StreamedBatches:
        return self

    def __next__(self) -> Batch:
        after = self._visits[-1].number + 1
        self._visits = [visit for visit in self._visits if visit.seen < visit.batches.examples]
        while len(self._visits) < self._mix:
            self._visits.append(self._taken(after))
            after += 1
            self._ahead.expect(after)
        weights = torch.arange(self._mix, 0, -1, dtype=torch.float32)
        visit = self._visits[int(torch.multinomial(weights, 1, generator=self._choice))]
        batch = next(visit.batches)
        visit.seen += len(batch.examples)
        return batch

    def lie_on(self, device: str) -> None:
        self._device = device
        for visit in self._visits:
            visit.batches.lie_on(device)

    def position(self) -> Arrays:
        """`shards`, the stream that chooses among them; `visits` and `seen`, int64 [K]; and of the n-th of
        these visits `n.NAME`, its own position."""
        found = {
            f"{place}.{name}": item
            for place, visit in enumerate(self._visits)
            for name, item in visit.batches.position().items()
        }
        return found | {
            "shards": stream_state(self._choice),
            "visits": np.array([visit.number for visit in self._visits], np.int64),
            "seen": np.array([visit.seen for visit in self._visits], np.int64),
        }

    def go_to(self, position: Arrays) -> None:
        visits, seen = (position.get(name, np.zeros(0)) for name in ("visits", "seen"))
        whole = visits.dtype == seen.dtype == np.int64 and visits.ndim == 1 and visits.shape == seen.shape
        if not whole or "shards" not in position or not self._begun_with(visits) or (seen < 0).any():
            raise Rejected("a position has the visits to shards in ascending order", reason="bad-position")
        places: list[Arrays] = [{} for _ in visits]
        for key, item in position.items():
            if key in ("shards", "visits", "seen"):
                continue
            place, _, name = key.partition(".")
            if (
                len(place) > 9
                or not place.isdecimal()
                or str(int(place)) != place
                or int(place) >= len(places)
            ):
                raise Rejected(f"{key[:80]} is of no visit to a shard", reason="bad-position")
            places[int(place)][name] = item
        here = {visit.number: visit for visit in self._visits}
        self._visits = []
        for number, drawn, own in zip(visits.tolist(), seen.tolist(), places, strict=True):
            visit = here.pop(number, None) or self._taken(number)
            visit.batches.go_to(own)
            visit.seen = drawn
            self._visits.append(visit)
        set_stream(self._choice, position["shards"])
        self._ahead.expect(self._visits[-1].number + 1)

    def _begun_with(self, visits: np.ndarray) -> bool:
        """Whether these can be the visits at one time: before the first batch one, and then `mix`."""
        if visits.tolist() == [0]:
            return True
        ascending = len(visits) == self._mix and bool((np.diff(visits) > 0).all())
        return ascending and int(visits[0]) >= 0 and int(visits[-1]) < _MOST_VISITS

    def close(self) -> None:
        """Ends what is being read."""
        self._ahead.close()

    def _taken(self, number: int) -> _Visit:
        visit = self._ahead.take(number)
        visit.batches.lie_on(self._device)
        return visit

    def _visit(self, number: int, stopped: threading.Event) -> _Visit:
        seed = derive(self._seed, f"visit {number}")
        return _Visit(number, self._make(number % self._count, seed, stopped))


if TYPE_CHECKING:

    def _conforms(batches: StreamedBatches) -> Batches:
        return batches
