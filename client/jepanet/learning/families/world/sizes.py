"""The world model's part of a recipe: widths, objective, augmentation and batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from jepanet.records.codec import check, rejected
from jepanet.records.marks import LeftOut, OneOf, Range

Channels = Annotated[int, Range(1, 256)]

SIGREG, VISREG = "sigreg", "visreg"
_BAD_RECIPE = rejected("bad-recipe")


@dataclass(frozen=True, slots=True)
class VitSizes:
    """A vision transformer that encodes frames (`vision.py`)."""

    patch: Annotated[int, Range(4, 32), "side of a patch in pixels; divides `image` in 2 to 32 parts"] = 14
    width: Annotated[int, Range(8, 1536), "of its blocks; a multiple of 4 and of `heads`"] = 192
    depth: Annotated[int, Range(1, 24), "blocks"] = 12
    heads: Annotated[int, Range(1, 24), "of attention, in each block"] = 3

    def __post_init__(self) -> None:
        check(self, "recipe.model.vit", _BAD_RECIPE)
        if self.width % 4 or self.width % self.heads:
            raise _BAD_RECIPE(
                "recipe: model.vit.width must be a multiple of 4 and of model.vit.heads",
                "correct model.vit.width",
            )


@dataclass(frozen=True, slots=True)
class TransformerSizes:
    """A transformer over two latents, conditioned on the actions after them (`attending.py`)."""

    width: Annotated[int, Range(8, 1536), "of its blocks"] = 192
    depth: Annotated[int, Range(1, 24), "blocks"] = 6
    heads: Annotated[int, Range(1, 32), "of attention, in each block"] = 16
    head: Annotated[int, Range(4, 128), "width of one of them"] = 64

    def __post_init__(self) -> None:
        check(self, "recipe.model.transformer", _BAD_RECIPE)


_CHANNELS = (24, 48, 64)


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """Widths of encoder and predictor (`model.py`)."""

    image: Annotated[
        int, Range(16, 512), "side of the square RGB frames in pixels; a multiple of 16, or of `vit.patch`"
    ] = 64
    actions: Annotated[int, Range(1, 16), "numbers of one action"] = 2
    latent: Annotated[int, Range(2, 512), "dimensions of a frame's latent"] = 64
    channels: Annotated[
        tuple[Channels, Channels, Channels], "of the encoder's three convolutions, each on a smaller grid"
    ] = _CHANNELS
    hidden: Annotated[int, Range(4, 8192), "width of the encoder's layer before the latent"] = 256
    predictor: Annotated[
        int,
        Range(4, 8192),
        "width of the predictor's two hidden layers, or of the one in a block of a transformer",
    ] = 384
    vit: Annotated[
        VitSizes | None,
        LeftOut(),
        "a vision transformer encodes frames; without it three convolutions do (`channels`)",
    ] = None
    transformer: Annotated[
        TransformerSizes | None,
        LeftOut(),
        "a transformer predicts; without it a network of two hidden layers does",
    ] = None

    def __post_init__(self) -> None:
        check(self, "recipe.model", _BAD_RECIPE)
        if self.vit is None:
            if self.image % 16:
                raise _BAD_RECIPE("recipe: model.image must be a multiple of 16", "correct model.image")
        elif self.image % self.vit.patch or not 2 <= self.side <= 32:
            raise _BAD_RECIPE(
                "recipe: model.vit.patch must divide model.image in 2 to 32 parts", "correct model.vit.patch"
            )
        elif self.channels != _CHANNELS:
            raise _BAD_RECIPE(
                "recipe: model.channels are of convolutions, which a model.vit has not",
                "leave model.channels or model.vit out",
            )

    @property
    def side(self) -> int:
        """Patches along a side of a frame; 0 where convolutions encode it."""
        return 0 if self.vit is None else self.image // self.vit.patch


@dataclass(frozen=True, slots=True)
class Objective:
    """Prediction error + weight * (SIGReg + guard * sketched moments), or VISReg in their place:
    + weight * (shape + guard * scale)."""

    weight: Annotated[float, Range(0.0, 10.0), "of the regulariser, beside the prediction error"] = 0.03
    directions: Annotated[int, Range(1, 1024), "random directions drawn anew in every step"] = 64
    knots: Annotated[
        int,
        Range(3, 129),
        "quadrature points of the characteristic-function test on [0, 3]",
    ] = 17
    guard: Annotated[
        float,
        Range(0.0, 1e4),
        "weight of the sketched moments within the regulariser: SIGReg alone has no gradient at collapse and "
        "for far outliers; with VISReg, of its scale",
    ] = 40.0
    kind: Annotated[
        str,
        LeftOut(),
        OneOf((SIGREG, VISREG)),
        "what holds the latents to a standard normal law: SIGReg and sketched moments, or VISReg",
    ] = SIGREG

    def __post_init__(self) -> None:
        check(self, "recipe.objective", _BAD_RECIPE)


@dataclass(frozen=True, slots=True)
class WorldSizes:
    """All that the world model reads of a recipe. Construction checks every bound.

    Raises:
        Rejected: reason `bad-recipe`, naming the field.
    """

    model: ModelSizes = ModelSizes()
    objective: Objective = Objective()
    colour: Annotated[
        bool,
        "one random linear map of colours per batch, shared by all of its frames: channel gains, a sign, and "
        "an order of the channels or a rotation (`hues`)",
    ] = True
    hues: Annotated[
        bool,
        "any rotation of colour space in place of an order of the channels; a small model learns more slowly "
        "with it",
    ] = True
    symmetry: Annotated[
        bool, "one random reflection or transposition per batch, of frames and 2-D actions alike"
    ] = True
    windows: Annotated[int, Range(2, 1024), "windows in a batch"] = 32
    window: Annotated[
        int,
        Range(3, 32),
        "frames in a window: two are context, the rest are predicted one step ahead",
    ] = 4

    def __post_init__(self) -> None:
        check(self, "recipe", _BAD_RECIPE)
        if self.symmetry and self.model.actions != 2:
            raise _BAD_RECIPE(
                "recipe: symmetry needs 2-D actions (x, y)", "correct symmetry or model.actions"
            )
