"""Results become the records that they were made from: the way back from `operations.views.json_form`.

A node of a later version may say more; what this one does not know is left. Nothing else is forgiven: a
member that is missing, or of another type, is an error.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import Field, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, NewType, Union, get_args, get_origin

from jepanet.operations.views.json_form import MERGED, OPTIONAL, Wei
from jepanet.rpc.schemas import fields_with_hints
from jepanet.types import Address

_WEI: Final = re.compile(r"-?[0-9]{1,100}")
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_NONE: Final = type(None)


class Unlike(Exception):
    """A result is not what the method announces; the message says where."""


def record_from(hint: object, tree: object, place: str = "result") -> Any:
    """A value of the type `hint` from its JSON form. Raises: Unlike; TypeError: no view holds that type."""
    if get_origin(hint) is Annotated:
        return record_from(get_args(hint)[0], tree, place)
    if isinstance(hint, NewType):
        return record_from(hint.__supertype__, tree, place) if hint is not Address else _address(tree, place)
    if hint is Wei:
        return Wei(_text(tree, _WEI, place))
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _either(arguments, tree, place)
    if origin is tuple or (isinstance(origin, type) and issubclass(origin, Sequence)):
        return _row(arguments, tree, place)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        held = _of(dict, tree, place)
        return {name: record_from(arguments[1], item, f"{place}.{name}") for name, item in held.items()}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _member(hint, tree, place)
    if is_dataclass(origin or hint):
        return _record(hint, _of(dict, tree, place), place)
    return _plain(hint, tree, place)


def _plain(hint: object, tree: object, place: str) -> Any:
    if hint is object:
        return tree
    if hint is float:
        return float(_of(int | float, tree, place))
    if hint is Path:
        return Path(_of(str, tree, place))
    if hint in (bool, int, str, _NONE):
        return _of(hint, tree, place)
    raise TypeError(f"{hint} has no place in a result")


def _of(kind: Any, tree: object, place: str) -> Any:
    if not isinstance(tree, kind) or (isinstance(tree, bool) and kind is not bool):
        raise Unlike(f"{place} is a {type(tree).__name__}")
    return tree


def _text(tree: object, form: re.Pattern[str], place: str) -> str:
    text: str = _of(str, tree, place)
    if not form.fullmatch(text):
        raise Unlike(f"{place} is {text!r:.60}")
    return text


def _address(tree: object, place: str) -> Address:
    return Address(_text(tree, _ADDRESS, place))


def _either(hints: Sequence[object], tree: object, place: str) -> Any:
    if tree is None and _NONE in hints:
        return None
    wrong: list[Unlike] = []
    for hint in hints:
        if hint is _NONE:
            continue
        try:
            return record_from(hint, tree, place)
        except Unlike as unlike:
            wrong.append(unlike)
    raise wrong[0] if wrong else Unlike(f"{place} is a {type(tree).__name__}")


def _row(hints: Sequence[object], tree: object, place: str) -> tuple[Any, ...]:
    held = _of(list, tree, place)
    if len(hints) == 1 or hints[-1] is Ellipsis:
        hints = [hints[0]] * len(held)
    if len(hints) != len(held):
        raise Unlike(f"{place} has {len(held)} items")
    return tuple(
        record_from(hint, item, f"{place}[{n}]")
        for n, (hint, item) in enumerate(zip(hints, held, strict=True))
    )


def _member(kind: type[Enum], tree: object, place: str) -> Enum:
    for member in kind:
        if member.value == tree:
            return member
    raise Unlike(f"{place} is {tree!r:.60}")


def _record(hint: Any, tree: Mapping[str, object], place: str) -> Any:
    given: dict[str, object] = {}
    for item, kind in _fields(hint):
        form, name = item.metadata.get("form"), item.metadata.get("name", item.name)
        if form == MERGED["form"]:
            given[item.name] = _merged(kind, tree, place)
        elif name in tree:
            given[item.name] = record_from(kind, tree[name], f"{place}.{name}")
        elif form == OPTIONAL["form"]:
            given[item.name] = None
        else:
            raise Unlike(f"{place} has no {name}")
    return (get_origin(hint) or hint)(**given)


def _merged(hint: object, tree: Mapping[str, object], place: str) -> Any:
    """A record whose members stand beside those of the one that holds it: None where none is there."""
    inner = [item for item in get_args(hint) if item is not _NONE]
    whole = inner[0] if inner else hint
    names = {item.metadata.get("name", item.name) for item, _ in _fields(whole)}
    if inner and not names & tree.keys():
        return None
    return _record(whole, tree, place)


@cache
def _fields(hint: Any) -> list[tuple[Field[Any], object]]:
    return fields_with_hints(hint)
