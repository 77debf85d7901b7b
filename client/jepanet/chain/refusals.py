"""Why a node did not take a transaction. JSON-RPC has no codes for it, so the clients' words are read."""

from __future__ import annotations

from enum import Enum, auto

from jepanet.chain.reader import RpcError


class Refusal(Enum):
    """What a refusal means for the sender."""

    KNOWN = auto()
    """The node already has it: as good as accepted."""
    NONCE_TOO_LOW = auto()
    """A transaction with this nonce is already in the chain."""
    NONCE_HELD = auto()
    """Another pending transaction holds the nonce and pays too much to be replaced."""
    FUNDS = auto()
    """The account cannot pay value plus gas."""
    FEE = auto()
    """The offer is below what the node takes."""
    OTHER = auto()


# geth, reth, erigon, nethermind, besu and anvil, in lower case; the first match counts.
_WORDS = (
    (Refusal.KNOWN, ("already known", "already imported", "known transaction", "alreadyknown")),
    (Refusal.NONCE_TOO_LOW, ("nonce too low", "nonce is too low", "oldnonce", "nonce_too_low")),
    (
        Refusal.NONCE_HELD,
        ("replacement transaction underpriced", "replacementnotallowed", "replacement_underpriced"),
    ),
    (Refusal.FUNDS, ("insufficient funds", "insufficientfunds", "upfront_cost_exceeds_balance")),
    (Refusal.FEE, ("underpriced", "less than block base fee", "feetoolow", "fee cap", "gas price below")),
)


def classify(error: RpcError) -> Refusal:
    """The kind of a refusal of `eth_sendRawTransaction` or `eth_estimateGas`."""
    said = error.reason.lower()
    for refusal, words in _WORDS:
        if any(word in said for word in words):
            return refusal
    return Refusal.OTHER


def is_revert(error: RpcError) -> bool:
    """Whether the node refused because the call itself reverts."""
    # 3 is geth's code for reverts; others say so in words.
    return error.rpc_code == 3 or bool(error.data) or "revert" in error.reason.lower()
