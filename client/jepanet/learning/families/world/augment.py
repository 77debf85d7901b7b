"""Random changes of a batch that leave its dynamics alone: colours, reflections and transpositions."""

from __future__ import annotations

import torch
from torch import Tensor

from jepanet.learning.families.world.model import Colour


def draw_colour(generator: torch.Generator, *, hues: bool = True) -> Colour:
    """A random linear map of colours: gains in [0.5, 1.5] for the channels and one sign, then any rotation
    (`hues`) or any order of the channels.

    With rotations background, wall and agent take any hue, while contrasts between them stay within the
    gains. Rotations are uniform: a normalised Gaussian quaternion (Muller 1959, doi:10.1145/377939.377946).
    """
    mixed = _rotation(generator) if hues else torch.eye(3)[torch.randperm(3, generator=generator)]
    gains = 0.5 + torch.rand(3, generator=generator)
    sign = 1.0 if torch.rand((), generator=generator) < 0.5 else -1.0
    return mixed * (gains * sign)


def _rotation(generator: torch.Generator) -> Tensor:
    quaternion = torch.randn(4, generator=generator)
    w, x, y, z = (quaternion / quaternion.norm()).tolist()
    return torch.tensor(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def turn(frames: Tensor, actions: Tensor, which: int) -> tuple[Tensor, Tensor]:
    """One of the square's eight symmetries, applied to frames [..., S, S] and actions [..., 2] (x, y) alike.

    Bit 0 of `which` mirrors x, bit 1 mirrors y, bit 2 swaps the axes.
    """
    mirrored = [axis for axis, bit in ((-1, 1), (-2, 2)) if which & bit]
    if mirrored:
        frames = frames.flip(mirrored)
        signs = [-1.0 if which & bit else 1.0 for bit in (1, 2)]
        actions = actions * torch.tensor(signs, device=actions.device)
    return (frames.transpose(-1, -2), actions.flip(-1)) if which & 4 else (frames, actions)
