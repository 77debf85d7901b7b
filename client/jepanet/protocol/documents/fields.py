"""Strict readers for fields of untrusted JSON documents.

Every reader names the field it refuses. Integers that may exceed 2**53 - 1 (amounts) travel as decimal
strings in their only spelling; digests and signatures as lower-case hex with 0x; accounts in EIP-55 form.
"""

from __future__ import annotations

import re
from typing import Any

from jepanet.addresses import checksum_address
from jepanet.errors import Rejected
from jepanet.nesting import check_nesting
from jepanet.tensors import parse_json
from jepanet.types import Address, Digest

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}")
_HEX = re.compile(r"0x(?:[0-9a-f]{2})*")
_TOKEN = re.compile(r"[a-z0-9][a-z0-9._-]*")
SAFE_INTEGER = (1 << 53) - 1


def parse_document(data: bytes, *, max_bytes: int, what: str) -> Any:
    """`tensors.parse_json` for documents from strangers: size first, then depth, then the parser.

    Raises:
        Rejected: too large, nested too deeply, not JSON or not canonical.
    """
    if len(data) <= max_bytes:
        check_nesting(data, what)
    return parse_json(data, max_bytes=max_bytes, what=what)


class Fields:
    """The members of one JSON object; each is read once, by type and bounds.

    Raises (the constructor and every reader):
        Rejected: reason `bad-field`; the message names document and field.
    """

    def __init__(self, value: Any, what: str, names: tuple[str, ...]) -> None:
        self._what = what
        if not isinstance(value, dict):
            raise Rejected(f"{what} is not an object", reason="bad-field")
        if set(value) != set(names):
            odd = sorted(set(value) ^ set(names))[:4]
            raise Rejected(f"{what}: missing or unknown fields {odd!r:.200}", reason="bad-field")
        self._values: dict[str, Any] = value

    def integer(self, name: str, low: int, high: int) -> int:
        """A JSON integer within [low, high] (both within +-(2**53 - 1))."""
        value = self._values[name]
        if type(value) is not int or not low <= value <= high:
            raise self._refuse(name, f"an integer from {low} to {high}")
        return value

    def big(self, name: str, high: int) -> int:
        """A non-negative integer up to `high`, written as a decimal string."""
        value = self._values[name]
        if not isinstance(value, str) or not _DECIMAL.fullmatch(value) or int(value) > high:
            raise self._refuse(name, f"a decimal string from 0 to {high}")
        return int(value)

    def flag(self, name: str) -> bool:
        value = self._values[name]
        if not isinstance(value, bool):
            raise self._refuse(name, "true or false")
        return value

    def digest(self, name: str) -> Digest:
        return Digest(self.hex(name, 32))

    def hex(self, name: str, size: int) -> bytes:
        """Exactly `size` bytes as lower-case hex with 0x."""
        value = self._values[name]
        if not isinstance(value, str) or len(value) != 2 + 2 * size or not _HEX.fullmatch(value):
            raise self._refuse(name, f"{size} bytes in lower-case hex with 0x")
        return bytes.fromhex(value[2:])

    def address(self, name: str) -> Address:
        return self._address(name, self._values[name])

    def addresses(self, name: str, at_most: int) -> tuple[Address, ...]:
        return tuple(self._address(name, item) for item in self.items(name, at_most))

    def choice(self, name: str, among: tuple[str, ...]) -> str:
        value = self._values[name]
        if value not in among:
            raise self._refuse(name, f"one of {', '.join(among)}")
        return str(value)

    def token(self, name: str, at_most: int) -> str:
        """A short machine-readable word: lower-case letters, digits, dots, hyphens, underscores."""
        value = self._values[name]
        if not isinstance(value, str) or len(value) > at_most or not _TOKEN.fullmatch(value):
            raise self._refuse(name, f"a lower-case word of at most {at_most} characters")
        return value

    def text(self, name: str, at_most: int) -> str:
        """Printable ASCII, possibly empty: nothing in it can move a cursor or disguise itself."""
        value = self._values[name]
        if (
            not isinstance(value, str)
            or len(value) > at_most
            or not (value.isascii() and value.isprintable())
        ):
            raise self._refuse(name, f"printable ASCII of at most {at_most} characters")
        return value

    def items(self, name: str, at_most: int) -> list[Any]:
        value = self._values[name]
        if not isinstance(value, list) or len(value) > at_most:
            raise self._refuse(name, f"a list of at most {at_most} items")
        return value

    def member(self, name: str) -> Any:
        """A nested value, to be read by `Fields` of its own."""
        return self._values[name]

    def _address(self, name: str, value: Any) -> Address:
        try:
            if isinstance(value, str) and checksum_address(value) == value:
                return Address(value)
        except ValueError:
            pass
        raise self._refuse(name, "an address in EIP-55 form")

    def _refuse(self, name: str, wanted: str) -> Rejected:
        return Rejected(f"{self._what}: {name} must be {wanted}", reason="bad-field")
