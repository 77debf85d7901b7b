"""What every contract wrapper does alike: encode a write, carry out a read on a named block."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, TypeVar

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import collapse_if_tuple, event_abi_to_log_topic
from eth_utils.address import to_checksum_address

from jepanet.chain.contracts.abi import CONTRACTS, UnsignedCall, library_names, load_abi
from jepanet.chain.contracts.calling import Function
from jepanet.chain.contracts.reverts import ErrorDecoder
from jepanet.chain.endpoints.answers import Malformed, Receipt, octets
from jepanet.chain.endpoints.refusals import is_revert
from jepanet.chain.endpoints.requests import BlockId, ChainReader, RpcError, state_parameter
from jepanet.errors import Exit
from jepanet.types import Address

E = TypeVar("E", bound=IntEnum)


def error_decoder() -> ErrorDecoder:
    """Knows every custom error of the deployment's contracts and of the libraries they are linked with."""
    return ErrorDecoder([load_abi(name).entries for name in (*CONTRACTS, *library_names())])


class BoundContract:
    """One contract at one address.

    Reads name their block (number, hash or tag) and raise:
        Rejected: the read reverts; `reason` is the custom error's name.
        Transient: no endpoint answers, has the block, or has such a contract at the address
            (Exit.INCOMPATIBLE).

    Writes send nothing: they return an `UnsignedCall` for a `Sender`.
    """

    name: str
    """Name of the ABI file."""

    def __init__(self, rpc: ChainReader, address: Address) -> None:
        self.address = address
        self._rpc = rpc
        entries = load_abi(self.name).entries
        self._functions = {
            entry["name"]: Function.of(entry) for entry in entries if entry["type"] == "function"
        }
        self._decoder = error_decoder()

    def _write(self, function: str, *arguments: object) -> UnsignedCall:
        return UnsignedCall(
            to=self.address,
            data=self._functions[function].call(arguments),
            contract=self.name,
            function=function,
            arguments=arguments,
        )

    async def _read(self, block: BlockId, function: str, *arguments: object) -> Any:
        called = self._functions[function]
        outputs = [collapse_if_tuple(item) for item in called.outputs]

        def parse(raw: object) -> tuple[object, ...]:
            try:
                return decode(outputs, octets(raw))
            except DecodingError as error:
                # Also what an endpoint says that has not reached the deployment yet: asked elsewhere.
                shown = "0x" + block.hex() if isinstance(block, bytes) else block
                raise Malformed(
                    f"there is no {self.name} at {self.address} as of block {shown}",
                    remedy="wait for the endpoint, or use the deployment file of this chain",
                    code=Exit.INCOMPATIBLE,
                ) from error

        # A block that is named by its hash stays so: the number may be of another fork.
        request = {"to": self.address, "data": "0x" + called.call(arguments).hex()}
        try:
            values = await self._rpc.ask("eth_call", [request, state_parameter(block)], parse)
        except RpcError as error:
            if is_revert(error):
                raise self._decoder.decode(error.data).rejected(f"{self.name}.{function}") from error
            raise
        natives = [_native(item, value) for item, value in zip(called.outputs, values, strict=True)]
        return natives[0] if len(natives) == 1 else natives

    def _created(self, receipt: Receipt, event: str) -> int | None:
        """The first indexed argument, an id, of the first such event of this contract in a transaction."""
        (entry,) = (item for item in load_abi(self.name).entries if item.get("name") == event)
        topic = event_abi_to_log_topic(entry)  # type: ignore[arg-type]  # JSON, not a TypedDict
        for log in receipt.logs:
            if log.address == self.address and log.topics[:1] == (topic,):
                return int.from_bytes(log.topics[1], "big")
        return None


def named(kind: type[E], value: int) -> E:
    """The member of an enumeration. Raises: Malformed (the contracts know no such one)."""
    try:
        return kind(value)
    except ValueError as error:
        what = re.sub(r"(?<!^)(?=[A-Z])", " ", kind.__name__).lower()
        raise Malformed(f"the node answered {value} where a {what} belongs") from error


def _native(item: Mapping[str, Any], value: Any) -> object:
    """Addresses in EIP-55 spelling, structs as tuples of such values."""
    if item["type"] == "address":
        return to_checksum_address(value)
    if item["type"] == "tuple":
        parts = zip(item["components"], value, strict=True)
        return tuple(_native(component, part) for component, part in parts)
    if item["type"].endswith("[]"):
        element = {**item, "type": item["type"][:-2]}
        return tuple(_native(element, each) for each in value)
    return value
