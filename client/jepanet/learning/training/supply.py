"""What one training trains on: a shard in memory, or more shards than are held in memory at a time.

    up to `loop.mix` shards    joined in memory, as one
    more                       streamed: `mix` of them are drawn from, the next is read meanwhile

A fifth of every shard is held out where the recipe has a guard; of a stream, the loss is measured on that of
the first `mix` shards.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from jepanet.learning.data.shards import Shard, joined
from jepanet.learning.data.streaming.batches import StreamedBatches
from jepanet.learning.data.streaming.shard_file import ShardFile, naming, read_shard
from jepanet.learning.family import Batches, Family
from jepanet.learning.recipe import Recipe
from jepanet.learning.training.guarding.validation import split
from jepanet.learning.training.resuming.trace import digest_of_arrays
from jepanet.tensors import canonical_json
from jepanet.types import Digest


class Supply(Protocol):
    """Data of one training."""

    def identity(self) -> Digest:
        """What tells it from other data."""

    def check(self, family: Family) -> None:
        """Raises: Rejected (`shard-mismatch`) where what is in memory is not of the family's sizes."""

    def held_out(self) -> Shard:
        """What validation measures on. Raises: as reading does, or Rejected as `split`."""

    def batches(self, family: Family, seed: bytes, *, guarded: bool) -> Batches:
        """Batches without end, without what is held out where it is `guarded`. Ends those made before.

        Raises: as reading does; Rejected (`shard-mismatch`).
        """

    def close(self) -> None:
        """Ends what is being read. The object can be used again."""


class InMemory:
    """One shard."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    def identity(self) -> Digest:
        shard = self._shard
        data = {name: shard.arrays[name] for name in shard.schema.trained}
        return digest_of_arrays(data | {"site": np.array(shard.site, np.int32)})

    def check(self, family: Family) -> None:
        family.check_shard(self._shard)

    def held_out(self) -> Shard:
        return split(self._shard)[1]

    def batches(self, family: Family, seed: bytes, *, guarded: bool) -> Batches:
        # Split again, rather than kept: a part is as large as the shard, and batches have what they need.
        return family.batches(split(self._shard)[0] if guarded else self._shard, seed)

    def close(self) -> None:
        pass


class Streamed:
    """Shards in files, of which `mix` are drawn from at a time."""

    def __init__(self, files: Sequence[ShardFile], mix: int) -> None:
        self._files, self._mix = tuple(files), mix
        self._batches: StreamedBatches | None = None

    def identity(self) -> Digest:
        named = canonical_json([file.digest.hex() for file in self._files])
        return Digest(hashlib.sha256(named).digest())

    def check(self, family: Family) -> None:
        """Nothing yet: each is checked when its turn comes."""

    def held_out(self) -> Shard:
        never = threading.Event()
        return joined([split(read_shard(file, never))[1] for file in self._files[: self._mix]])

    def batches(self, family: Family, seed: bytes, *, guarded: bool) -> Batches:
        def make(place: int, seed: bytes, stopped: threading.Event) -> Batches:
            file = self._files[place]
            shard = read_shard(file, stopped)
            with naming(file):
                family.check_shard(shard)
                return family.batches(split(shard)[0] if guarded else shard, seed)

        self.close()
        self._batches = StreamedBatches(len(self._files), self._mix, seed, make)
        return self._batches

    def close(self) -> None:
        if self._batches is not None:
            self._batches.close()
            self._batches = None


def supply_of(files: Sequence[ShardFile], recipe: Recipe) -> Supply:
    """The shards in `files` as the recipe has them trained on.

    Raises: of those that are read at once, as `read_shard` and `joined`.
    """
    mix = recipe.loop.mix
    if len(files) > mix:
        return Streamed(files, mix)
    never = threading.Event()
    shards = [read_shard(file, never) for file in files]
    return InMemory(shards[0] if len(shards) == 1 else joined(shards))
