"""JSON Schema (draft 7, which OpenRPC 1.3 asks for) of parameters and results, from their type hints.

Results are described in the form that `operations.views.json_form` gives them.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from jepanet.operations.views.json_form import MERGED, OPTIONAL, Wei
from jepanet.records.marks import SAFE_INTEGER, Form, OneOf, Range, Size
from jepanet.types import Address

Schema = dict[str, Any]
_REFERENCE: Final = "#/components/schemas/"
_PLAIN: Mapping[object, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    type(None): {"type": "null"},
    Path: {"type": "string"},
    object: {},
}


class Schemas:
    """Collects the schema of every record it meets, under its name."""

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}

    def of(self, hint: object) -> Schema:
        """The schema of a type. Raises: TypeError for one that no parameter or view may have."""
        if get_origin(hint) is Annotated:
            inner, *marks = get_args(hint)
            return _marked(self.of(inner), marks)
        if hint is Wei:
            return {"type": "string", "pattern": "^-?[0-9]+$", "description": "10**-18 of a token or ether"}
        if hint is Address:
            return {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"}
        if isinstance(hint, NewType):
            return self.of(hint.__supertype__)
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.of(item) for item in arguments]}
        if origin is tuple:
            return self._row(arguments)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if isinstance(origin, type) and issubclass(origin, Sequence):
            return {"type": "array", "items": self.of(arguments[0])}
        if isinstance(hint, type) and issubclass(hint, Enum):
            return {"enum": [item.value for item in hint]}
        if is_dataclass(origin or hint):
            return self._record(hint)
        if hint in _PLAIN:
            return dict(_PLAIN[hint])
        raise TypeError(f"{hint} has no place in a method's parameters or result")

    def _row(self, arguments: tuple[object, ...]) -> Schema:
        if arguments[-1] is Ellipsis:
            return {"type": "array", "items": self.of(arguments[0])}
        count = len(arguments)
        items = [self.of(item) for item in arguments]
        return {"type": "array", "items": items, "minItems": count, "maxItems": count}

    def _record(self, hint: Any) -> Schema:
        name = _name_of(hint)
        if name not in self.components:
            self.components[name] = {}  # a record may hold itself
            self.components[name] = self._object(hint)
        return {"$ref": _REFERENCE + name}

    def _object(self, hint: Any) -> Schema:
        kind = get_origin(hint) or hint
        properties: dict[str, Schema] = {}
        required: list[str] = []
        self._add_fields(hint, properties, required, certain=True)
        schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        if required:
            schema["required"] = required
        if (text := kind.__doc__) and not text.startswith(f"{kind.__name__}("):
            schema["description"] = " ".join(text.split())
        return schema

    def _add_fields(
        self, hint: Any, properties: dict[str, Schema], required: list[str], *, certain: bool
    ) -> None:
        """`certain`: the record is always there, so that its fields are."""
        for item, given in fields_with_hints(hint):
            form = item.metadata.get("form")
            if form == MERGED["form"]:
                inner = [part for part in get_args(given) if part is not type(None)]
                whole = inner[0] if inner else given
                self._add_fields(whole, properties, required, certain=certain and not inner)
                continue
            name = item.metadata.get("name", item.name)
            properties[name] = self.of(given)
            if certain and form != OPTIONAL["form"]:
                required.append(name)


def fields_with_hints(hint: Any) -> list[tuple[Field[Any], object]]:
    """The fields of a dataclass, or of one with its type variables filled in, with their types."""
    kind = get_origin(hint) or hint
    hints = get_type_hints(kind, include_extras=True)
    filled = dict(zip(getattr(kind, "__parameters__", ()), get_args(hint), strict=True))
    return [(item, _filled(hints[item.name], filled)) for item in fields(kind)]


def has_default(item: Field[Any]) -> bool:
    """Whether a parameter may be left out."""
    return item.default is not MISSING or item.default_factory is not MISSING


def _filled(hint: Any, filled: Mapping[object, object]) -> Any:
    if isinstance(hint, TypeVar):
        return filled[hint]
    variables = getattr(hint, "__parameters__", ())
    return hint[tuple(filled[item] for item in variables)] if variables else hint


def _name_of(hint: Any) -> str:
    arguments = "".join(_name_of(item) for item in get_args(hint))
    return f"{arguments}{(get_origin(hint) or hint).__name__}"


def _marked(schema: Schema, marks: Sequence[object]) -> Schema:
    """A schema with the bounds and meaning that stand beside the type; of an optional one, of its value."""
    if "anyOf" in schema:
        optional, *others = schema["anyOf"]
        return schema | {"anyOf": [_marked(optional, marks), *others]}
    for mark in marks:
        match mark:
            case Range(low, high, above):
                if low is not None:
                    schema["exclusiveMinimum" if above else "minimum"] = low
                schema["maximum"] = SAFE_INTEGER if high is None else high
            case Size(low, high):
                listed = schema.get("type") == "array"
                schema["minItems" if listed else "minLength"] = low
                schema["maxItems" if listed else "maxLength"] = high
            case Form(pattern, _):
                schema["pattern"] = f"^({pattern})$"
            case OneOf(values):
                schema["enum"] = list(values)
            case str():
                schema["description"] = mark
    return schema
