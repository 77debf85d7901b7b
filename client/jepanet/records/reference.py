"""What a record class may hold, field by field: for pages that are written from code or held against it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from jepanet.records.codec import Codec
from jepanet.records.compound import Fixed, Many, Maybe, Record, Table
from jepanet.records.kinds import Kind

T = TypeVar("T")
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Entry:
    """A field of a reference: dotted key, what it may hold, default as JSON (None: required), meaning."""

    key: str
    allowed: str
    default: str | None
    meaning: str


def reference(codec: Codec[T]) -> tuple[Entry, ...]:
    """Every field of a record class and of the records inside it, in the order of their declaration."""
    return tuple(_entries(codec.record, ""))


def _entries(record: Record, prefix: str) -> Iterator[Entry]:
    for part in record.parts:
        inner, path = _inner_record(part.kind, prefix + part.name)
        if inner is not None:
            yield from _entries(inner, f"{path}.")
            continue
        default = None
        if not part.required:
            default = json.dumps(part.kind.write(part.default), ensure_ascii=False)
        yield Entry(path, _allowed(part.kind), default, part.meaning)


@dataclass(frozen=True, slots=True)
class Holding:
    """A field of one record: its entry, and what it holds, as JSON. `usual`: that is its default."""

    entry: Entry
    value: object
    usual: bool


def holdings(codec: Codec[T], value: T) -> tuple[Holding, ...]:
    """What every field of a record holds, those of the records inside it too, in order of declaration.

    An optional record that is None is one entry, without those of its fields.
    """
    return tuple(_holdings(codec.record, value, "", False))


def _holdings(record: Record, value: object, prefix: str, usual: bool) -> Iterator[Holding]:
    """`usual`: the record stands where it holds its default, so that all of its fields hold theirs."""
    for part in record.parts:
        held, key = getattr(value, part.field.name), prefix + part.name
        default = _ABSENT if part.required else part.default
        inner = part.kind.inner if isinstance(part.kind, Maybe) else part.kind
        if isinstance(inner, Record) and held is not None:
            yield from _holdings(inner, held, f"{key}.", usual or held == default)
            continue
        written = None if default is _ABSENT else json.dumps(part.kind.write(default), ensure_ascii=False)
        entry = Entry(key, _allowed(part.kind), written, part.meaning)
        yield Holding(entry, part.kind.write(held), usual or held == default)


def _inner_record(kind: Kind, path: str) -> tuple[Record | None, str]:
    inner, inside = kind, path
    while isinstance(inner, Maybe | Many | Table):
        inside += "" if isinstance(inner, Maybe) else "[]"
        inner = inner.inner
    return (inner, inside) if isinstance(inner, Record) else (None, path)


def _allowed(kind: Kind) -> str:
    if isinstance(kind, Many | Table) and kind.inner.wanted:
        return f"{kind.wanted}, each {kind.inner.wanted}"
    if isinstance(kind, Fixed):
        return f"a list: {'; '.join(part.wanted for part in kind.parts)}"
    return kind.wanted
