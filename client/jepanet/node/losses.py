"""What this node's wallet loses, told in its log: nobody else tells whoever lost it."""

from __future__ import annotations

from collections.abc import Iterable

from jepanet.protocol.facts import ChainBondSlashed, Fact
from jepanet.telemetry import get_logger
from jepanet.types import Address

log = get_logger("node")


def tell_losses(facts: Iterable[Fact], me: Address) -> None:
    """A line for each bond or stake that a confirmed event took from `me`; amounts in wei."""
    for fact in facts:
        if isinstance(fact, ChainBondSlashed) and fact.account == me:
            cause = fact.cause.name.lower().replace("_", "-")
            remedy = f"`jepanet receipt {fact.round_id} --solver {me}` says why, and what to do"
            log.warning("bond.lost", round=fact.round_id, cause=cause, amount=fact.amount, remedy=remedy)
