"""Networks compiled by `torch.compile`, where a recipe asks for it and where it pays.

Compiling takes a minute or more, and seconds where this machine has compiled the same before. Each shape of
inputs has code of its own, so that a training which is taken up runs what it ran before: code that is made
for any shape rounds otherwise, and which is used would depend on what came first.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from jepanet.errors import Rejected
from jepanet.learning.family import Network
from jepanet.learning.recipe import Recipe

LEAST_STEPS_ON_CPU = 5000
"""On one CPU thread a step of `tworoom-small` falls from 24 to 19 ms; compiling it takes a minute or more."""
_MOST_SHAPES = 64
_COMPILERS = ("g++", "clang++")


def compiles(recipe: Recipe, device: str, steps: int) -> bool:
    """Whether a training of so many steps compiles its network: nothing else decides, so that whoever takes
    it up or repeats it there does the same."""
    return recipe.loop.compile and (torch.device(device).type != "cpu" or steps >= LEAST_STEPS_ON_CPU)


@contextmanager
def compiling(on: bool) -> Iterator[None]:
    """Around a training: nothing is left of what was compiled before, and nothing goes back to uncompiled
    code by itself.

    Raises:
        Rejected: this machine has no C++ compiler (`no-compiler`).
    """
    if not on:
        yield
        return
    if not any(shutil.which(name) for name in _COMPILERS):
        raise Rejected(
            "the recipe compiles networks, and this machine has no C++ compiler",
            reason="no-compiler",
            remedy="install g++",
        )
    import torch._dynamo  # here: it takes seconds

    torch._dynamo.reset()
    with torch._dynamo.config.patch(recompile_limit=_MOST_SHAPES, fail_on_recompile_limit_hit=True):
        yield


def compile_parts(network: Network, *, whole: bool = True) -> None:
    """Compiles each part of a network, in place: names and values of its parameters stay.

    Raises:
        Rejected: the network is not made of modules, or is not to be `whole` on this process (`no-compile`).
    """
    if not whole:
        raise Rejected(
            "the recipe compiles networks, which processes that have a part of one each (fsdp2) do not",
            reason="no-compile",
            remedy="let them have the whole model each (ddp)",
        )
    if not isinstance(network, nn.Module):
        raise Rejected("the recipe compiles networks, and this one has no modules", reason="no-compile")
    for part in network.children():
        part.compile(dynamic=False)
