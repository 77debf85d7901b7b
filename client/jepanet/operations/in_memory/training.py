"""A solver's training by hand: from a model, on one shard, to a delta that could be committed to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING

from jepanet.cid import parse_digest
from jepanet.errors import Exit, Fatal
from jepanet.federation.deltas.codecs import CODECS
from jepanet.federation.deltas.delta import DeltaHeader, delta_bytes, delta_of
from jepanet.learning.data.shards import Shard
from jepanet.learning.seeding import derive, seed_in_words
from jepanet.operations.in_memory.models import Model
from jepanet.operations.in_memory.shards import shard_given
from jepanet.tensors import Arrays

if TYPE_CHECKING:
    from jepanet.learning.training.resuming.state import StepReport

MOST_STEPS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Delta:
    """What a training changed in a model.

    weights: the trained ones, float32 by name. metrics: loss_first, loss_last and what else the recipe's
    family reports. steps: that were done. status: "ok", or "early_stop" where the recipe's guard ended it.
    """

    base: Model
    weights: Arrays = field(repr=False)
    metrics: Mapping[str, float]
    steps: int
    status: str

    @property
    def changes(self) -> Arrays:
        """weights - base, float32 by name."""
        return delta_of(self.weights, self.base.weights)

    def to_bytes(
        self,
        codec: str = "fp32",
        *,
        probe: str | PathLike[str] | Shard | None = None,
        device: str = "cpu",
        backbones: str | PathLike[str] | None = None,
    ) -> bytes:
        """The delta's file as a solver would commit to it, without what earlier rounds' codecs left out.

        probe: the dataset's probe shard, on which the latent frame is turned back into the base's as the
        recipe says; None leaves it as trained. device and backbones: as `train`.

        Raises:
            Fatal: an unknown codec, or no such shard (exit code `USAGE` or `NOT_FOUND`).
            Rejected: the probe does not fit the recipe, or latents have too few directions to compare.
        """
        if codec not in CODECS:
            raise Fatal(f"there is no codec {codec!r}", remedy=f"take {', '.join(CODECS)}", code=Exit.USAGE)
        from jepanet.operations.in_memory.beside import backbones_beside
        from jepanet.work.contribution import contribution

        base, recipe = self.base, self.base.recipe
        frames = None if probe is None else shard_given(probe)
        with backbones_beside(backbones):
            made = contribution(
                self.weights, base.weights, recipe, codec=codec, probe=frames, feedback=0.0, device=device
            )
        header = DeltaHeader(base=parse_digest(base.digest), recipe=recipe.digest())
        return delta_bytes(made.parts, header, codec)


def train(
    model: Model,
    shard: str | PathLike[str] | Shard,
    *,
    steps: int | None = None,
    seed: str = "0",
    device: str = "cpu",
    on_step: Callable[[StepReport], None] | None = None,
    backbones: str | PathLike[str] | None = None,
) -> Delta:
    """Trains as a solver of the round after `model` does, in this process, by the recipe and its schedule.

    steps: default the recipe's; the schedule goes on where so many steps a round have brought it. seed: any
    text; the same one gives the same bytes on one machine and build. A round's seed follows from a salt
    instead, so that no solver's delta is known before. device: as torch names it. on_step: hears of each
    step: its number, loss, learning rate. backbones: folder of those that a recipe trains adapters beside,
    before the folders that JEPANET_BACKBONES names.

    Raises:
        Fatal: no such shard (exit code `NOT_FOUND`), or steps out of bounds (`USAGE`).
        Rejected: the shard does not fit the recipe (`shard-mismatch`), there is no room for the training
            (`too-little-memory`), or it came to nothing (`diverged`, `start-too-high`, `loss-jumped`,
            `non-finite`).
        Transient: the backbone is in no folder.
    """
    from jepanet.learning.training import loop
    from jepanet.operations.in_memory.beside import backbones_beside
    from jepanet.work.room import check_trainable

    recipe = model.recipe
    count = recipe.inner_steps if steps is None else steps
    if not 1 <= count <= MOST_STEPS:
        raise Fatal(f"steps {count} is not from 1 to {MOST_STEPS}", remedy="ask for fewer", code=Exit.USAGE)
    data = shard_given(shard)
    check_trainable(recipe, device)
    start = model.round * count
    with backbones_beside(backbones):
        made = loop.train(
            model.weights,
            data,
            recipe,
            seed=derive(seed_in_words("train", seed), "training"),
            steps=count,
            start_step=start,
            total_steps=max(recipe.total_steps, start + count),
            on_step=on_step,
            device=device,
        )
    numbers = {name: float(value) for name, value in made.metrics.items()}
    return Delta(model, made.weights, numbers, made.steps, made.status.value)
