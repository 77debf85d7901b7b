"""Networks compiled by `torch.compile`, where a recipe asks for it and where it pays.

Each training compiles anew, in a folder of its own, which takes a minute or more: a compiler that is killed
leaves half a library, which whoever finds it where compiled code is usually kept takes for a whole one. Each
shape of inputs has code of its own, so that a training which is taken up runs what it ran before: code that
is made for any shape rounds otherwise, and which is used would depend on what came first.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from jepanet.errors import Rejected
from jepanet.learning.family import Network
from jepanet.learning.recipe import Recipe

LEAST_STEPS_ON_CPU = 5000
"""On one CPU thread a step of `tworoom-small` falls from 24 to 19 ms; compiling it takes a minute or more."""
_MOST_SHAPES = 64
_KEPT_IN = ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")
_ROOM = (
    "make sure that its folder (or, without checkpoints, the one in TMPDIR) has room and may hold programs"
)


def compiles(recipe: Recipe, device: str, steps: int) -> bool:
    """Whether a training of so many steps compiles its network: nothing else decides, so that whoever takes
    it up or repeats it there does the same."""
    return recipe.loop.compile and (torch.device(device).type != "cpu" or steps >= LEAST_STEPS_ON_CPU)


@contextmanager
def compiling(on: bool, folder: Path | None = None, rank: int = 0, *, fixed: bool = True) -> Iterator[None]:
    """Around a training, process `rank` of those that do it: it finds nothing that was compiled before and
    leaves nothing behind, and nothing goes back to uncompiled code by itself.

    What is compiled lies in a folder below `folder`, which is the training's own, or else in a temporary one.
    The next call with the same `folder` and `rank` removes what one that was killed has left there. `fixed`:
    code is not chosen by how fast it proves to be, which two runs may see differently.

    Raises:
        Rejected: this machine has no C++ compiler (`no-compiler`), or compiling fails (`no-compile`).
    """
    if not on:
        yield
        return
    # Here: they take seconds.
    from torch import _dynamo as dynamo
    from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException
    from torch._inductor import config

    compiler = config.cpp.cxx[1]  # what CXX names, or the usual one
    if not shutil.which(compiler):
        raise Rejected(
            f"the recipe compiles networks, and this machine has no C++ compiler: there is no {compiler}",
            reason="no-compiler",
            remedy=f"install {compiler}, or name another one in CXX",
        )
    try:
        with (
            _folder_of_its_own(folder, rank),
            dynamo.config.patch(recompile_limit=_MOST_SHAPES, fail_on_recompile_limit_hit=True),
            # Precompiled headers are kept in one place for all, whatever folder is named.
            config.patch(deterministic=fixed, cpp_cache_precompile_headers=False),
        ):
            yield
    except (TorchDynamoException, FailOnRecompileLimitHit) as error:
        told = " ".join(str(error).split())[:300]
        raise Rejected(
            f"the recipe compiles networks, and this one could not be compiled: {told}",
            reason="no-compile",
            remedy=f"{_ROOM}; or train by a recipe without loop.compile",
        ) from error


def compile_parts(network: Network, *, whole: bool = True) -> None:
    """Compiles each part of a network, in place: names and values of its parameters stay. In a single layer
    there is nothing to join.

    Raises:
        Rejected: the network has no parts, or is not to be `whole` on this process (`no-compile`).
    """
    if not whole:
        raise Rejected(
            "the recipe compiles networks, which processes that have a part of one each (fsdp2) do not",
            reason="no-compile",
            remedy="let them have the whole model each (ddp)",
        )
    parts = _parts(network) if isinstance(network, nn.Module) else []
    if not parts:
        raise Rejected("the recipe compiles networks, and this one has no parts", reason="no-compile")
    for part in parts:
        part.compile(dynamic=False, fullgraph=True)


def _parts(network: nn.Module) -> list[nn.Module]:
    """The modules of our own next to the top, also within lists: torch compiles none of its own alone."""
    found: list[nn.Module] = []
    for part in network.children():
        found += _parts(part) if type(part).__module__.startswith("torch.") else [part]
    return found


@contextmanager
def _folder_of_its_own(folder: Path | None, rank: int) -> Iterator[None]:
    """An empty folder with a new name, where compilers find and leave code meanwhile.

    A new name: the compiler of a process that was killed may go on for a while, and write.
    """
    from torch._dynamo import reset
    from torch._inductor.utils import clear_caches

    prefix = f"compiled-{rank}-"
    before = {name: os.environ.get(name) for name in _KEPT_IN}
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for left in folder.glob(f"{prefix}*"):
                shutil.rmtree(left, ignore_errors=True)
        place = tempfile.mkdtemp(prefix=prefix if folder else f"jepanet-{prefix}", dir=folder)
    except OSError as error:
        raise Rejected(
            f"the recipe compiles networks, and there is no folder for compiled code: {error}",
            reason="no-compile",
            remedy=_ROOM,
        ) from error
    try:
        os.environ.update({name: str(Path(place) / name.lower()) for name in _KEPT_IN})
        reset()
        clear_caches()  # in memory, of code in other folders
        yield
    finally:
        reset()
        clear_caches()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        shutil.rmtree(place, ignore_errors=True)
