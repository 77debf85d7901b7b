"""A record class in one spelling: canonical JSON or a parsed tree on one side, a frozen record on the other.

    SPEC = Codec(RoundSpec, "round spec", max_bytes=65536)
    SPEC.decode(SPEC.encode(spec)) == spec

What is read is checked to the last field: a duplicate, unknown or missing field, a value of another type or
outside its bounds, and, in bytes, any other form than the canonical one (RFC 8785) is refused with the dotted
key of the place. Writing holds the same bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Generic, TypeVar, cast

from jepanet.errors import JepanetError, Rejected
from jepanet.records.compiling import record_of
from jepanet.records.compound import Record
from jepanet.records.kinds import Spelling
from jepanet.records.refusal import Wrong, shown

T = TypeVar("T")
Refuse = Callable[[str, str], JepanetError]
"""Makes the error from a message and a remedy."""


def rejected(reason: str) -> Refuse:
    """Makes `Rejected` with this reason."""
    return lambda message, remedy: Rejected(message, reason=reason, remedy=remedy)


_BAD_FIELD = rejected("bad-field")
DOCUMENT = Spelling()
"""Documents of the protocol: hex with 0x, addresses in EIP-55 form."""
JOURNAL = Spelling(prefix="", wide=True, addresses="unchecked")
"""What this machine wrote itself: its journal, and what node and worker send each other."""


class Codec(Generic[T]):
    """Reads and writes one record class. Compiled at its first use, so that declaring one costs nothing."""

    def __init__(
        self,
        kind: type[T],
        what: str,
        *,
        max_bytes: int = 1 << 20,
        spelling: Spelling = DOCUMENT,
        refuse: Refuse = _BAD_FIELD,
    ) -> None:
        self.what = what
        self.max_bytes = max_bytes
        self._kind: type = kind
        self._spelling = spelling
        self._refuse = refuse

    @cached_property
    def record(self) -> Record:
        """The compiled class: its fields, their kinds and meanings."""
        return record_of(self._kind, self._spelling)

    def decode(self, data: bytes) -> T:
        """A record from untrusted bytes.

        Raises:
            Rejected: larger than `max_bytes`, nested too deeply, not JSON or not canonical.
            Rejected, or what `refuse` makes: a field missing, unknown, of another type or out of bounds.
        """
        from jepanet.tensors import parse_json  # here: numpy is slow to import, and reading TOML needs none

        return self.read(parse_json(data, max_bytes=self.max_bytes, what=self.what))

    def encode(self, value: T) -> bytes:
        """Canonical JSON.

        Raises:
            Rejected: larger than `max_bytes`.
            Rejected, or what `refuse` makes: a field out of bounds.
        """
        from jepanet.tensors import canonical_json

        data = canonical_json(self.tree(value))
        if len(data) > self.max_bytes:
            raise Rejected(
                f"{self.what} has {len(data)} bytes, over the cap of {self.max_bytes}", reason="too-large"
            )
        return data

    def read(self, tree: object, **elsewhere: object) -> T:
        """A record from a parsed JSON or TOML value, and fields that are marked `Elsewhere`.

        Raises: as `decode`, for a field.
        """
        try:
            value: T
            if elsewhere:
                value = self._kind(**self.record.values(tree), **elsewhere)
            else:
                value = cast(T, self.record.read(tree))
        except Wrong as wrong:
            raise self._refuse(wrong.message(self.what), wrong.remedy) from wrong
        return value

    def tree(self, value: T) -> dict[str, object]:
        """The JSON value of a record. Raises: as `encode`."""
        try:
            return self.record.write(value)
        except Wrong as wrong:
            raise self._refuse(wrong.message(self.what), wrong.remedy) from wrong


def check(record: object, what: str, refuse: Refuse = _BAD_FIELD) -> None:
    """Holds a record that was made in Python against its bounds, for a `__post_init__`.

    Raises:
        Rejected, or what `refuse` makes: a field of another type or out of bounds.
    """
    Codec(type(record), what, refuse=refuse).tree(record)


class Tagged(Generic[T]):
    """Several record classes, told apart by a tag that travels beside the record."""

    def __init__(
        self,
        kinds: Mapping[str, type],
        what: str,
        *,
        max_bytes: int = 1 << 20,
        spelling: Spelling = DOCUMENT,
        refuse: Refuse = _BAD_FIELD,
    ) -> None:
        """`kinds`: by tag. The rest as `Codec`, which each class gets one of."""
        self.what = what
        self._refuse = refuse
        self._tags = {kind: tag for tag, kind in kinds.items()}
        self._codecs = {
            tag: Codec[T](kind, f"{what} {tag}", max_bytes=max_bytes, spelling=spelling, refuse=refuse)
            for tag, kind in kinds.items()
        }

    def tag_of(self, value: T) -> str:
        """Raises: TypeError for a value of no class of these."""
        try:
            return self._tags[type(value)]
        except KeyError:
            raise TypeError(f"{self.what}: there is no {type(value).__name__}") from None

    def codec(self, tag: object) -> Codec[T]:
        """Of the class with this tag. Raises: Rejected, or what `refuse` makes, for an unknown one."""
        if isinstance(tag, str) and tag in self._codecs:
            return self._codecs[tag]
        known = ", ".join(self._codecs)
        raise self._refuse(f"{self.what}: {shown(tag)} is no kind of it", f"known: {known}")
