"""How a refused value is put into words: its dotted key, what is allowed, and the value, cut to a length."""

from __future__ import annotations

import re

_SHOWN = 48
_NAME = re.compile(r"[A-Za-z0-9_-]{1,48}")


class Wrong(Exception):
    """A value its field does not allow. Raised without a place; what contains the value adds its own part.

    `problem` follows the key (` must be a list, not 3`); `remedy` says what to do, with `{key}` for the key.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self._remedy = remedy
        self._path: list[str | int] = []

    def inside(self, part: str | int) -> Wrong:
        """The same error, now one level further out: in the field or at the index `part`."""
        self._path.append(part)
        return self

    @property
    def place(self) -> tuple[str | int, ...]:
        """Names and indices that lead to the value, from outside."""
        return tuple(reversed(self._path))

    @property
    def key(self) -> str:
        """`deltas[3].index`; empty for the whole document."""
        text = ""
        for part in reversed(self._path):
            if isinstance(part, str) and _NAME.fullmatch(part):
                text += f".{part}"
            else:  # an index, or a name from a stranger that could disguise itself
                text += f"[{shown(part)}]"
        return text.removeprefix(".")

    @property
    def remedy(self) -> str:
        return self._remedy.replace("{key}", self.key or "it")

    def message(self, what: str) -> str:
        """`recipe: model.width must be a whole number from 1 to 512, not 9999`."""
        return f"{what}: {self.key}{self.problem}" if self._path else what + self.problem


def shown(value: object) -> str:
    """A value for a message: never longer than a short line, whatever it is."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value) if value.bit_length() <= 128 else f"a number of {value.bit_length()} bits"
        case float():
            return repr(value)
        case str():
            return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}… ({len(value)} characters)"
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return f"an object of {len(value)}"
        case _:
            return f"a {type(value).__name__}"
