"""The JSON form of every answer, in one place: what `--json` prints and a server sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jepanet.nesting import Json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_FORM, _NAME = "form", "name"
MERGED = {_FORM: "merged"}
"""Of a field: its record's fields stand beside those of the record that holds it; none while it is None."""
OPTIONAL = {_FORM: "optional"}
"""Of a field: it is left out while it is None."""


class Wei(int):
    """An amount of tokens or ether in 10**-18 of one. Text in JSON: it exceeds what JSON numbers carry."""


def named(name: str) -> dict[str, str]:
    """Of a field: it has another name in JSON, for Python keeps that one to itself."""
    return {_NAME: name}


def fields_of(record: DataclassInstance) -> dict[str, object]:
    """Names as in JSON, in order, with values as they are: merged ones in place, absent ones left out."""
    found: dict[str, object] = {}
    for attribute, name, form in _plan(type(record)):
        value = getattr(record, attribute)
        if form == MERGED[_FORM]:
            found.update(fields_of(value) if value is not None else {})
        elif form is None or value is not None:
            found[name] = value
    return found


@cache
def _plan(kind: type[DataclassInstance]) -> tuple[tuple[str, str, str | None], ...]:
    """Of each field its attribute, its name in JSON and its form: asked of a class once."""
    return tuple(
        (item.name, item.metadata.get(_NAME, item.name), item.metadata.get(_FORM)) for item in fields(kind)
    )


def json_form(value: object) -> Json:
    """A record of `views`, or a sequence of them, as JSON-able values.

    Raises:
        TypeError: a value that no view may hold.
    """
    if isinstance(value, str | bool | float) or value is None:
        return value
    if isinstance(value, int):
        return str(int(value)) if isinstance(value, Wei) else int(value)
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {name: json_form(item) for name, item in fields_of(value).items()}
    if isinstance(value, Mapping):
        return {str(name): json_form(item) for name, item in value.items()}
    if isinstance(value, Sequence):
        return [json_form(item) for item in value]
    raise TypeError(f"no view may hold a {type(value).__name__}")
