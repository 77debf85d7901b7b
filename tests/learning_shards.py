"""Small recipes and made-up episodes for the tests of learning: a disc that its action pushes around."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

import numpy as np

from jepanet.learning.data.schemas.images import IMAGES
from jepanet.learning.data.schemas.pairs import PAIRS
from jepanet.learning.data.schemas.questions import QUESTIONS
from jepanet.learning.data.shards import Shard, recorded
from jepanet.learning.families.world.family import World
from jepanet.learning.families.world.sizes import ModelSizes, Objective
from jepanet.learning.presets import preset
from jepanet.learning.recipe import Recipe
from jepanet.tensors import Arrays

SEED = bytes(range(32))
OTHER = bytes(range(1, 33))
IMAGE = 16

WORLD = World(
    model=ModelSizes(image=IMAGE, latent=6, channels=(4, 6, 8), hidden=16, predictor=24),
    objective=Objective(directions=16),
    colour=False,
    symmetry=False,
    windows=16,
    window=6,
    hues=False,
)
RECIPE: Recipe = replace(
    preset("tworoom-small"),
    name="test",
    family=WORLD,
    inner_steps=6,
    total_steps=60,
    warm_steps=250,
    warm_rate=1e-2,
)
"""Learns the disc's world in a few seconds, which has neither colours nor symmetric borders to teach."""


def sized(recipe: Recipe, **changes: object) -> Recipe:
    """The recipe with other values in fields of its family, for example `window=5`."""
    return replace(recipe, family=replace(cast(World, recipe.family), **changes))  # type: ignore[arg-type]


def initial(seed: bytes, recipe: Recipe = RECIPE) -> Arrays:
    """Weights before any training."""
    return recipe.family.initial_weights(seed)


def disc_shard(seed: int, site: tuple[int, ...] = (0,) * 8, frames: int = 9) -> Shard:
    """Episodes of a bright disc on a dark ground; every action moves it, borders stop it."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:IMAGE, 0:IMAGE]
    pictures = np.zeros((len(site), frames, 3, IMAGE, IMAGE), np.uint8)
    actions = generator.uniform(-1, 1, (len(site), frames - 1, 2)).astype(np.float32)
    state = np.zeros((len(site), frames, 2), np.float32)
    for episode, number in enumerate(site):
        x, y = generator.uniform(3, IMAGE - 4, 2)
        for moment in range(frames):
            if moment:
                x, y = np.clip(np.array([x, y]) + 3.0 * actions[episode, moment - 1], 2, IMAGE - 3)
            disc = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8.0)
            ground, height = 20 + 10 * (number % 3), 200 - 20 * (number % 3)
            pictures[episode, moment] = (ground + height * disc).astype(np.uint8)
            state[episode, moment] = (x, y)
    return recorded(pictures, actions, state, site, {"made": "by a test"})


def changed(weights: Arrays, **factors: float) -> Arrays:
    """A copy with tensors multiplied; `encoder_head=0` stands for both `encoder.head.*`."""
    copy = {name: array.copy() for name, array in weights.items()}
    for layer, factor in factors.items():
        for kind in ("weight", "bias"):
            copy[f"{layer.replace('_', '.', 1)}.{kind}"] *= np.float32(factor)
    return copy


def scaled(weights: Arrays, factor: float) -> Arrays:
    return {name: array * np.float32(factor) for name, array in weights.items()}


def constant_encoder(weights: Arrays) -> Arrays:
    """Every frame gets the same code, far from zero; the predictor still sees the actions."""
    copy = changed(weights, encoder_head=0.0)
    copy["encoder.head.bias"] += np.float32(3.0)
    return copy


def shard_of(kind: str, seed: int, site: tuple[int, ...] = (0,) * 8) -> Shard:
    """A small made-up shard of any kind of data: pictures have a bright square, texts say where it is."""
    return _MADE[kind](seed, site)


def image_shard(seed: int, site: tuple[int, ...] = (0,) * 8, side: int = 8) -> Shard:
    pictures, where = _squares(seed, len(site), side)
    return Shard(IMAGES, {"images": pictures, "labels": where.astype(np.int32)}, site)


def question_shard(seed: int, site: tuple[int, ...] = (0,) * 8, side: int = 8) -> Shard:
    """Two questions, after the row and the column of the square."""
    pictures, where = _squares(seed, len(site), side)
    queries = np.zeros((len(site), 2, 4), np.uint16)
    queries[:, :, 0], queries[:, 0, 1], queries[:, 1, 1], queries[:, :, 2] = 1, 2, 3, 4
    answers = np.zeros((len(site), 2, 2), np.uint16)
    answers[:, :, 0] = 5 + where
    return Shard(QUESTIONS, {"images": pictures, "queries": queries, "answers": answers}, site)


def pair_shard(seed: int, site: tuple[int, ...] = (0,) * 8, length: int = 6, vocabulary: int = 24) -> Shard:
    """Descriptions count on from a number; the name is that number, and the next."""
    generator = np.random.default_rng(seed)
    begin, size = generator.permutation(4 * len(site))[: len(site)], vocabulary - 1
    steps, lengths = np.arange(length), generator.integers(3, length + 1, len(site))
    first = 1 + (begin[:, None] + steps * (1 + begin[:, None] // size)) % size
    first[steps[None, :] >= lengths[:, None]] = 0
    second = np.stack([1 + begin % size, 1 + (begin + 1) % size, 1 + begin // size], axis=1)
    return Shard(PAIRS, {"first": first.astype(np.uint16), "second": second.astype(np.uint16)}, site)


def _squares(seed: int, count: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [E, 3, S, S] and the row and column of each square, int64 [E, 2]."""
    generator = np.random.default_rng(seed)
    pictures = generator.integers(0, 40, (count, 3, side, side)).astype(np.uint8)
    where = generator.integers(0, side - 2, (count, 2))
    for picture, (row, column) in zip(pictures, where, strict=True):
        picture[:, row : row + 3, column : column + 3] += np.uint8(180)
    return pictures, where


_MADE: Mapping[str, Callable[[int, tuple[int, ...]], Shard]] = {
    "episodes": disc_shard,
    "images": image_shard,
    "questions": question_shard,
    "pairs": pair_shard,
}
