"""Whether the contracts of a deployment file belong together: each is asked which others it was made for."""

from __future__ import annotations

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import collapse_if_tuple, function_abi_to_4byte_selector
from eth_utils.address import to_checksum_address

from jepanet.chain.contracts.abi import load_abi
from jepanet.chain.endpoints.refusals import is_revert
from jepanet.chain.endpoints.requests import BlockId, ChainReader, RpcError
from jepanet.types import Address


async def miswired(
    reader: ChainReader, block: BlockId, *, token: Address, rounds: Address, lens: Address
) -> str | None:
    """What is wrong with three addresses that hold code, in words; None if nothing is.

    Raises: Transient: the endpoint does not answer.
    """
    configured = await _ask(reader, block, "TrainingRounds", rounds, "configuration")
    if configured is None:
        return f"what is at rounds ({rounds}) is no TrainingRounds"
    if configured != token:
        return f"rounds ({rounds}) pays in token {configured}, and the file names {token}"
    read = await _ask(reader, block, "RoundLens", lens, "rounds")
    if read is None:
        return f"what is at lens ({lens}) is no RoundLens"
    if read != rounds:
        return f"lens ({lens}) reads the rounds at {read}, and the file names {rounds}"
    return None


async def _ask(
    reader: ChainReader, block: BlockId, contract: str, address: Address, function: str
) -> str | None:
    """The first address that a view without arguments answers; None if there is no such view."""
    (entry,) = (
        item for item in load_abi(contract).entries if item["type"] == "function" and item["name"] == function
    )
    selector = function_abi_to_4byte_selector(entry)  # type: ignore[arg-type]  # JSON, not a TypedDict
    try:
        raw = await reader.call({"to": address, "data": "0x" + selector.hex()}, block)
    except RpcError as error:
        if is_revert(error):
            return None
        raise
    try:
        (value,) = decode([collapse_if_tuple(item) for item in entry["outputs"]], raw)
    except DecodingError:
        return None
    return str(to_checksum_address(value[0] if isinstance(value, tuple) else value))
