"""Contract logs become the facts that the rules take: decoded once, here, by the contracts' ABI.

A log whose event is no fact of the protocol (an owner changed, a verifier joined a set) is dropped: it is
neither handed on nor stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import IntEnum
from functools import cache
from typing import Any, get_args, get_type_hints

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import collapse_if_tuple, event_abi_to_log_topic
from eth_utils.address import to_checksum_address

from jepanet.chain.contracts.abi import CONTRACTS, load_abi
from jepanet.chain.endpoints.answers import RawLog
from jepanet.errors import Exit, Fatal
from jepanet.protocol.facts import ChainEvent, RoundParams
from jepanet.types import BlockRef


@dataclass(frozen=True, slots=True)
class _Shape:
    """How one event becomes one fact."""

    make: Callable[..., ChainEvent]
    names: tuple[str, ...]
    indexed: tuple[tuple[str, str], ...]
    plain: tuple[tuple[str, str], ...]
    enums: tuple[tuple[str, type[IntEnum]], ...]


def decode(log: RawLog, block: BlockRef) -> ChainEvent | None:
    """The fact a log is, or None when the protocol does not care about the event.

    Raises:
        Fatal: the event has a known signature but other contents: contracts and package do not fit together
            (Exit.INCOMPATIBLE).
    """
    shape = _shapes().get(log.topics[0]) if log.topics else None
    if shape is None:
        return None
    try:
        values: dict[str, Any] = {}
        for (name, kind), topic in zip(shape.indexed, log.topics[1:], strict=True):
            (values[name],) = abi_decode([kind], topic)
        decoded = abi_decode([kind for _, kind in shape.plain], log.data)
        values.update(zip((name for name, _ in shape.plain), decoded, strict=True))
        values.update((name, kind(values[name])) for name, kind in shape.enums)
    except (DecodingError, ValueError, OverflowError) as error:
        raise Fatal(
            f"a log of {log.address} in block {block.number} does not match its ABI: {error}",
            remedy="use the package version and the deployment file of one network",
            code=Exit.INCOMPATIBLE,
        ) from error
    kinds = dict((*shape.indexed, *shape.plain))
    arguments = {name: _native(name, kinds[name], value) for name, value in values.items()}
    return shape.make(**arguments, block=block, log_index=log.index)


def topics() -> tuple[bytes, ...]:
    """First topics (32-byte event signatures) of every event that `decode` knows."""
    return tuple(_shapes())


def snake(name: str) -> str:
    """How Python spells a Solidity name: `roundId` -> `round_id`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


@cache
def _shapes() -> Mapping[bytes, _Shape]:
    wanted = {kind.__name__.removeprefix("Chain"): kind for kind in get_args(ChainEvent)}
    shapes: dict[bytes, _Shape] = {}
    for contract in CONTRACTS:
        for entry in load_abi(contract).entries:
            if entry.get("type") != "event" or entry["name"] not in wanted:
                continue
            make = wanted.pop(entry["name"])
            inputs = entry["inputs"]
            names = tuple(snake(item["name"]) for item in inputs)
            if {field.name for field in fields(make)} != {*names, "block", "log_index"}:
                raise _mismatch(make.__name__)
            pairs = [(snake(item["name"]), collapse_if_tuple(item), item["indexed"]) for item in inputs]
            shapes[event_abi_to_log_topic(entry)] = _Shape(  # type: ignore[arg-type]  # JSON, not a TypedDict
                make=make,
                names=names,
                indexed=tuple((name, kind) for name, kind, indexed in pairs if indexed),
                plain=tuple((name, kind) for name, kind, indexed in pairs if not indexed),
                enums=tuple(
                    (name, kind)
                    for name, kind in get_type_hints(make).items()
                    if isinstance(kind, type) and issubclass(kind, IntEnum)
                ),
            )
    if wanted:
        raise _mismatch(", ".join(sorted(wanted)))
    return shapes


def _native(name: str, kind: str, value: Any) -> object:
    if kind == "address":
        return to_checksum_address(value)
    if kind == "address[]":
        return tuple(to_checksum_address(item) for item in value)
    if name == "params":
        return RoundParams(*value)
    return value


def _mismatch(what: str) -> Fatal:
    return Fatal(
        f"the ABI and the protocol disagree on the event of {what}",
        remedy="install a consistent package",
        code=Exit.INCOMPATIBLE,
    )
