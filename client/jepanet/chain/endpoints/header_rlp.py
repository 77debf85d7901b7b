"""The bytes behind a block's hash: its header in RLP, put together from what JSON-RPC answers.

A header is the RLP list of its fields in the order in which hard forks added them, and the block's hash is
the keccak-256 of it (Ethereum yellow paper, section 4.4 and appendix B; the fields since then in EIP-1559,
4895, 4844, 4788, 7685 and 7928). Contracts cannot ask for a block's randomness, but they can hold such a
header against the hash.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from eth_utils.crypto import keccak

from jepanet.chain.endpoints.answers import Malformed, member, octets, quantity
from jepanet.chain.endpoints.requests import ChainReader, block_parameter
from jepanet.errors import Transient

_MAX_EXTRA = 1 << 14
"""Bytes of `extraData`: 32 on Ethereum; chains that list their signers there need more."""


def _fixed(length: int) -> Callable[[object], bytes]:
    return lambda value: octets(value, length)


def _number(value: object) -> bytes:
    number = quantity(value)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


_SINCE_THE_MERGE: tuple[tuple[str, Callable[[object], bytes]], ...] = (
    ("parentHash", _fixed(32)),
    ("sha3Uncles", _fixed(32)),
    ("miner", _fixed(20)),
    ("stateRoot", _fixed(32)),
    ("transactionsRoot", _fixed(32)),
    ("receiptsRoot", _fixed(32)),
    ("logsBloom", _fixed(256)),
    ("difficulty", _number),
    ("number", _number),
    ("gasLimit", _number),
    ("gasUsed", _number),
    ("timestamp", _number),
    ("extraData", lambda value: octets(value, limit=_MAX_EXTRA)),
    ("mixHash", _fixed(32)),  # prevRandao since the Merge
    ("nonce", _fixed(8)),
    ("baseFeePerGas", _number),
)
_ADDED_LATER: tuple[tuple[str, Callable[[object], bytes]], ...] = (
    ("withdrawalsRoot", _fixed(32)),  # Shanghai
    ("blobGasUsed", _number),  # Cancun
    ("excessBlobGas", _number),
    ("parentBeaconBlockRoot", _fixed(32)),
    ("requestsHash", _fixed(32)),  # Prague
    ("blockAccessListHash", _fixed(32)),  # Amsterdam
)
"""Each is in the header of every block since its fork, and of none before."""
_BESIDE = frozenset({"hash", "size", "totalDifficulty", "transactions", "uncles", "withdrawals"})
"""What a block object holds beside the header's fields."""


def encode_header(raw: object) -> bytes:
    """The RLP of the header of a block object of `eth_getBlockBy*`; its keccak-256 is the hash that is named.

    Raises:
        Malformed: a field is missing or of another form, or the hash does not come out; the remedy then names
            the fields that this version does not know.
    """
    fields = [read(member(raw, name)) for name, read in _SINCE_THE_MERGE]
    assert isinstance(raw, Mapping)  # or `member` had refused it
    fields += [read(raw[name]) for name, read in _ADDED_LATER if raw.get(name) is not None]
    header = _list(fields)
    if keccak(header) != octets(member(raw, "hash"), 32):
        known = {name for name, _ in (*_SINCE_THE_MERGE, *_ADDED_LATER)} | _BESIDE
        unknown = sorted(
            str(name)[:40] for name, value in raw.items() if name not in known and value is not None
        )
        raise Malformed(
            f"the header of block {quantity(member(raw, 'number'))} does not give the hash that was named",
            remedy=f"this version does not know the fields {', '.join(unknown[:8])}: install a newer one"
            if unknown
            else "ask another endpoint (chain.endpoints): this one altered or left out a field",
        )
    return header


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


def _string(value: bytes) -> bytes:
    if len(value) == 1 and value[0] < 0x80:
        return value
    return _length(len(value), 0x80) + value


def _list(values: Sequence[bytes]) -> bytes:
    content = b"".join(map(_string, values))
    return _length(len(content), 0xC0) + content


def _length(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(size)]) + size
