"""The world model as training, scoring, planning and alignment see it; imports torch when one is built."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from jepanet.errors import Rejected
from jepanet.learning.data.schemas.episodes import EPISODES
from jepanet.learning.data.shards import Shard, check_schema
from jepanet.learning.families.world.rotation import rotate_world_model
from jepanet.learning.families.world.schema import (
    activations_of_a_frame,
    init_weights,
    multiplications,
    parameter_shapes,
)
from jepanet.learning.families.world.sizes import WorldSizes
from jepanet.learning.family import (
    Batches,
    Description,
    Family,
    FamilyKind,
    Fields,
    Network,
    Shapes,
    Sizes,
    Weights,
)
from jepanet.records.codec import Codec, rejected
from jepanet.tensors import Arrays


class World(WorldSizes):
    """The action-conditioned world model at the sizes of one recipe (`family.Family`)."""

    __slots__ = ()

    name = "world"
    schema, turns = EPISODES, True
    frozen: tuple[str, ...] = ()
    description = Description(
        title="World model",
        kind="action-conditioned JEPA",
        use="Predicts latent states of {environment} from frames and actions, and plans with them.",
    )

    @classmethod
    def read(cls, fields: Fields) -> World:
        return WORLD.read(dict(fields))

    @property
    def sizes(self) -> Sizes:
        return Sizes(
            image=self.model.image,
            window=self.window,
            frames=self.windows * self.window,
            latent=self.model.latent,
            knots=self.objective.knots,
            activations=self.windows * self.window * activations_of_a_frame(self),
        )

    def fields(self) -> dict[str, object]:
        return WORLD.tree(self)

    def parameter_shapes(self) -> Shapes:
        return parameter_shapes(self.model)

    def multiplications(self) -> int:
        frames, sizes = self.windows * self.window, self.model
        seen = 9 * sizes.image**2 + sizes.latent * self.objective.directions  # colours, projections
        encoded = multiplications(sizes, frames=frames, guesses=self.windows * (self.window - 2))
        return frames * seen + encoded

    def initial_weights(self, seed: bytes) -> Arrays:
        return init_weights(self.model, seed)

    def check_shard(self, shard: Shard) -> None:
        check_schema(shard, self.schema)
        actions = shard.actions.shape[-1]
        if shard.image != self.model.image or actions != self.model.actions:
            raise Rejected(
                f"shard has {shard.image}-pixel frames and {actions} action dimensions; the recipe wants "
                f"{self.model.image} and {self.model.actions}",
                reason="shard-mismatch",
            )

    def batches(self, shard: Shard, seed: bytes) -> Batches:
        from jepanet.learning.families.world.batches import WorldBatches

        return WorldBatches(self, shard, seed)

    def widened(self, times: int) -> World:
        return replace(self, windows=self.windows * times)

    def network(self, weights: Weights, device: str = "cpu", base: Weights | None = None) -> Network:
        from jepanet.learning.families.world.model import load_world_model

        return load_world_model(self, weights, device)

    def rotated(self, weights: Weights, rotation: np.ndarray) -> Arrays:
        return rotate_world_model(weights, rotation)


WORLD = Codec(World, "recipe", refuse=rejected("bad-recipe"))

if TYPE_CHECKING:
    _CONFORMS: FamilyKind = World
    _USUAL: Family = World()
