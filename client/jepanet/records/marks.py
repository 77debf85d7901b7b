"""What a field may hold, written beside its type: `Annotated[int, Range(1, 512), "frames of a window"]`.

A bare string is the field's meaning, for references and messages; the marks below are its bounds. A mark on
an optional field speaks of its value, a mark inside a container (`tuple[Annotated[…], ...]`) of each item.
"""

from __future__ import annotations

from dataclasses import dataclass

SAFE_INTEGER = (1 << 53) - 1
"""The largest whole number that every JSON reader takes as it is."""


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, both included; with `above`, `low` itself is not allowed."""

    low: float | None = None
    high: float | None = None
    above: bool = False

    def __contains__(self, number: float) -> bool:
        if self.low is not None and (number < self.low or (self.above and number == self.low)):
            return False
        return self.high is None or number <= self.high

    def __str__(self) -> str:
        """As it follows `a number` in a message: ` from 1 to 512`, `, 0 or more`, ` of more than 0`."""
        low, high = (f"{n:g}" if isinstance(n, float) else str(n) for n in (self.low, self.high))
        if self.low is None:
            return "" if self.high is None else f" of at most {high}"
        if self.above:
            return f" of more than {low}" + ("" if self.high is None else f", at most {high}")
        return f", {low} or more" if self.high is None else f" from {low} to {high}"


@dataclass(frozen=True, slots=True)
class Size:
    """How many characters a text, bytes a byte string, items a tuple, set or dictionary may have."""

    low: int
    high: int

    def __contains__(self, count: int) -> bool:
        return self.low <= count <= self.high

    def of(self, unit: str) -> str:
        """`at most 64 characters`, `65 bytes`, `1 to 4096 items`."""
        if self.low == self.high:
            return f"{self.low} {unit}"
        return f"at most {self.high} {unit}" if not self.low else f"{self.low} to {self.high} {unit}"


@dataclass(frozen=True, slots=True)
class Form:
    """A text matches `pattern` from end to end; `wanted` describes such a text."""

    pattern: str
    wanted: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """A text or enum value is one of these."""

    values: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class DecimalText:
    """A whole number from 0 to `high`, written as a decimal string: it may exceed what JSON numbers hold."""

    high: int


@dataclass(frozen=True, slots=True)
class Hidden:
    """The value may be a secret: no message repeats it."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Bytes of a canonical JSON document that travels as the value it is, not as hex."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The field is no part of the tree: it is given to `Codec.read`, and is not written."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A field that came later: where it holds its default it is not written, and the default written out is
    refused, so that documents from before it keep their bytes and there is one spelling of each record.

    Where the spelling has defaults (configuration), a default may be written out as that of any other field.
    """


@dataclass(frozen=True, slots=True)
class Name:
    """The field's name in JSON or TOML, where it differs from that of the record."""

    text: str


WORD = Form(r"[a-z0-9][a-z0-9._-]*", "a lower-case word")
"""A short machine-readable word: lower-case letters, digits, dots, hyphens, underscores."""
PRINTABLE = Form(r"[ -~]*", "printable ASCII")
"""Possibly empty: nothing in it can move a cursor or disguise itself."""

Mark = Range | Size | Form | OneOf | DecimalText | Hidden | Embedded | Elsewhere | LeftOut | Name
