"""JSON-RPC answers -> values, strictly and once.

A node is not trusted to be well formed: every quantity and byte string is checked for type and length here,
so that no caller sees a half-parsed answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from eth_utils.address import to_checksum_address

from jepanet.errors import Transient
from jepanet.types import Address, BlockRef

MAX_LOG_DATA = 1 << 20
"""Bytes of one log's data; the largest event of the contracts (32 set members) has under 2 KiB."""


_NO_TRANSACTIONS = 0x56E81F171BCC55A6FF8345E692C0F86E5B48E01B996CADC001622FB5E363B421
"""Root of the empty trie: keccak256 of the RLP of the empty string (Ethereum yellow paper, appendix D)."""
_ALL_ONES = (1 << 2048) - 1


class Malformed(Transient):
    """A node answered something the Ethereum JSON-RPC specification does not allow."""


@dataclass(frozen=True, slots=True)
class Header:
    """The part of a block header that following and paying need. Fees in wei per gas.

    `bloom`: the logs bloom as a 2,048-bit number, None where the chain has none. `transactions`: hashes, in
    order. `receipts_root`: of a header whose fields were seen to give its hash; None where this could not be
    computed.
    """

    ref: BlockRef
    parent: bytes
    base_fee: int | None
    gas_limit: int
    bloom: int | None = None
    transactions: tuple[bytes, ...] = ()
    receipts_root: bytes | None = None


@dataclass(frozen=True, slots=True)
class RawLog:
    """One undecoded event. `index` counts within the block; `topics` has at most four 32-byte entries."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes
    index: int
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class PlacedLog:
    """A log together with the block the node says it is in."""

    number: int
    block_hash: bytes
    log: RawLog


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction. `gas_price` is what was paid, wei per gas; `succeeded` is False after a revert.

    `kind` is the transaction's EIP-2718 type, `gas_so_far` the gas of the block up to it.
    """

    tx_hash: bytes
    block_number: int
    block_hash: bytes
    succeeded: bool
    gas_used: int
    gas_price: int
    contract: Address | None
    logs: tuple[RawLog, ...]
    kind: int = 0
    gas_so_far: int = 0


def quantity(value: object) -> int:
    """A hexadecimal quantity of at most 256 bits.

    Raises:
        Malformed: anything else.
    """
    if not isinstance(value, str) or not value.startswith("0x") or not 3 <= len(value) <= 66:
        raise Malformed(f"the node answered {str(value)[:80]!r} where a quantity belongs")
    try:
        return int(value, 16)
    except ValueError:
        raise Malformed(f"the node answered {value!r} where a quantity belongs") from None


def octets(value: object, length: int | None = None, limit: int = MAX_LOG_DATA) -> bytes:
    """A byte string, of `length` bytes if given, of at most `limit` bytes otherwise.

    Raises:
        Malformed: anything else.
    """
    if not isinstance(value, str) or not value.startswith("0x") or len(value) > 2 + 2 * limit:
        raise Malformed(f"the node answered {str(value)[:80]!r} where bytes belong")
    try:
        result = bytes.fromhex(value[2:])
    except ValueError:
        raise Malformed(f"the node answered {value[:80]!r} where bytes belong") from None
    if length is not None and len(result) != length:
        raise Malformed(f"the node answered {len(result)} bytes where {length} belong")
    return result


def member(mapping: object, name: str) -> object:
    """`mapping[name]`.

    Raises:
        Malformed: `mapping` is no JSON object, or has no such member.
    """
    if not isinstance(mapping, Mapping) or name not in mapping:
        raise Malformed(f"the node's answer lacks {name!r}")
    return mapping[name]


def parse_header(raw: object) -> Header:
    """A block object of `eth_getBlockBy*`. Raises: Malformed."""
    base_fee = raw.get("baseFeePerGas") if isinstance(raw, Mapping) else None
    bloom = raw.get("logsBloom") if isinstance(raw, Mapping) else None
    transactions = member(raw, "transactions")
    if not isinstance(transactions, list):
        raise Malformed("the node answered a block without a list of transactions")
    if not transactions and not _is_empty(cast("Mapping[str, object]", raw)):
        raise Malformed("the node answered a block whose list of transactions contradicts its header")
    return Header(
        ref=BlockRef(
            number=quantity(member(raw, "number")),
            hash=octets(member(raw, "hash"), 32),
            timestamp=quantity(member(raw, "timestamp")),
        ),
        parent=octets(member(raw, "parentHash"), 32),
        base_fee=None if base_fee is None else quantity(base_fee),
        gas_limit=quantity(member(raw, "gasLimit")),
        bloom=None if bloom is None else int.from_bytes(octets(bloom, 256), "big"),
        transactions=tuple(octets(item, 32) for item in transactions),
    )


def _is_empty(raw: Mapping[str, object]) -> bool:
    """Whether a header's own fields allow for a block without transactions."""
    root, bloom = raw.get("transactionsRoot"), raw.get("logsBloom")
    if root is not None and int.from_bytes(octets(root, 32), "big") not in (0, _NO_TRANSACTIONS):
        return False
    # Set bits come from logs. A constant bloom of ones says nothing, on a chain where it is useless.
    return bloom is None or int.from_bytes(octets(bloom, 256), "big") in (0, _ALL_ONES)


def parse_log(raw: object) -> PlacedLog:
    """One element of `eth_getLogs` or of a receipt. Raises: Malformed."""
    topics = member(raw, "topics")
    if not isinstance(topics, list) or len(topics) > 4:
        raise Malformed("the node answered a log with more than four topics")
    return PlacedLog(
        number=quantity(member(raw, "blockNumber")),
        block_hash=octets(member(raw, "blockHash"), 32),
        log=RawLog(
            address=parse_address(member(raw, "address")),
            topics=tuple(octets(topic, 32) for topic in topics),
            data=octets(member(raw, "data")),
            index=quantity(member(raw, "logIndex")),
            tx_hash=octets(member(raw, "transactionHash"), 32),
        ),
    )


def parse_receipt(raw: object) -> Receipt:
    """A receipt object of `eth_getTransactionReceipt`. Raises: Malformed."""
    logs = member(raw, "logs")
    fields = cast("Mapping[str, object]", raw)
    if not isinstance(logs, list):
        raise Malformed("the node answered a receipt without a list of logs")
    contract = member(raw, "contractAddress") if "contractAddress" in fields else None
    return Receipt(
        tx_hash=octets(member(raw, "transactionHash"), 32),
        block_number=quantity(member(raw, "blockNumber")),
        block_hash=octets(member(raw, "blockHash"), 32),
        succeeded=quantity(member(raw, "status")) == 1,
        gas_used=quantity(member(raw, "gasUsed")),
        gas_price=quantity(member(raw, "effectiveGasPrice")),
        contract=None if contract is None else parse_address(contract),
        logs=tuple(parse_log(log).log for log in logs),
        kind=quantity(fields.get("type", "0x0")),
        gas_so_far=quantity(fields.get("cumulativeGasUsed", "0x0")),
    )


_known: dict[bytes, Address] = {}


def parse_address(value: object) -> Address:
    """A 20-byte address in EIP-55 spelling. The checksum costs a hash, so recent ones are remembered.

    Raises:
        Malformed: not 20 bytes of hexadecimal.
    """
    raw = octets(value, 20)
    known = _known.get(raw)
    if known is None:
        if len(_known) >= 512:
            _known.clear()
        known = _known[raw] = Address(to_checksum_address(raw))
    return known
