"""What the world model trains on: windows of one site, turned and recoloured alike within a batch."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from jepanet.learning.data.shards import Shard
from jepanet.learning.data.windows import WindowSampler
from jepanet.learning.families.world.augment import draw_colour, turn
from jepanet.learning.families.world.sizes import WorldSizes
from jepanet.learning.family import Batch
from jepanet.learning.seeding import torch_generator


def world_batches(sizes: WorldSizes, shard: Shard, seed: bytes) -> Iterator[Batch]:
    """Batches of `frames` uint8 [B, T, 3, S, S], `actions` float32 [B, T-1, A] and `colour` float32 [3, 3].

    `colour` is left out where the recipe changes no colours. Order, turns and colours have a stream of random
    numbers each, so that switching one off moves no other.

    Raises:
        Rejected: episodes are shorter than a window (`shard-mismatch`).
    """
    sampler = WindowSampler(shard.site, shard.length, sizes.window, torch_generator(seed, "windows"))
    return _drawn(sizes, shard, seed, sampler)


def _drawn(sizes: WorldSizes, shard: Shard, seed: bytes, sampler: WindowSampler) -> Iterator[Batch]:
    colours, turns = torch_generator(seed, "colours"), torch_generator(seed, "turns")
    frames, actions = torch.tensor(shard.frames), torch.tensor(shard.actions)
    while True:
        episode, moments = sampler.draw(sizes.windows)
        seen = frames[episode.unsqueeze(1), moments]
        acted = actions[episode.unsqueeze(1), moments[:, :-1]]
        if sizes.symmetry:
            seen, acted = turn(seen, acted, int(torch.randint(8, (), generator=turns)))
        tensors = {"frames": seen, "actions": acted}
        if sizes.colour:
            tensors["colour"] = draw_colour(colours, hues=sizes.hues)
        yield Batch(tensors, episode * sampler.starts + moments[:, 0])
