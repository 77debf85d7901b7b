"""The image model's part of a recipe: widths, masks, objective and batch."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Annotated

from jepanet.records.codec import check, rejected
from jepanet.records.marks import Range

_BAD_RECIPE = rejected("bad-recipe")
Share = Annotated[float, Range(0.01, 1.0)]


@dataclass(frozen=True, slots=True)
class ImageModelSizes:
    """Widths of encoder and predictor (`model.py`)."""

    image: Annotated[int, Range(16, 448), "side of the square RGB images in pixels"] = 64
    patch: Annotated[int, Range(4, 32), "side of a patch in pixels; divides `image` in 3 to 32 parts"] = 8
    latent: Annotated[int, Range(2, 1024), "dimensions of a token after the encoder's head"] = 48
    width: Annotated[int, Range(8, 1536), "of the encoder's blocks; a multiple of 4 and of `heads`"] = 64
    depth: Annotated[int, Range(1, 24), "blocks of the encoder"] = 3
    heads: Annotated[int, Range(1, 24), "of attention, in each of its blocks"] = 4
    predictor_width: Annotated[
        int, Range(8, 1536), "of the predictor's blocks; a multiple of 4 and of `predictor_heads`"
    ] = 48
    predictor_depth: Annotated[int, Range(1, 24), "blocks of the predictor"] = 2
    predictor_heads: Annotated[int, Range(1, 24), "of attention, in each of its blocks"] = 4

    def __post_init__(self) -> None:
        check(self, "recipe.model", _BAD_RECIPE)
        if self.image % self.patch or not 3 <= self.side <= 32:
            raise _BAD_RECIPE(
                "recipe: model.patch must divide model.image in 3 to 32 parts", "correct model.patch"
            )
        for name, width, heads in (
            ("width", self.width, self.heads),
            ("predictor_width", self.predictor_width, self.predictor_heads),
        ):
            if width % 4 or width % heads:
                raise _BAD_RECIPE(
                    f"recipe: model.{name} must be a multiple of 4 and of its heads", f"correct model.{name}"
                )

    @property
    def side(self) -> int:
        """Patches along a side."""
        return self.image // self.patch

    @property
    def tokens(self) -> int:
        """Patches of an image."""
        return self.side**2


@dataclass(frozen=True, slots=True)
class Masks:
    """Multi-block masks of I-JEPA (Assran et al. 2023, arXiv:2301.08243): what is hidden, what is seen.

    Shares are of the image's area.
    """

    blocks: Annotated[int, Range(1, 8), "target blocks of an image; they may overlap"] = 4
    target_low: Annotated[Share, "least share of the image that a target block covers"] = 0.15
    target_high: Annotated[Share, "largest share of it"] = 0.2
    aspect: Annotated[float, Range(1.0, 4.0), "long side of a target block over its short one, at most"] = 1.5
    context: Annotated[
        float, Range(0.3, 1.0), "least share of the block from which, less the targets, is predicted"
    ] = 0.85

    def __post_init__(self) -> None:
        check(self, "recipe.masks", _BAD_RECIPE)
        if self.target_low > self.target_high:
            raise _BAD_RECIPE("recipe: masks.target_low is above masks.target_high", "correct masks")


def block_size(share: float, aspect: float, side: int) -> tuple[int, int]:
    """Height and width in tokens, 1 to `side`, of a block of this share of the area, or a little less.

    aspect: height over width.
    """
    height, width = side * sqrt(share * aspect), side * sqrt(share / aspect)
    return max(1, min(side, int(height + 1e-9))), max(1, min(side, int(width + 1e-9)))


def seen_tokens(masks: Masks, side: int) -> int:
    """At least so many of side * side tokens lie in no target block, wherever the blocks lie."""
    longest, steps = sqrt(masks.aspect), 64
    aspects = (longest ** (2.0 * step / steps - 1.0) for step in range(steps + 1))
    sizes = (block_size(masks.target_high, aspect, side) for aspect in aspects)
    return side**2 - masks.blocks * max(height * width for height, width in sizes)


@dataclass(frozen=True, slots=True)
class ImageObjective:
    """(1 - base) * error against own tokens + base * error against the round's base
    + weight * (SIGReg + guard * (sketched moments + squared mean))."""

    base: Annotated[
        float,
        Range(0.0, 1.0),
        "share of the target that is what the round's base, frozen, makes of the whole image: without it "
        "own tokens move faster than they help, and honest work reads as harm",
    ] = 0.5
    weight: Annotated[float, Range(0.0, 10.0), "of the regulariser, beside the prediction error"] = 0.03
    directions: Annotated[int, Range(1, 1024), "random directions drawn anew in every step"] = 64
    knots: Annotated[
        int, Range(3, 129), "quadrature points of the characteristic-function test on [0, 3]"
    ] = 17
    guard: Annotated[float, Range(0.0, 1e4), "weight of the sketched moments within it"] = 40.0
    tokens: Annotated[
        int,
        Range(1, 1024),
        "tokens of every image, at places drawn anew in every step, on which SIGReg and moments are taken",
    ] = 8

    def __post_init__(self) -> None:
        check(self, "recipe.objective", _BAD_RECIPE)


@dataclass(frozen=True, slots=True)
class ImageSizes:
    """All that the image model reads of a recipe. Construction checks every bound.

    Raises:
        Rejected: reason `bad-recipe`, naming the field.
    """

    model: ImageModelSizes = ImageModelSizes()
    masks: Masks = Masks()
    objective: ImageObjective = ImageObjective()
    mirror: Annotated[bool, "images are mirrored left to right, or are not, by chance"] = True
    draws: Annotated[int, Range(1, 16), "draws of masks, fixed for good, over which the score goes"] = 4
    images: Annotated[int, Range(2, 4096), "images in a batch"] = 64

    def __post_init__(self) -> None:
        check(self, "recipe", _BAD_RECIPE)
        if seen_tokens(self.masks, self.model.side) < 1:
            raise _BAD_RECIPE(
                "recipe: masks.blocks of masks.target_high can hide all tokens of an image",
                "fewer masks.blocks or a lower masks.target_high",
            )
