"""Logs as versions before journal schema 4 stored them: read once, when such a journal is converted."""

from __future__ import annotations

from jepanet.chain.endpoints.answers import RawLog
from jepanet.chain.following.logs_to_facts import decode
from jepanet.protocol.journal_codec import encode_fact
from jepanet.types import Address, BlockRef

_TOPIC = 32


def read_earlier_log(
    *,
    block_number: int,
    block_hash: bytes,
    timestamp: int,
    log_index: int,
    address: str,
    topics: bytes,
    data: bytes,
    tx_hash: bytes,
) -> tuple[str, str] | None:
    """(tag, JSON) of the fact that a stored log is, None for an event that is no fact.

    Args:
        topics: 32 bytes each, joined.

    Raises:
        Fatal: the log does not fit the contracts' ABI (`INCOMPATIBLE`).
    """
    parts = tuple(topics[start : start + _TOPIC] for start in range(0, len(topics), _TOPIC))
    fact = decode(
        RawLog(Address(address), parts, data, log_index, tx_hash),
        BlockRef(block_number, block_hash, timestamp),
    )
    return None if fact is None else encode_fact(fact)
