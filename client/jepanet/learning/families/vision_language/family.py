"""The vision-language model as training, scoring and alignment see it; imports torch when one is built."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from jepanet.errors import Rejected
from jepanet.learning.data.schemas.questions import QUESTIONS
from jepanet.learning.data.shards import Shard, check_schema
from jepanet.learning.families.vision_language.schema import (
    activations_of_a_scene,
    init_weights,
    multiplications,
    parameter_shapes,
    rotate_vision_language_model,
)
from jepanet.learning.families.vision_language.sizes import VisionLanguageSizes
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


class VisionLanguage(VisionLanguageSizes):
    """The vision-language model at the sizes of one recipe (`family.Family`)."""

    __slots__ = ()

    name = "vision_language"
    schema, turns = QUESTIONS, True
    frozen: tuple[str, ...] = ()
    description = Description(
        title="Vision-language model",
        kind="vision-language JEPA",
        use="Predicts the embedding of the answer to a question about a picture, as of {environment}.",
    )

    @classmethod
    def read(cls, fields: Fields) -> VisionLanguage:
        return VISION_LANGUAGE.read(dict(fields))

    @property
    def sizes(self) -> Sizes:
        return Sizes(
            image=self.model.image,
            window=1,
            frames=self.scenes,
            latent=self.model.latent,
            knots=self.objective.knots,
            activations=self.scenes * activations_of_a_scene(self),
            rows=self.questions,
            slots=self.questions,
        )

    def fields(self) -> dict[str, object]:
        return VISION_LANGUAGE.tree(self)

    def parameter_shapes(self) -> Shapes:
        return parameter_shapes(self.model)

    def multiplications(self) -> int:
        return multiplications(self)

    def initial_weights(self, seed: bytes) -> Arrays:
        return init_weights(self.model, seed)

    def check_shard(self, shard: Shard) -> None:
        check_schema(shard, self.schema)
        queries, answers = shard.array("queries"), shard.array("answers")
        if (shard.image, queries.shape[1]) != (self.model.image, self.questions):
            raise Rejected(
                f"shard has {queries.shape[1]} questions about each of its {shard.image}-pixel pictures; the "
                f"recipe wants {self.questions} and {self.model.image} pixels",
                reason="shard-mismatch",
            )
        highest = max(int(texts.max()) for texts in (queries, answers))
        longest = queries.shape[2], answers.shape[2]
        limits = self.model.query, self.model.answer
        if highest >= self.model.vocabulary or longest[0] > limits[0] or longest[1] > limits[1]:
            raise Rejected(
                f"shard has questions of {longest[0]} and answers of {longest[1]} tokens numbered up to "
                f"{highest}; the recipe reads {limits[0]} and {limits[1]} of a vocabulary of "
                f"{self.model.vocabulary}",
                reason="shard-mismatch",
            )

    def batches(self, shard: Shard, seed: bytes) -> Batches:
        from jepanet.learning.families.vision_language.batches import SceneBatches

        return SceneBatches(self.scenes, shard, seed)

    def widened(self, times: int) -> VisionLanguage:
        return replace(self, scenes=self.scenes * times)

    def network(self, weights: Weights, device: str = "cpu", base: Weights | None = None) -> Network:
        from jepanet.learning.families.vision_language.model import load_vision_language_model

        return load_vision_language_model(self, weights, device, base)

    def rotated(self, weights: Weights, rotation: np.ndarray) -> Arrays:
        return rotate_vision_language_model(weights, rotation)


VISION_LANGUAGE = Codec(VisionLanguage, "recipe", refuse=rejected("bad-recipe"))

if TYPE_CHECKING:
    _CONFORMS: FamilyKind = VisionLanguage
    _USUAL: Family = VisionLanguage()
