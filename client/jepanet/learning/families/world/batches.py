"""What the world model trains on: windows of one site, turned and recoloured alike within a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from jepanet.errors import Rejected
from jepanet.learning.data.placing import placed
from jepanet.learning.data.shards import Shard
from jepanet.learning.data.windows import WindowSampler
from jepanet.learning.families.world.augment import draw_colour, turn
from jepanet.learning.families.world.sizes import WorldSizes
from jepanet.learning.family import Batch, Batches
from jepanet.learning.seeding import set_stream, stream_state, torch_generator
from jepanet.tensors import Arrays


class WorldBatches:
    """Batches of `frames` uint8 [B, T, 3, S, S], `actions` float32 [B, T-1, A] and `colour` float32 [3, 3].

    `colour` is left out where the recipe changes no colours. Order, turns and colours have a stream of random
    numbers each, so that switching one off moves no other.

    Raises:
        Rejected: episodes are shorter than a window (`shard-mismatch`).
    """

    def __init__(self, sizes: WorldSizes, shard: Shard, seed: bytes) -> None:
        self._sizes = sizes
        self._sampler = WindowSampler(
            shard.site, shard.length, sizes.window, torch_generator(seed, "windows")
        )
        self._own = {name: torch_generator(seed, name) for name in ("colours", "turns")}
        self._frames, self._actions = torch.tensor(shard.frames), torch.tensor(shard.actions)

    @property
    def examples(self) -> int:
        return self._sampler.windows

    def __iter__(self) -> WorldBatches:
        return self

    def __next__(self) -> Batch:
        sizes, sampler = self._sizes, self._sampler
        episode, moments = sampler.draw(sizes.windows)
        seen = self._frames[episode.unsqueeze(1), moments]
        acted = self._actions[episode.unsqueeze(1), moments[:, :-1]]
        if sizes.symmetry:
            seen, acted = turn(seen, acted, int(torch.randint(8, (), generator=self._own["turns"])))
        tensors = {"frames": seen, "actions": acted}
        if sizes.colour:
            tensors["colour"] = draw_colour(self._own["colours"], hues=sizes.hues)
        return Batch(tensors, episode * sampler.starts + moments[:, 0], shared=frozenset({"colour"}))

    def lie_on(self, device: str) -> None:
        self._frames = placed(self._frames, device)

    def position(self) -> Arrays:
        return self._sampler.position() | {
            name: stream_state(generator) for name, generator in self._own.items()
        }

    def go_to(self, position: Arrays) -> None:
        if not self._own.keys() <= position.keys():
            raise Rejected("a position has the streams of colours and turns", reason="bad-position")
        self._sampler.go_to({name: item for name, item in position.items() if name not in self._own})
        for name, generator in self._own.items():
            set_stream(generator, position[name])


if TYPE_CHECKING:

    def _conforms(batches: WorldBatches) -> Batches:
        return batches
