"""Echo: says the next token of a text from the one before, and a name's embedding from its description's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log
from typing import TYPE_CHECKING, Annotated

import numpy as np

from jepanet.errors import Rejected
from jepanet.learning.data.schemas.pairs import PAIRS
from jepanet.learning.data.shards import Shard, check_schema
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
    cannot_turn,
)  # fmt: skip
from jepanet.learning.seeding import numpy_generator
from jepanet.records.codec import Codec, check, rejected
from jepanet.records.marks import Range
from jepanet.tensors import Arrays


@dataclass(frozen=True, slots=True)
class EchoSizes:
    """All that it reads of a recipe."""

    vocabulary: Annotated[int, Range(2, 4096)] = 24
    width: Annotated[int, Range(2, 64)] = 8
    pairs: Annotated[int, Range(2, 256), "in a batch"] = 8
    pull: Annotated[float, Range(0.0, 10.0), "weight of all but the next token"] = 0.1

    def __post_init__(self) -> None:
        check(self, "recipe", rejected("bad-recipe"))


class Echo(EchoSizes):
    """The family (`jepanet.learning.family.Family`)."""

    __slots__ = ()
    name, schema, turns = "echo", PAIRS, False
    frozen: tuple[str, ...] = ()
    description = Description("Echo", "toy language JEPA", "Says what follows in {environment}.")

    @classmethod
    def read(cls, fields: Fields) -> Echo:
        return ECHO.read(dict(fields))

    @property
    def sizes(self) -> Sizes:
        frames = 2 * self.pairs
        return Sizes(
            image=0,
            window=1,
            frames=frames,
            latent=self.width,
            knots=17,
            vocabulary=self.vocabulary,
            activations=frames * 40 * (self.width + self.vocabulary),
        )

    def fields(self) -> dict[str, object]:
        return ECHO.tree(self)

    def parameter_shapes(self) -> Shapes:
        wide = (self.vocabulary, self.width)
        return {"encoder.tokens": wide, "head.tokens": wide, "predictor.map": (self.width, self.width)}

    def multiplications(self) -> int:
        words = 2 * self.pairs * 6 * self.width * (self.vocabulary + self.width)
        return words + 2 * self.pairs**2 * self.width + self.pairs * 64 * self.width

    def initial_weights(self, seed: bytes) -> Arrays:
        draw = numpy_generator(seed, "weights")
        return {
            name: draw.normal(0, 1 / log(2 + shape[0]), shape).astype(np.float32)
            for name, shape in self.parameter_shapes().items()
        }

    def check_shard(self, shard: Shard) -> None:
        check_schema(shard, PAIRS)
        most = max(int(shard.array(name).max()) for name in PAIRS.trained)
        if most >= self.vocabulary:
            raise Rejected(f"token {most} of {self.vocabulary}", reason="shard-mismatch")

    def batches(self, shard: Shard, seed: bytes) -> Batches:
        from throwaway.network import EchoBatches

        return EchoBatches(self.pairs, shard, seed)

    def widened(self, times: int) -> Echo:
        return replace(self, pairs=self.pairs * times)

    def network(self, weights: Weights, device: str = "cpu", base: Weights | None = None) -> Network:
        from throwaway.network import echo_network

        return echo_network(self, weights, base).to(device)

    def rotated(self, weights: Weights, rotation: np.ndarray) -> Arrays:
        raise cannot_turn(self)


ECHO = Codec(Echo, "recipe", refuse=rejected("bad-recipe"))

if TYPE_CHECKING:
    _CONFORMS: FamilyKind = Echo
    _USUAL: Family = Echo()
