"""Fields of a recipe with their bounds, how records of them are checked, read from JSON and written to it.

The default of a field gives its type; an error names the field as the recipe's JSON does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, field, fields, is_dataclass
from math import isfinite
from typing import Any, TypeVar, cast

from jepanet.errors import Rejected

T = TypeVar("T")


def whole(default: int, low: int, high: int) -> Any:
    """A field for an integer in [low, high]."""
    return field(default=default, metadata={"low": low, "high": high})


def real(default: float, low: float, high: float) -> Any:
    """A field for a finite number in [low, high]."""
    return field(default=default, metadata={"low": low, "high": high})


def bad(message: str) -> Rejected:
    return Rejected(message, reason="bad-recipe")


def check(record: Any, where: str) -> None:
    """Types of every field that has a default, and the bounds of those that carry bounds.

    Raises:
        Rejected: reason `bad-recipe`, with the field's dotted name, its value and its range.
    """
    for item in fields(record):
        value, place = getattr(record, item.name), f"{where}.{item.name}"
        if item.default is MISSING:
            continue
        if is_dataclass(item.default):
            if type(value) is not type(item.default):
                raise bad(f"{place} must be a {type(item.default).__name__}")
            continue
        default: Any = item.default
        entries: tuple[Any, ...]
        if isinstance(default, tuple):
            if type(value) is not tuple or len(value) != len(default):
                raise bad(f"{place} must hold {len(default)} integers")
            entries = value
            expected: type = int
        else:
            entries, expected = (value,), type(default)
        for entry in entries:
            if type(entry) is not expected:
                raise bad(f"{place} must be a {expected.__name__}, not {type(entry).__name__}")
            if "low" in item.metadata:
                low, high = item.metadata["low"], item.metadata["high"]
                if not (isfinite(cast(float, entry)) and low <= cast(float, entry) <= high):
                    raise bad(f"{place} is {entry}, outside [{low}, {high}]")


def tree_of(record: Any) -> Any:
    """A record as JSON: objects for records, lists for tuples."""
    if is_dataclass(record):
        return {item.name: tree_of(getattr(record, item.name)) for item in fields(record)}
    return list(record) if isinstance(record, tuple) else record


def read_record(kind: type[T], tree: object, where: str, **given: object) -> T:
    """A record of `kind` from its JSON object; `given` are fields that the object does not hold.

    Raises:
        Rejected: reason `bad-recipe`: a field is missing, unknown, mistyped or out of bounds.
    """
    known = {item.name: item for item in fields(kind) if item.name not in given}  # type: ignore[arg-type]  # kind is always a dataclass
    need_fields(tree, known, where)
    values: dict[str, Any] = dict(given)
    for name, item in known.items():
        value, default = cast(Mapping[str, Any], tree)[name], item.default
        if is_dataclass(default):
            value = read_record(type(default), value, f"{where}.{name}")
        elif isinstance(default, tuple) and isinstance(value, list):
            value = tuple(value[:64])
        elif type(default) is float and type(value) is int and abs(value) <= 2**53:
            value = float(value)
        values[name] = value
    return kind(**values)


def need_fields(tree: object, names: Mapping[str, object] | set[str], where: str) -> None:
    """Raises: Rejected (`bad-recipe`) unless `tree` is an object with exactly the fields `names`."""
    if not isinstance(tree, Mapping) or set(tree) != set(names):
        raise bad(f"{where} must be an object with exactly the fields {', '.join(sorted(names))}")
