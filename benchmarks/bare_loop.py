"""The yardstick of `training_step.py`: the shortest loop one would write by hand, on made-up data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from jepanet.learning.data.schemas.images import IMAGES
from jepanet.learning.data.schemas.pairs import PAIRS
from jepanet.learning.data.schemas.questions import QUESTIONS
from jepanet.learning.data.schemas.texts import tokens_of
from jepanet.learning.data.shards import Shard, recorded
from jepanet.learning.families.backbone.family import Backbone
from jepanet.learning.families.image.family import Image
from jepanet.learning.families.image.masks import draw_masks
from jepanet.learning.families.language.family import Language
from jepanet.learning.families.vision_language.batches import kinds_of
from jepanet.learning.families.vision_language.family import VisionLanguage
from jepanet.learning.families.world.augment import draw_colour, turn
from jepanet.learning.families.world.family import World
from jepanet.learning.families.world.sizes import ModelSizes, TransformerSizes, VitSizes
from jepanet.learning.family import Batch
from jepanet.learning.presets import preset
from jepanet.learning.recipe import Recipe
from jepanet.learning.text_pairs.batches import twins
from jepanet.learning.training.step.precision import lowered

SEED = bytes(range(32))
VIT = "world-vit"
"""`tworoom-small` with transformers in place of convolutions and MLP: no preset, a size for a CPU."""
_SMALL_VIT = ModelSizes(
    image=32,
    hidden=128,
    predictor=128,
    vit=VitSizes(patch=4, width=64, depth=3, heads=4),
    transformer=TransformerSizes(width=64, depth=2, heads=4, head=16),
)
Draw = Callable[[], dict[str, Tensor]]


def recipe_called(name: str) -> Recipe:
    """A preset, or `VIT`."""
    if name != VIT:
        return preset(name)
    small = preset("tworoom-small")
    assert isinstance(small.family, World)
    return replace(small, name=VIT, family=replace(small.family, model=_SMALL_VIT))


def made_up_shard(recipe: Recipe, episodes: int = 32, frames: int = 32) -> Shard:
    """Random numbers: speed does not depend on what is learnt. Ten images or pairs for every episode."""
    generator = np.random.Generator(np.random.PCG64(1))
    family, many = recipe.family, 10 * episodes
    if isinstance(family, World):
        size = family.model.image
        return recorded(
            generator.integers(0, 256, (episodes, frames, 3, size, size), dtype=np.uint8),
            generator.uniform(-1, 1, (episodes, frames - 1, family.model.actions)).astype(np.float32),
            np.zeros((episodes, frames, 2), np.float32),
            (0,) * episodes,
        )
    if isinstance(family, Image):
        size = family.model.image
        pictures = generator.integers(0, 256, (many, 3, size, size), dtype=np.uint8)
        return Shard(IMAGES, {"images": pictures, "labels": np.zeros((many, 1), np.int32)}, (0,) * many)
    if isinstance(family, VisionLanguage):
        model = family.model
        texts = {
            name: generator.integers(1, model.vocabulary, (many, 5, longest)).astype(np.uint16)
            for name, longest in (("queries", model.query), ("answers", model.answer))
        }
        pictures = generator.integers(0, 256, (many, 3, model.image, model.image), dtype=np.uint8)
        return Shard(QUESTIONS, {"images": pictures, **texts}, (0,) * many)
    assert isinstance(family, Language | Backbone), "another family has data and a bare loop of its own"
    longest_texts = {"first": family.model.context, "second": family.model.context // 3}
    arrays = {}
    for name, longest in longest_texts.items():
        tokens = generator.integers(1, family.model.vocabulary, (many, longest)).astype(np.uint16)
        lengths = generator.integers(longest // 3, longest + 1, many)
        arrays[name] = np.where(np.arange(longest) < lengths[:, None], tokens, 0).astype(np.uint16)
    return Shard(PAIRS, arrays, (0,) * many)


def bare(recipe: Recipe, shard: Shard, steps: int, device: str = "cpu") -> None:
    """The yardstick."""
    weights, rules = recipe.family.initial_weights(SEED), recipe.optimiser
    model = recipe.family.network(weights, device, weights)
    assert isinstance(model, nn.Module)
    if recipe.loop.compile:
        for part in model.children():
            part.compile(dynamic=False)
    trained = [item for name, item in model.named_parameters() if not name.startswith(recipe.family.frozen)]
    optimiser = torch.optim.AdamW(
        trained, lr=1e-4, betas=(rules.beta1, rules.beta2), weight_decay=1e-4, fused=True
    )
    draws = torch.Generator().manual_seed(1)
    draw = drawn_by(recipe, shard, draws, device)
    for _ in range(steps):
        optimiser.zero_grad()
        for _ in range(recipe.loop.accumulate):
            batch = Batch(draw(), torch.empty(0)).to(device)
            with lowered(recipe.loop.precision, device):
                loss = model.loss(batch, draws).loss
            (loss / recipe.loop.accumulate).backward()
        torch.nn.utils.clip_grad_norm_(trained, rules.clip)
        optimiser.step()


def drawn_by(recipe: Recipe, shard: Shard, draws: torch.Generator, device: str = "cpu") -> Draw:
    """Draws batches at random, with what the family does to them; pictures on `device`."""
    family = recipe.family
    if isinstance(family, World):
        frames = torch.from_numpy(shard.frames).to(device)
        return partial(windows, family, frames, torch.from_numpy(shard.actions), draws)
    if isinstance(family, Image):
        return partial(pictures, family, torch.from_numpy(shard.array("images")).to(device), draws)
    if isinstance(family, VisionLanguage):
        images = torch.from_numpy(shard.array("images")).to(device)
        queries, answers = (
            torch.from_numpy(shard.array(name).astype(np.int64)) for name in ("queries", "answers")
        )
        return partial(scenes, family, images, queries, answers, draws)
    assert isinstance(family, Language | Backbone)
    return partial(pairs, family, [shard.array(name).astype(np.int64) for name in ("first", "second")], draws)


def windows(family: World, frames: Tensor, actions: Tensor, draws: torch.Generator) -> dict[str, Tensor]:
    episode = torch.randint(len(frames), (family.windows, 1), generator=draws)
    first = torch.randint(frames.shape[1] - family.window + 1, (family.windows, 1), generator=draws)
    moment = first + torch.arange(family.window)
    seen, acted = frames[episode, moment], actions[episode, moment[:, :-1]]
    if family.symmetry:
        seen, acted = turn(seen, acted, int(torch.randint(8, (), generator=draws)))
    batch = {"frames": seen, "actions": acted}
    return batch | ({"colour": draw_colour(draws, hues=family.hues)} if family.colour else {})


def pictures(family: Image, images: Tensor, draws: torch.Generator) -> dict[str, Tensor]:
    seen = images[torch.randint(len(images), (family.images,), generator=draws)]
    if family.mirror:
        mirrored = (torch.rand(family.images, generator=draws) < 0.5).nonzero().flatten()
        seen[mirrored] = seen[mirrored].flip(-1)
    masks = draw_masks(family.masks, family.model.side, family.images, draws)
    return {"images": seen, "context": masks.context, "targets": masks.targets}


def scenes(
    family: VisionLanguage, images: Tensor, queries: Tensor, answers: Tensor, draws: torch.Generator
) -> dict[str, Tensor]:
    rows = torch.randint(len(images), (family.scenes,), generator=draws)
    kinds = kinds_of(answers[rows]).flatten()
    return {"images": images[rows], "queries": queries[rows], "answers": answers[rows], "kinds": kinds}


def pairs(family: Language | Backbone, texts: list[np.ndarray], draws: torch.Generator) -> dict[str, Tensor]:
    rows = torch.randint(len(texts[0]), (family.pairs,), generator=draws).numpy()
    first, second = (torch.from_numpy(some[rows, : tokens_of(some[rows]).max()]) for some in texts)
    return {"first": first, "second": second, "twins": twins(first, second)}
