"""A backbone as training, scoring and alignment see it; imports torch and transformers when one is built."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from jepanet.errors import Rejected
from jepanet.learning.backbone_file import most_bytes
from jepanet.learning.data.schemas.pairs import PAIRS
from jepanet.learning.data.shards import Shard, check_schema
from jepanet.learning.families.backbone.schema import (
    activations_of_a_text,
    backbone_shapes,
    init_weights,
    multiplications,
    parameter_shapes,
)
from jepanet.learning.families.backbone.sizes import BackboneSizes
from jepanet.learning.family import (
    Batches,
    Description,
    Family,
    FamilyKind,
    Fields,
    FrozenFile,
    Network,
    Resting,
    Shapes,
    Sizes,
    Weights,
    cannot_turn,
)
from jepanet.records.codec import Codec, rejected
from jepanet.tensors import Arrays
from jepanet.types import Digest


class Backbone(BackboneSizes):
    """A backbone, or adapters beside one, at the sizes of one recipe (`family.Family`)."""

    __slots__ = ()

    name = "backbone"
    schema = PAIRS
    turns = False
    frozen: tuple[str, ...] = ()
    description = Description(
        title="Language model",
        kind="causal language model of a known architecture with a joint-embedding term",
        use="Continues texts of {environment} token by token, and tells which of them are about one thing.",
    )

    @classmethod
    def read(cls, fields: Fields) -> Backbone:
        return BACKBONE.read(dict(fields))

    @property
    def sizes(self) -> Sizes:
        return Sizes(
            image=0,
            window=1,
            frames=2 * self.pairs,
            latent=self.model.latent,
            knots=self.objective.knots,
            activations=2 * self.pairs * activations_of_a_text(self),
            rows=2,
            vocabulary=self.model.vocabulary,
            longest=self.model.context,
            border=self.model.border,
            varying=True,
        )

    def fields(self) -> dict[str, object]:
        return BACKBONE.tree(self)

    def parameter_shapes(self) -> Shapes:
        return parameter_shapes(self)

    @property
    def rests_on(self) -> FrozenFile | None:
        if self.adapters is None:
            return None
        shapes = backbone_shapes(self.model)
        digest = Digest(bytes.fromhex(self.adapters.backbone))
        return FrozenFile(digest, most_bytes(shapes), sum(prod(shape) for shape in shapes.values()))

    def multiplications(self) -> int:
        return multiplications(self)

    def initial_weights(self, seed: bytes) -> Arrays:
        return init_weights(self, seed)

    def check_shard(self, shard: Shard) -> None:
        check_schema(shard, self.schema)
        texts = [shard.array(name) for name in ("first", "second")]
        longest, highest = max(item.shape[1] for item in texts), max(int(item.max()) for item in texts)
        if longest > self.model.context or highest >= self.model.vocabulary:
            raise Rejected(
                f"shard has texts of up to {longest} tokens numbered up to {highest}; the recipe reads "
                f"{self.model.context} tokens of a vocabulary of {self.model.vocabulary}",
                reason="shard-mismatch",
            )

    def batches(self, shard: Shard, seed: bytes) -> Batches:
        from jepanet.learning.text_pairs.batches import PairBatches

        return PairBatches(self.pairs, shard, seed)

    def widened(self, times: int) -> Backbone:
        return replace(self, pairs=self.pairs * times)

    def network(self, weights: Weights, device: str = "cpu", base: Weights | None = None) -> Network:
        from jepanet.learning.families.backbone.model import load_backbone_model

        return load_backbone_model(self, weights, device)

    def rotated(self, weights: Weights, rotation: np.ndarray) -> Arrays:
        raise cannot_turn(self)


BACKBONE = Codec(Backbone, "recipe", refuse=rejected("bad-recipe"))

if TYPE_CHECKING:
    _CONFORMS: FamilyKind = Backbone
    _USUAL: Family = Backbone()
    _RESTING: Resting = Backbone()
