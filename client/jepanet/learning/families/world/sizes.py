"""The world model's part of a recipe: widths, objective, augmentation and batch."""

from __future__ import annotations

from dataclasses import dataclass, field

from jepanet.learning.recipe_fields import bad, check, real, whole


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """Widths of encoder and predictor (`model.py`)."""

    image: int = whole(64, 16, 128)
    """Side of the square RGB frames in pixels; a multiple of 16."""
    actions: int = whole(2, 1, 16)
    latent: int = whole(64, 2, 512)
    channels: tuple[int, int, int] = field(default=(24, 48, 64), metadata={"low": 1, "high": 256})
    hidden: int = whole(256, 4, 2048)
    predictor: int = whole(384, 4, 2048)

    def __post_init__(self) -> None:
        check(self, "recipe.model")
        if self.image % 16:
            raise bad("model.image must be a multiple of 16")


@dataclass(frozen=True, slots=True)
class Objective:
    """Prediction error + weight * (SIGReg + guard * sketched moments)."""

    weight: float = real(0.03, 0.0, 10.0)
    directions: int = whole(64, 1, 1024)
    """Random directions drawn anew in every step."""
    knots: int = whole(17, 3, 129)
    """Quadrature points of the characteristic-function test on [0, 3]."""
    guard: float = real(40.0, 0.0, 1e4)

    def __post_init__(self) -> None:
        check(self, "recipe.objective")


@dataclass(frozen=True, slots=True)
class WorldSizes:
    """All that the world model reads of a recipe. Construction checks every bound.

    Raises:
        Rejected: reason `bad-recipe`, naming the field.
    """

    model: ModelSizes = ModelSizes()
    objective: Objective = Objective()
    colour: bool = True
    """One random linear map of colours per batch, shared by all of its frames: channel gains, a sign, and an
    order of the channels or a rotation (`hues`)."""
    hues: bool = True
    """Any rotation of colour space in place of an order of the channels. A small model learns more slowly
    with it."""
    symmetry: bool = True
    """One random reflection or transposition per batch, of frames and 2-D actions alike."""
    windows: int = whole(32, 2, 1024)
    """Windows in a batch."""
    window: int = whole(4, 3, 32)
    """Frames in a window: two are context, the rest are predicted one step ahead."""

    def __post_init__(self) -> None:
        check(self, "recipe")
        if self.symmetry and self.model.actions != 2:
            raise bad("symmetry needs 2-D actions (x, y)")
