"""Headers whose randomness a round draws from: what contracts are shown, and what is read from them."""

from __future__ import annotations

from collections.abc import Callable

from jepanet.chain.endpoints.answers import Malformed, member, octets, quantity
from jepanet.chain.endpoints.header_rlp import encode_header
from jepanet.chain.endpoints.requests import ChainReader, block_parameter
from jepanet.errors import Transient


async def read_header(reader: ChainReader, number: int) -> bytes:
    """The RLP of the header of a block of the chain.

    Raises:
        Transient: no endpoint has the block, or none gives a header that fits the block's hash (`Malformed`).
    """
    return await _of_block(reader, number, encode_header)


async def read_randomness(reader: ChainReader, number: int) -> bytes:
    """`prevRandao` of a block, whose header was held against its hash. Raises: as `read_header`."""

    def parse(raw: object) -> bytes:
        encode_header(raw)
        return octets(member(raw, "mixHash"), 32)

    return await _of_block(reader, number, parse)


async def _of_block(reader: ChainReader, number: int, read: Callable[[object], bytes]) -> bytes:
    def parse(raw: object) -> bytes | None:
        if raw is None:
            return None
        if quantity(member(raw, "number")) != number:
            raise Malformed(f"asked for block {number}, the node answered another one")
        return read(raw)

    found = await reader.ask("eth_getBlockByNumber", [block_parameter(number), False], parse)
    if found is None:
        raise Transient(f"no endpoint has block {number} yet")
    return found
