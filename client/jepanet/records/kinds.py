"""Every type a field may have: how its value is read from JSON or TOML, written again, and described.

Reading and writing hold the same bounds, so that nobody writes what others refuse to read. Containers and
records are in `compound`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from math import isfinite
from pathlib import Path
from typing import Literal

from jepanet.addresses import checksum_address
from jepanet.records.marks import SAFE_INTEGER, Form, OneOf, Range, Size
from jepanet.records.refusal import Wrong, shown

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}")
_WIDE = re.compile(r"-?[1-9][0-9]{15,77}")
_MOST_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class Spelling:
    """What differs between documents in how the same types are spelled."""

    prefix: str = "0x"
    """Before the lower-case hexadecimal digits of bytes."""
    wide: bool = False
    """Whole numbers beyond 2**53 - 1 are decimal strings, and only they; otherwise they are refused."""
    addresses: Literal["exact", "mended", "unchecked"] = "exact"
    """In EIP-55 form alone; in any letter case, turned into that form; or whatever text was written."""
    longest: int | None = None
    """Characters that a text without a size of its own may have."""
    defaults: bool = False
    """A field with a default may be missing from what is read."""


class Kind:
    """One type with its bounds. `read` and `write` raise `Wrong` for a value outside them."""

    wanted: str
    """What is allowed, as it follows `must be` in a message."""
    hidden = False
    """No message repeats the value."""

    def read(self, tree: object) -> object:
        """The Python value of a JSON or TOML value."""
        raise NotImplementedError

    def write(self, value: object) -> object:
        """The JSON value of a Python value."""
        return self.read(value)

    def wrong(self, value: object) -> Wrong:
        given = f"a {type(value).__name__} that is not shown" if self.hidden else shown(value)
        return Wrong(f" must be {self.wanted}, not {given}", f"write {self.wanted} for {{key}}")


class Flag(Kind):
    """True or false, and no number."""

    wanted = "true or false"

    def read(self, tree: object) -> bool:
        if tree is True or tree is False:
            return tree
        raise self.wrong(tree)


class Whole(Kind):
    """A whole number; `1.0` and `true` are none."""

    def __init__(self, bounds: Range | None = None) -> None:
        bounds = bounds or Range()
        self._low = -SAFE_INTEGER if bounds.low is None else bounds.low + bounds.above
        self._high = SAFE_INTEGER if bounds.high is None else bounds.high
        self.wanted = f"a whole number{bounds}"

    def read(self, tree: object) -> int:
        if type(tree) is int and self._low <= tree <= self._high:
            return tree
        raise self.wrong(tree)

    def wrong(self, value: object) -> Wrong:
        if type(value) is int and abs(value) > SAFE_INTEGER:
            return Wrong(
                f" must be {self.wanted}, within 2**53, not {shown(value)}",
                f"write {self.wanted} for {{key}}, at most {SAFE_INTEGER}",
            )
        return super().wrong(value)


class WideWhole(Kind):
    """A whole number of at most 256 bits: a JSON number within 2**53 - 1, beyond it a decimal string."""

    wanted = f"a whole number, beyond {SAFE_INTEGER} as a decimal string"

    def read(self, tree: object) -> int:
        if type(tree) is int and -SAFE_INTEGER <= tree <= SAFE_INTEGER:
            return tree
        if type(tree) is str and _WIDE.fullmatch(tree):
            number = int(tree)
            if number.bit_length() <= 256 and not -SAFE_INTEGER <= number <= SAFE_INTEGER:
                return number
        raise self.wrong(tree)

    def write(self, value: object) -> int | str:
        if type(value) is int and value.bit_length() <= 256:
            return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else str(value)
        raise self.wrong(value)


class Decimal(Kind):
    """A whole number from 0 to `high`, as a decimal string in its only spelling."""

    def __init__(self, high: int) -> None:
        self._high = high
        self.wanted = f"a decimal string from 0 to {high}"

    def read(self, tree: object) -> int:
        if type(tree) is str and _DECIMAL.fullmatch(tree) and (number := int(tree)) <= self._high:
            return number
        raise self.wrong(tree)

    def write(self, value: object) -> str:
        if type(value) is int and 0 <= value <= self._high:
            return str(value)
        raise self.wrong(value)


class Real(Kind):
    """A finite number. Canonical JSON writes 1.0 as 1, so a whole one is read too."""

    def __init__(self, bounds: Range | None = None) -> None:
        # Beyond 2**53 a whole float would be written with digits that no reader takes for a number.
        self._bounds = bounds or Range(-float(1 << 53), float(1 << 53))
        self.wanted = f"a finite number{bounds or ''}"

    def read(self, tree: object) -> float:
        if type(tree) is int and -SAFE_INTEGER <= tree <= SAFE_INTEGER:
            tree = float(tree)
        if type(tree) is float and isfinite(tree) and tree in self._bounds:
            return tree
        raise self.wrong(tree)

    def write(self, value: object) -> float:
        if type(value) is float and isfinite(value) and value in self._bounds:
            return value
        raise self.wrong(value)


class Text(Kind):
    """Characters, as many as `size` and in the form that `form` allow."""

    def __init__(self, size: Size | None = None, form: Form | None = None) -> None:
        self._size = size
        self._pattern = re.compile(form.pattern) if form else None
        self.wanted = form.wanted if form else "text"
        if size:
            self.wanted += f" of {size.of('characters')}"

    def read(self, tree: object) -> str:
        if (
            type(tree) is str
            and (self._size is None or len(tree) in self._size)
            and (self._pattern is None or self._pattern.fullmatch(tree))
        ):
            return tree
        raise self.wrong(tree)


class Hex(Kind):
    """Bytes, as lower-case hexadecimal digits after `prefix`."""

    def __init__(self, size: Size | None, prefix: str) -> None:
        self._size = size
        self._prefix = prefix
        amount = size.of("bytes") if size else "bytes"
        self.wanted = f"{amount} in lower-case hex" + (f" with {prefix}" if prefix else "")

    def read(self, tree: object) -> bytes:
        if type(tree) is str and tree.startswith(self._prefix):
            digits = tree[len(self._prefix) :]
            if self._size is None or len(digits) // 2 in self._size:
                try:
                    raw = bytes.fromhex(digits)
                except ValueError:
                    raise self.wrong(tree) from None
                if raw.hex() == digits:
                    return raw
        raise self.wrong(tree)

    def write(self, value: object) -> str:
        if type(value) is bytes and (self._size is None or len(value) in self._size):
            return self._prefix + value.hex()
        raise self.wrong(f"{len(value)} bytes" if isinstance(value, bytes) else value)


class Document(Kind):
    """A JSON document inside another: bytes here, its own value there."""

    wanted = "a JSON value"

    def read(self, tree: object) -> bytes:
        from jepanet.tensors import canonical_json

        return canonical_json(tree)

    def write(self, value: object) -> object:
        from jepanet.tensors import parse_json

        if type(value) is bytes:
            return parse_json(value, max_bytes=len(value), what="an embedded document")
        raise self.wrong(value)


class AsIs(Kind):
    """A JSON value that is read further by whoever knows its type."""

    wanted = "a JSON value"

    def read(self, tree: object) -> object:
        return tree


class Account(Kind):
    """An address in EIP-55 form; with `mend`, one in any letter case that contradicts no checksum."""

    def __init__(self, *, mend: bool) -> None:
        self._mend = mend
        self.wanted = "an address" if mend else "an address in EIP-55 form"

    def read(self, tree: object) -> str:
        if type(tree) is not str:
            raise self.wrong(tree)
        try:
            address = checksum_address(tree)
        except ValueError as error:
            raise Wrong(f": {error}", "copy the address again from where it comes from") from error
        if address != tree and not self._mend:
            raise self.wrong(tree)
        return address


class Choice(Kind):
    """One of a few texts, or one member of an enum, which travels as its value."""

    def __init__(self, among: type[Enum] | None, only: OneOf | None) -> None:
        members: dict[object, object] = {item.value: item for item in among} if among else {}
        if only:
            members = {value: members.get(value, value) for value in map(_plain, only.values)}
        self._members = members
        self._written = {member: value for value, member in members.items()}
        self._raw = type(next(iter(members)))
        self._type = among or self._raw
        self.wanted = f"one of {', '.join(map(str, members))}"

    def read(self, tree: object) -> object:
        if type(tree) is self._raw and tree in self._members:
            return self._members[tree]
        raise self.wrong(tree)

    def write(self, value: object) -> object:
        if type(value) is self._type and value in self._written:
            return self._written[value]
        raise self.wrong(value)


def _plain(value: str | int) -> str | int:
    return value.value if isinstance(value, Enum) else value


class FilePath(Kind):
    """A path of this machine, absolute or not; nothing is looked up."""

    wanted = f"a path of at most {_MOST_CHARACTERS} characters"

    def read(self, tree: object) -> Path:
        if type(tree) is str and len(tree) <= _MOST_CHARACTERS and "\0" not in tree:
            return Path(tree)
        raise self.wrong(tree)

    def write(self, value: object) -> str:
        if isinstance(value, Path):
            return str(value)
        raise self.wrong(value)
