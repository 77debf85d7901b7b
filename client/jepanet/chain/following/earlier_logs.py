"""Logs as versions before journal schema 4 stored them: read once, when such a journal is converted."""

from __future__ import annotations

from eth_hash.auto import keccak

from jepanet.chain.endpoints.answers import RawLog
from jepanet.chain.following.logs_to_facts import decode
from jepanet.errors import Exit, Fatal
from jepanet.protocol.journal_codec import encode_fact
from jepanet.types import Address, BlockRef

_TOPIC = 32
_OF_OTHER_CONTRACTS = keccak(b"VerifierSetCreated(uint256,address,address[],uint32)")
"""With this event every history of the contracts begins that had four addresses."""


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
        Fatal: the log does not fit the contracts' ABI, or is of the contracts before these (`INCOMPATIBLE`).
    """
    if topics[:_TOPIC] == _OF_OTHER_CONTRACTS:
        raise Fatal(
            f"the journal is of a deployment whose contracts this version does not speak to: {address}",
            remedy="run the version that wrote it until its rounds have ended, or name a new data directory",
            code=Exit.INCOMPATIBLE,
        )
    parts = tuple(topics[start : start + _TOPIC] for start in range(0, len(topics), _TOPIC))
    fact = decode(
        RawLog(Address(address), parts, data, log_index, tx_hash),
        BlockRef(block_number, block_hash, timestamp),
    )
    return None if fact is None else encode_fact(fact)
