"""From type hints to kinds: what `Annotated[int, Range(1, 512)]` reads and writes in one spelling."""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from jepanet.records.compound import Fixed, Many, Maybe, Part, Record, Table
from jepanet.records.kinds import (
    Account,
    AsIs,
    Choice,
    Decimal,
    Document,
    FilePath,
    Flag,
    Hex,
    Kind,
    Real,
    Spelling,
    Text,
    Whole,
    WideWhole,
)
from jepanet.records.marks import (
    DecimalText,
    Elsewhere,
    Embedded,
    Form,
    Hidden,
    LeftOut,
    Mark,
    Name,
    OneOf,
    Range,
    Size,
)
from jepanet.types import Address, Digest

M = TypeVar("M", bound=Mark | str)


@cache
def record_of(kind: type, spelling: Spelling) -> Record:
    """A record class compiled for a spelling, once."""
    hints = get_type_hints(kind, include_extras=True)
    parts = []
    for item in fields(kind):
        marks = _parted(hints[item.name])[1]
        if _mark(marks, Elsewhere):
            continue
        name = _mark(marks, Name)
        meaning = _mark(marks, str) or ""
        read_as = name.text if name else item.name
        left_out = _mark(marks, LeftOut) is not None
        parts.append(Part(read_as, kind_of(hints[item.name], spelling), meaning, item, left_out))
    return Record(kind, parts, defaults=spelling.defaults)


def kind_of(hint: object, spelling: Spelling) -> Kind:
    """The kind of a type hint.

    Raises:
        TypeError: a type that has no place in a record.
    """
    hint, marks = _parted(hint)
    kind = _plain_kind(hint, marks, spelling)
    if any(isinstance(mark, Hidden) for mark in marks):
        (kind.inner if isinstance(kind, Maybe | Many) else kind).hidden = True
    return kind


def _parted(hint: object) -> tuple[object, list[object]]:
    """A type hint without its marks, and these."""
    marks: list[object] = []
    while get_origin(hint) is Annotated:
        hint, *more = get_args(hint)
        marks += more
    return hint, marks


def _mark(marks: Sequence[object], kind: type[M]) -> M | None:
    return next((mark for mark in marks if isinstance(mark, kind)), None)


def _plain_kind(hint: object, marks: list[object], spelling: Spelling) -> Kind:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = _but_none(hint)
        return Maybe(kind_of(Annotated[(inner, *marks)] if marks else inner, spelling))
    size = _mark(marks, Size)
    if origin in (tuple, frozenset):
        if origin is frozenset or arguments[-1] is Ellipsis:
            return Many(kind_of(arguments[0], spelling), size, origin)
        return Fixed([kind_of(part, spelling) for part in arguments])
    if origin is dict:
        by_number = _base(arguments[0]) is int
        key = None if by_number else kind_of(arguments[0], spelling)
        return Table(key, kind_of(arguments[1], spelling), size)
    form, only = _mark(marks, Form), _mark(marks, OneOf)
    among = hint if isinstance(hint, type) and issubclass(hint, Enum) else None
    if among or only:
        return Choice(among, only)
    if hint is Address and not form and spelling.addresses != "unchecked":
        return Account(mend=spelling.addresses == "mended")
    if hint is Digest:
        size = Size(32, 32)
    return _scalar(_base(hint), marks, size, spelling)


def _but_none(hint: object) -> object:
    """`X` of `X | None`; nothing else that is a union can be read back."""
    arguments = get_args(hint)
    parts = [part for part in arguments if part is not type(None)]
    if len(parts) != 1 or len(parts) == len(arguments):
        raise TypeError(f"{hint} has no place in a record: only `X | None` has")
    return parts[0]


def _scalar(base: object, marks: list[object], size: Size | None, spelling: Spelling) -> Kind:
    if base is bool:
        return Flag()
    if base is int:
        if decimal := _mark(marks, DecimalText):
            return Decimal(decimal.high)
        bounds = _mark(marks, Range)
        return WideWhole() if spelling.wide and not bounds else Whole(bounds)
    if base is float:
        return Real(_mark(marks, Range))
    if base is str:
        if size is None and spelling.longest is not None:
            size = Size(0, spelling.longest)
        return Text(size, _mark(marks, Form))
    if base is bytes:
        return Document() if _mark(marks, Embedded) else Hex(size, spelling.prefix)
    if base is object:
        return AsIs()
    if base is Path:
        return FilePath()
    if isinstance(base, type) and is_dataclass(base):
        return record_of(base, spelling)
    raise TypeError(f"{base} has no place in a record")


def _base(hint: object) -> object:
    hint, _ = _parted(hint)
    while isinstance(hint, NewType):
        hint = hint.__supertype__
    return hint
