"""The root over a block's receipts that its header names: no receipt, and no byte of a log, can be other.

A logs bloom covers the addresses and topics of logs, each once. It says nothing about their data (amounts,
digests), and nothing about two logs where there were three of the same topics. The root does.

Source: Ethereum yellow paper, sections 4.3.1 and 4.4.1 (the receipts' trie, by the RLP of their place), and
EIP-2718, which puts a transaction's type before its receipt.
"""

from __future__ import annotations

from collections.abc import Sequence

import rlp
from eth_utils.address import to_canonical_address
from trie.hexary import HexaryTrie

from jepanet.chain.endpoints.answers import Receipt
from jepanet.chain.following.bloom import bloom_of


def encode_receipt(receipt: Receipt) -> bytes:
    """A receipt as the trie holds it: what all types of transactions have in common, behind the type."""
    fields = [
        receipt.succeeded,
        receipt.gas_so_far,
        bloom_of(receipt.logs).to_bytes(256, "big"),
        [[to_canonical_address(item.address), list(item.topics), item.data] for item in receipt.logs],
    ]
    return (bytes([receipt.kind]) if receipt.kind else b"") + bytes(rlp.encode(fields))


def receipts_root(receipts: Sequence[Receipt]) -> bytes:
    """The root, 32 bytes, of the trie over all receipts of a block, in order."""
    trie = HexaryTrie({}, prune=True)
    for place, receipt in enumerate(receipts):
        trie[rlp.encode(place)] = encode_receipt(receipt)
    return bytes(trie.root_hash)
