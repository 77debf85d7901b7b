"""A function of a contract's ABI: the data of a call to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, is_dataclass
from enum import IntEnum
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple, function_abi_to_4byte_selector


@dataclass(frozen=True, slots=True)
class Function:
    """One that no other of its contract shares its name with."""

    selector: bytes
    inputs: Sequence[dict[str, Any]]
    outputs: Sequence[dict[str, Any]]

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Function:
        """`entry`: its entry in the ABI."""
        return cls(
            function_abi_to_4byte_selector(entry),  # type: ignore[arg-type]  # JSON, not a TypedDict
            entry["inputs"],
            entry["outputs"],
        )

    def call(self, arguments: Sequence[object]) -> bytes:
        """Data of a call: records and tuples stand for structs, addresses are text.

        Raises: ValueError, EncodingError (of eth_abi): other arguments than it takes.
        """
        plain = [_plain(item) for item in arguments]
        for item, value in zip(self.inputs, plain, strict=True):
            _check_length(item["type"], item.get("components", ()), value)
        return self.selector + encode([collapse_if_tuple(item) for item in self.inputs], plain)


def _plain(value: object) -> object:
    """Dataclasses and tuples become the tuples that the ABI's structs are."""
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(_plain(item) for item in astuple(value))
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, IntEnum) else value


def _check_length(kind: str, components: Sequence[Mapping[str, Any]], value: Any) -> None:
    """Bytes of a fixed length have it, wherever they stand: the encoder would fill shorter ones up.

    Raises: ValueError.
    """
    if kind.endswith("[]"):
        for each in value:
            _check_length(kind.removesuffix("[]"), components, each)
    elif kind == "tuple":
        for item, part in zip(components, value, strict=True):
            _check_length(item["type"], item.get("components", ()), part)
    elif (size := kind.removeprefix("bytes")).isdecimal() and kind != size and len(value) != int(size):
        raise ValueError(f"{kind} has {size} bytes, not {len(value)}")
