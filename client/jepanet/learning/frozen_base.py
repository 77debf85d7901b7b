"""The round's base beside a network in training, for an objective that holds on to what the base encodes.

A copy is part of what a training follows from, and no part of what it makes: it has no parameters by which an
optimiser, a delta or a checkpoint would know of it, and every process has it whole. A training that is taken
up again builds it from the base once more, since it begins with the base's weights in any case.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from torch import nn

M = TypeVar("M", bound=nn.Module)


class FrozenBase(Generic[M]):
    """Holds a module with the base's weights. As an attribute of a network it is none of its modules: torch
    looks for modules, and this is none."""

    __slots__ = ("module",)

    def __init__(self, module: M) -> None:
        self.module = module.requires_grad_(False).eval()
