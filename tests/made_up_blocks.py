"""Blocks of chains in memory, whose hashes are made up."""

from __future__ import annotations

from typing import Any

_FIELDS = {
    **dict.fromkeys(
        ("sha3Uncles", "stateRoot", "transactionsRoot", "receiptsRoot", "mixHash"), "0x" + "00" * 32
    ),
    **dict.fromkeys(("difficulty", "gasUsed", "timestamp", "baseFeePerGas"), "0x0"),
    "miner": "0x" + "00" * 20,
    "logsBloom": "0x" + "00" * 256,
    "extraData": "0x",
    "nonce": "0x" + "00" * 8,
    "gasLimit": "0x1c9c380",
    "parentHash": "0x" + "22" * 32,
    "hash": "0x" + "11" * 32,
    "transactions": [],
}


def made_up_block(**fields: Any) -> dict[str, Any]:
    """A block of a fork to come, which has a field more: nobody can ask that its hash come out."""
    return {**_FIELDS, "fieldToCome": "0x1", **fields}
