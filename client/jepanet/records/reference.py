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
