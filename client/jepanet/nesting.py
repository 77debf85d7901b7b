"""Refuses deeply nested JSON before a parser sees it.

`json.loads` recurses in C and relies on the interpreter's recursion limit. Some libraries raise that limit to
100,000 when they are imported, and then 100 kB of brackets overflow the stack and kill the process: no
exception, no cleanup.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from jepanet.errors import Rejected

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
"""Whatever a JSON text holds."""
MAX_DEPTH = 64
# A string (to its closing quote or, unterminated, to the end) or a bracket. Possessive, therefore linear.
_TOKENS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
_OPEN, _CLOSE = b"[{", b"]}"


def check_nesting(data: bytes, what: str) -> None:
    """Passes JSON text of at most 64 levels. Text that is not JSON passes too: the parser refuses it.

    Raises:
        Rejected: reason `bad-json`; arrays and objects are nested more deeply.
    """
    if b"\0" in data:  # UTF-16 or UTF-32, which json.loads would detect and in which tokens look different
        raise Rejected(f"{what} is not UTF-8 JSON", reason="bad-json")
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for token in _TOKENS.finditer(data):
        first = data[token.start()]
        if first in _OPEN:
            depth += 1
            if depth > MAX_DEPTH:
                raise Rejected(f"{what} nests more than {MAX_DEPTH} levels", reason="bad-json")
        elif first in _CLOSE:
            depth -= 1
