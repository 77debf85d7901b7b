"""The language model as training, scoring and alignment see it; imports torch when one is built."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from jepanet.errors import Rejected
from jepanet.learning.data.schemas.pairs import PAIRS
from jepanet.learning.data.shards import Shard, check_schema
from jepanet.learning.families.language.schema import (
    activations_of_a_text,
    init_weights,
    multiplications,
    parameter_shapes,
    rotate_language_model,
)
from jepanet.learning.families.language.sizes import LanguageSizes
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


class Language(LanguageSizes):
    """The language model at the sizes of one recipe (`family.Family`)."""

    __slots__ = ()

    name = "language"
    schema = PAIRS
    turns = True
    frozen: tuple[str, ...] = ("projection.",)
    description = Description(
        title="Language model",
        kind="causal language model with a joint-embedding term",
        use="Continues texts of {environment} token by token, and tells which of them are about one thing.",
    )

    @classmethod
    def read(cls, fields: Fields) -> Language:
        return LANGUAGE.read(dict(fields))

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
            varying=True,
        )

    def fields(self) -> dict[str, object]:
        return LANGUAGE.tree(self)

    def parameter_shapes(self) -> Shapes:
        return parameter_shapes(self.model)

    def multiplications(self) -> int:
        return multiplications(self)

    def initial_weights(self, seed: bytes) -> Arrays:
        return init_weights(self.model, seed)

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

    def widened(self, times: int) -> Language:
        return replace(self, pairs=self.pairs * times)

    def network(self, weights: Weights, device: str = "cpu", base: Weights | None = None) -> Network:
        from jepanet.learning.families.language.model import load_language_model

        return load_language_model(self, weights, device)

    def rotated(self, weights: Weights, rotation: np.ndarray) -> Arrays:
        return rotate_language_model(weights, rotation)


LANGUAGE = Codec(Language, "recipe", refuse=rejected("bad-recipe"))

if TYPE_CHECKING:
    _CONFORMS: FamilyKind = Language
    _USUAL: Family = Language()
