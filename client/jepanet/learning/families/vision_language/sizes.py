"""The vision-language model's part of a recipe: widths, objective and batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from jepanet.records.codec import check, rejected
from jepanet.records.marks import Range

_BAD_RECIPE = rejected("bad-recipe")
MAX_TOKENS_OF_A_SCENE = 2048
"""Of all its questions, or answers: a round's pictures are capped, and texts are no way around that."""
Words = Annotated[int, Range(1, 512)]
Width = Annotated[int, Range(8, 1536), "of its blocks; a multiple of 4 and of its heads"]
Depth = Annotated[int, Range(1, 24), "its blocks"]
Heads = Annotated[int, Range(1, 24), "of attention, in each of its blocks"]


@dataclass(frozen=True, slots=True)
class VisionLanguageModelSizes:
    """Widths of the three networks (`model.py`)."""

    image: Annotated[int, Range(16, 448), "side of the square RGB pictures in pixels"] = 56
    patch: Annotated[int, Range(4, 32), "side of a patch in pixels; divides `image` in 2 to 32 parts"] = 8
    vocabulary: Annotated[
        int, Range(2, 65_536), "tokens, among them 0, padding; those of a shard are all below it"
    ] = 64
    query: Annotated[Words, "tokens of the longest question"] = 8
    answer: Annotated[Words, "tokens of the longest answer"] = 4
    latent: Annotated[int, Range(2, 1024), "dimensions of an answer's embedding"] = 48
    width: Annotated[Width, "of the picture's encoder: a multiple of 4 and of `heads`"] = 64
    depth: Annotated[Depth, "blocks of the picture's encoder"] = 3
    heads: Annotated[Heads, "of attention, in each of its blocks"] = 4
    text_width: Annotated[Width, "of the answers' encoder: a multiple of 4 and of `text_heads`"] = 48
    text_depth: Annotated[Depth, "blocks of the answers' encoder"] = 1
    text_heads: Annotated[Heads, "of attention, in each of its blocks"] = 4
    predictor_width: Annotated[Width, "of the predictor: a multiple of 4 and of `predictor_heads`"] = 64
    predictor_depth: Annotated[Depth, "blocks of the predictor, each behind a look at the picture"] = 2
    predictor_heads: Annotated[Heads, "of attention, in each of its blocks"] = 4

    def __post_init__(self) -> None:
        check(self, "recipe.model", _BAD_RECIPE)
        if self.image % self.patch or not 2 <= self.side <= 32:
            raise _BAD_RECIPE(
                "recipe: model.patch must divide model.image in 2 to 32 parts", "correct model.patch"
            )
        for room in ("", "text_", "predictor_"):
            name, heads = f"{room}width", f"{room}heads"
            width = getattr(self, name)
            if width % 4 or width % getattr(self, heads):
                raise _BAD_RECIPE(
                    f"recipe: model.{name} must be a multiple of 4 and of model.{heads}",
                    f"correct model.{name} or model.{heads}",
                )

    @property
    def side(self) -> int:
        """Patches along a side."""
        return self.image // self.patch

    @property
    def tokens(self) -> int:
        """Patches of a picture."""
        return self.side**2


@dataclass(frozen=True, slots=True)
class VisionLanguageObjective:
    """InfoNCE between predictions and answers, in nats a question, + base * squared error against what the
    frozen base of the round makes of the answers."""

    base: Annotated[
        float,
        Range(0.0, 100.0),
        "weight of the error against the base's embeddings, per dimension: without it answers move faster "
        "than they help, and honest work reads as harm",
    ] = 1.0
    temperature: Annotated[float, Range(0.005, 10.0), "by which cosines are divided"] = 0.1
    knots: Annotated[
        int, Range(3, 129), "quadrature points of the SIGReg metric that the state guards read"
    ] = 17

    def __post_init__(self) -> None:
        check(self, "recipe.objective", _BAD_RECIPE)


@dataclass(frozen=True, slots=True)
class VisionLanguageSizes:
    """All that the vision-language model reads of a recipe. Construction checks every bound.

    Raises:
        Rejected: reason `bad-recipe`, naming the field.
    """

    model: VisionLanguageModelSizes = VisionLanguageModelSizes()
    objective: VisionLanguageObjective = VisionLanguageObjective()
    questions: Annotated[int, Range(1, 64), "asked of every picture, each in a place of its own"] = 5
    scenes: Annotated[int, Range(2, 4096), "pictures in a batch, each with all of its questions"] = 32

    def __post_init__(self) -> None:
        check(self, "recipe", _BAD_RECIPE)
        for name in ("query", "answer"):
            tokens = self.questions * getattr(self.model, name)
            if tokens > MAX_TOKENS_OF_A_SCENE:
                raise _BAD_RECIPE(
                    f"recipe: questions of model.{name} tokens are {tokens} tokens a picture, more than "
                    f"{MAX_TOKENS_OF_A_SCENE}",
                    f"fewer questions or a lower model.{name}",
                )
