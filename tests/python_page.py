"""The examples of docs/python.md, run as in a notebook: section by section, `await` at the top level."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[1] / "docs/python.md"


def sections() -> dict[str, list[tuple[int, str]]]:
    """Heading -> the Python blocks below it, each with the line it begins on."""
    found: dict[str, list[tuple[int, str]]] = {}
    text = PAGE.read_text(encoding="utf-8")
    for match in re.finditer(
        r"^## (?P<title>[^\n]+)$|^```python\n(?P<code>.*?)^```$", text, re.MULTILINE | re.DOTALL
    ):
        if match["title"]:
            blocks = found.setdefault(match["title"], [])
        else:
            blocks.append((text.count("\n", 0, match.start("code")), match["code"]))
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
