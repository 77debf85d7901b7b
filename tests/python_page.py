"""The examples of docs/python.md, run as in a notebook: section by section, `await` at the top level."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from documented_commands import blocks_of
from jepanet.cid import digest_of
from jepanet.learning.data.shards import save_shard
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.training.loop import warm_start
from learning_shards import RECIPE, SEED, disc_shard

PAGE = Path(__file__).resolve().parents[1] / "docs/python.md"


def notebook(folder: Path) -> Path:
    """What the examples of models in memory find: a trained model of round 2 with its recipe, and shards."""
    (folder / "trained").mkdir()
    base = warm_start(RECIPE, disc_shard(1, (0,) * 12), SEED, steps=80)
    header = ModelHeader.of(RECIPE, 2, digest_of(b"parent"))
    (folder / "trained/model.safetensors").write_bytes(model_bytes(base, header, dict(base)))
    (folder / "trained/recipe.json").write_bytes(RECIPE.to_bytes())
    return shards(folder)


def shards(folder: Path) -> Path:
    """Below it, what the examples train and measure on."""
    (folder / "data").mkdir()
    save_shard(folder / "data/training-00.safetensors", disc_shard(2, (1,) * 12))
    save_shard(folder / "data/public.safetensors", disc_shard(3, (3,) * 30 + (8,) * 30))
    return folder


NEEDS = ("a notebook", "a settled round")
"""What the page's blocks declare: the folder of `notebook`, or a network whose round 1 is settled."""


def sections() -> dict[str, list[tuple[int, str]]]:
    """Heading -> the Python blocks below it, each with the line it begins on."""
    found: dict[str, list[tuple[int, str]]] = {}
    for block in blocks_of(PAGE.read_text(encoding="utf-8")):
        if block.language == "python":
            found.setdefault(block.heading, []).append((block.line - 1, block.text))
    return found


async def play(title: str, names: dict[str, Any], changed: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Runs a section's blocks one after the other in `names`, which is returned.

    changed: texts of the page that stand for what differs from machine to machine -> what they are here.
    """
    for line, code in sections()[title]:
        for usual, here in (changed or {}).items():
            code = code.replace(usual, here)
        tree = ast.increment_lineno(ast.parse(code), line)
        compiled = compile(tree, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        done = eval(compiled, names)
        if inspect.iscoroutine(done):
            await done
    return names
