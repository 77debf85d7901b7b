"""Why a node did not take a transaction. JSON-RPC has no codes for it, so the clients' words are read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from jepanet.chain.endpoints.requests import RpcError


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
    (
        Refusal.FEE,
        ("underpriced", "less than block base fee", "less than the block base fee", "feetoolow",
         "fee too low", "fee is too low", "tip too low", "gas tip cap", "gas price below",
         "gas price too low", "gas_price_below", "gas_price_too_low", "below the minimum", "below minimum",
         "minimum needed", "priority fee per gas too low", "priorityfeepergas too low",
         "max fee per gas too low", "maxfeepergas too low"),
    ),
)  # fmt: skip


def classify(error: RpcError) -> Refusal:
    """The kind of a refusal of `eth_sendRawTransaction` or `eth_estimateGas`."""
    said = error.reason.lower()
    for refusal, words in _WORDS:
        if any(word in said for word in words):
            return refusal
    return Refusal.OTHER


@dataclass(frozen=True, slots=True)
class Demand:
    """The least that a node says it takes, in wei per gas; None where it does not say."""

    tip: int | None = None
    base: int | None = None


_NUMBER = r"[^0-9]{0,3}(\d{1,30})\b(?!\.)\s*(gwei)?"
_TIPS = re.compile(r"(?:minimum(?: needed| tip)?(?: is)?|too low:? \d{1,30} <)" + _NUMBER)
_BASES = re.compile(r"base ?fee(?: per gas)?(?: is)?" + _NUMBER)


def demanded(error: RpcError) -> Demand:
    """What a refusal of kind FEE asks for, as far as its words say."""
    said = error.reason.lower()
    tip, base = _TIPS.search(said), _BASES.search(said)
    return Demand(tip=_wei(tip), base=_wei(base))


def _wei(found: re.Match[str] | None) -> int | None:
    return None if found is None else int(found[1]) * (10**9 if found[2] else 1)


def is_revert(error: RpcError) -> bool:
    """Whether the node refused because the call itself reverts."""
    # 3 is geth's code for reverts; others say so in words.
    return error.rpc_code == 3 or bool(error.data) or "revert" in error.reason.lower()
