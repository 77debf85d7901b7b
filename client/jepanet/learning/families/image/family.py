"""The image model as training, scoring and alignment see it; imports torch when one is built."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from jepanet.errors import Rejected
from jepanet.learning.data.schemas.images import IMAGES
from jepanet.learning.data.shards import Shard, check_schema
from jepanet.learning.families.image.rotation import rotate_image_model
from jepanet.learning.families.image.schema import (
    activations_of_an_image,
    compared_multiplications,
    init_weights,
    multiplications,
    parameter_shapes,
)
from jepanet.learning.families.image.sizes import ImageSizes, seen_tokens
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


class Image(ImageSizes):
    """The image model at the sizes of one recipe (`family.Family`)."""

    __slots__ = ()

    name = "image"
    schema, turns = IMAGES, True
    frozen: tuple[str, ...] = ()
    description = Description(
        title="Image model",
        kind="image JEPA",
        use="Predicts latent states of hidden parts of a picture from the rest, as of {environment}.",
    )

    @classmethod
    def read(cls, fields: Fields) -> Image:
        return IMAGE.read(dict(fields))

    @property
    def sizes(self) -> Sizes:
        return Sizes(
            image=self.model.image,
            window=1,
            frames=self.images,
            latent=self.model.latent,
            knots=self.objective.knots,
            activations=self.images * activations_of_an_image(self),
            rows=self.model.tokens,
            slots=self.draws * (self.model.tokens - seen_tokens(self.masks, self.model.side)),
            varying=True,
            compared=compared_multiplications(self),
        )

    def fields(self) -> dict[str, object]:
        return IMAGE.tree(self)

    def parameter_shapes(self) -> Shapes:
        return parameter_shapes(self.model)

    def multiplications(self) -> int:
        return multiplications(self)

    def initial_weights(self, seed: bytes) -> Arrays:
        return init_weights(self.model, seed)

    def check_shard(self, shard: Shard) -> None:
        check_schema(shard, self.schema)
        if shard.image != self.model.image:
            raise Rejected(
                f"shard has {shard.image}-pixel images; the recipe wants {self.model.image}",
                reason="shard-mismatch",
            )

    def batches(self, shard: Shard, seed: bytes) -> Batches:
        from jepanet.learning.families.image.batches import ImageBatches

        return ImageBatches(self, shard.array("images"), seed)

    def widened(self, times: int) -> Image:
        return replace(self, images=self.images * times)

    def network(self, weights: Weights, device: str = "cpu", base: Weights | None = None) -> Network:
        from jepanet.learning.families.image.model import load_image_model

        return load_image_model(self, weights, device, base)

    def rotated(self, weights: Weights, rotation: np.ndarray) -> Arrays:
        return rotate_image_model(weights, rotation)


IMAGE = Codec(Image, "recipe", refuse=rejected("bad-recipe"))

if TYPE_CHECKING:
    _CONFORMS: FamilyKind = Image
    _USUAL: Family = Image()
