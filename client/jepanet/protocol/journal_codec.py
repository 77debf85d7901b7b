"""Facts, duties and state as canonical JSON with stable tags, for the journal.

A tag is the class name. Fields are read by name and type, so a journal written by another version of a class
is refused instead of misread. Integers beyond 2**53 - 1 (amounts, beacons) are written as decimal strings.
"""

from __future__ import annotations

import types
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.protocol import duties, facts
from jepanet.protocol.state import Identity, NodeState
from jepanet.tensors import canonical_json, parse_json

_MAX_BYTES = 64 << 20
_SAFE = (1 << 53) - 1
T = TypeVar("T")

FACT_TAGS: dict[str, type] = {kind.__name__: kind for kind in get_args(facts.Fact)}
DUTY_TAGS: dict[str, type] = {kind.__name__: kind for kind in get_args(duties.Duty)}


def encode_fact(fact: facts.Fact) -> tuple[str, str]:
    """(tag, JSON) of a fact."""
    return type(fact).__name__, _text(fact)


def decode_fact(tag: str, payload: str) -> facts.Fact:
    """Raises: Fatal when the journal was written by an incompatible version."""
    value: facts.Fact = _typed(FACT_TAGS, tag, payload)
    return value


def encode_duty(duty: duties.Duty) -> tuple[str, str]:
    """(tag, JSON) of a duty."""
    return type(duty).__name__, _text(duty)


def decode_duty(tag: str, payload: str) -> duties.Duty:
    """Raises: Fatal when the journal was written by an incompatible version."""
    value: duties.Duty = _typed(DUTY_TAGS, tag, payload)
    return value


def encode_state(state: NodeState) -> bytes:
    """A snapshot; `me` is left out, it comes from configuration."""
    return canonical_json({name: value for name, value in _plain(state).items() if name != "me"})


def decode_state(data: bytes, me: Identity) -> NodeState:
    """Raises: Fatal when the snapshot was written by an incompatible version."""
    tree = _parsed(data, "snapshot")
    if not isinstance(tree, dict):
        raise _incompatible("a snapshot is an object")
    state: NodeState = _build(NodeState, {**tree, "me": _plain(me)})
    return state


def _text(value: Any) -> str:
    return canonical_json(_plain(value)).decode()


def _typed(tags: dict[str, type], tag: str, payload: str) -> Any:
    kind = tags.get(tag)
    if kind is None:
        raise _incompatible(f"unknown tag {tag!r}")
    return _build(kind, _parsed(payload.encode(), f"journal entry {tag}"))


def _parsed(data: bytes, what: str) -> Any:
    """The node wrote this itself, so bytes that do not parse mean a damaged store, not a bad peer."""
    try:
        return parse_json(data, max_bytes=_MAX_BYTES, what=what)
    except Rejected as error:
        raise _incompatible(error.message) from error


def _incompatible(why: str) -> Fatal:
    return Fatal(
        f"the journal holds an entry this version cannot read: {why}",
        remedy="run the version that wrote it until its rounds have ended, or use a new data directory",
        code=Exit.INCOMPATIBLE,
    )


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if -_SAFE <= value <= _SAFE else str(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(_plain(item) for item in value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} has no place in the journal")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _build(kind: Any, tree: Any) -> Any:
    while isinstance(kind, NewType):
        kind = kind.__supertype__
    origin, arguments = get_origin(kind), get_args(kind)
    try:
        if origin in (Union, types.UnionType):
            return None if tree is None else _build(next(a for a in arguments if a is not type(None)), tree)
        if origin in (tuple, frozenset) and not isinstance(tree, list):
            raise TypeError(f"expected a list, found {type(tree).__name__}")
        if origin is tuple:
            if len(arguments) == 2 and arguments[1] is Ellipsis:
                return tuple(_build(arguments[0], item) for item in tree)
            return tuple(_build(part, item) for part, item in zip(arguments, tree, strict=True))
        if origin is frozenset:
            members = frozenset(_build(arguments[0], item) for item in tree)
            if len(members) != len(tree):
                raise ValueError("a set holds an item twice")
            return members
        if origin is dict:
            keys = {key: int(key) for key in tree}
            if any(str(number) != key for key, number in keys.items()):
                raise ValueError("a key is not an integer as the journal writes it")
            return {keys[key]: _build(arguments[1], item) for key, item in tree.items()}
        if kind is bytes:
            raw = bytes.fromhex(tree)
            if raw.hex() != tree:
                raise ValueError(f"{tree!r} is not lower-case hexadecimal")
            return raw
        if kind is int:
            number = int(tree)
            if isinstance(tree, bool) or _plain(number) != tree:
                raise ValueError(f"{tree!r} is not an integer as the journal writes it")
            return number
        if isinstance(kind, type) and is_dataclass(kind):
            hints = _hints(kind)
            if set(tree) != set(hints):
                raise ValueError(f"fields {sorted(set(tree) ^ set(hints))} differ")
            return kind(**{name: _build(hint, tree[name]) for name, hint in hints.items()})
        if isinstance(kind, type) and issubclass(kind, Enum):
            member = kind(tree)
            if type(tree) is not type(member.value):  # True and 1.0 equal the number 1
                raise ValueError(f"{tree!r} is not written as the journal writes it")
            return member
    except (TypeError, ValueError, AttributeError) as error:
        raise _incompatible(f"{getattr(kind, '__name__', kind)}: {error}") from error
    if not isinstance(tree, kind):
        raise _incompatible(f"expected {kind.__name__}, found {type(tree).__name__}")
    return tree
