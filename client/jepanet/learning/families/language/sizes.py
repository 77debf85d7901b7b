"""The language model's part of a recipe: widths, objective and batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from jepanet.learning.text_pairs.sizes import USUAL_OBJECTIVE, PairObjective
from jepanet.records.codec import check, rejected
from jepanet.records.marks import Range

_BAD_RECIPE = rejected("bad-recipe")


@dataclass(frozen=True, slots=True)
class LanguageModelSizes:
    """Widths of the transformer (`model.py`)."""

    vocabulary: Annotated[
        int, Range(2, 65_536), "tokens, among them 0, the border of a text; a shard's are all below it"
    ] = 2048
    context: Annotated[int, Range(1, 2048), "tokens of the longest text"] = 32
    latent: Annotated[
        int, Range(2, 1024), "dimensions in which two texts are compared, after a projection nobody trains"
    ] = 64
    width: Annotated[int, Range(4, 2048), "of the blocks; a multiple of `heads`"] = 128
    depth: Annotated[int, Range(1, 48), "blocks"] = 4
    heads: Annotated[int, Range(1, 64), "of attention, in each block"] = 4

    def __post_init__(self) -> None:
        check(self, "recipe.model", _BAD_RECIPE)
        if self.width % self.heads:
            raise _BAD_RECIPE(
                "recipe: model.width must be a multiple of model.heads", "correct model.width or model.heads"
            )


@dataclass(frozen=True, slots=True)
class LanguageSizes:
    """All that the language model reads of a recipe. Construction checks every bound.

    Raises:
        Rejected: reason `bad-recipe`, naming the field.
    """

    model: LanguageModelSizes = LanguageModelSizes()
    objective: PairObjective = USUAL_OBJECTIVE
    pairs: Annotated[int, Range(2, 4096), "pairs of texts in a batch"] = 32

    def __post_init__(self) -> None:
        check(self, "recipe", _BAD_RECIPE)
