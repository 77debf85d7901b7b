"""From a signed transaction to its receipt: offering it, paying more, finding out what became of its nonce.

no receipt ─┬─ nonce used ─┬─ by a form of it ─────▶ wait for its receipt
            │              ├─ by the same call, signed elsewhere ─▶ counts as a form of it
            │              ├─ by another, deep ────▶ lost: the only end without a receipt
            │              └─ nobody shows by whom ─▶ offer it again, wait
            └─ nonce free ─┬─ refused as too cheap ─▶ same nonce, what is demanded
                           └─ else ───────────────▶ offer it again to every endpoint, outbid it if stuck
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from jepanet.chain.endpoints.answers import Receipt
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.endpoints.refusals import Refusal, demanded
from jepanet.chain.sending.fees import GWEI, FeeCapReached, FeePolicy, Fees, escalate, outbid, quote
from jepanet.chain.sending.head_watch import HeadWatch
from jepanet.chain.sending.nonce_evidence import Evidence
from jepanet.chain.sending.nonces import Offer, Submissions
from jepanet.errors import Exit, Transient
from jepanet.intents import OPEN_STATES, Intent, IntentState
from jepanet.telemetry import get_logger

log = get_logger("chain")

_LOOK_AGAIN = 5.0
_OFFER_AGAIN = 20.0
_OFFER_SOON = 2.0
_PAUSE = 1.0
_ESCALATIONS = 8


class Unresolved(Transient):
    """A signed transaction may have taken effect or may still: nobody can say yet. The same key may be sent
    again, and goes on with the same nonce."""

    code = Exit.UNRESOLVED


class Delivery:
    """Sees transactions of one account through.

    Args:
        timeout: seconds until `arrival` gives up with Unresolved.
        busy: whether somebody waits for the intent of that key.
    """

    def __init__(
        self,
        rpc: Rpc,
        policy: FeePolicy,
        evidence: Evidence,
        submissions: Submissions,
        heads: HeadWatch,
        timeout: float,
        *,
        busy: Callable[[str], bool],
    ) -> None:
        self._rpc = rpc
        self._policy = policy
        self._evidence = evidence
        self._submissions = submissions
        self._heads = heads
        self._timeout = timeout
        self._busy = busy

    async def arrival(
        self, intent: Intent, what: str, depth: int, offer: Offer | None
    ) -> tuple[Intent, Receipt | None]:
        """Waits for any form of `intent` to be `depth` deep; no receipt: its nonce is lost, and stored so.

        Args:
            what: the call in words.
            offer: what the endpoints just answered to it, if it was offered.

        Raises:
            Unresolved: neither is known in time, or it is refused for a reason the operator can mend.
        """
        now = asyncio.get_running_loop().time
        give_up = now() + self._timeout
        outbid_at = now() + self._policy.replace_after
        offer_at = now()
        why = "it is not mined"
        while True:
            head = self._heads.latest
            intent = self._submissions.current(intent)
            try:
                receipt = await self._evidence.receipt(intent.hashes)
                if receipt is not None:
                    number, block = receipt.block_number, receipt.block_hash
                    if depth == 1 or await self._evidence.buried(number, block, depth):
                        return intent, receipt
                    # If it vanishes again, a fork has thrown it out: it is offered anew.
                    offer_at, why = now(), f"its block {number} is not deep enough yet"
                elif await self._evidence.count(intent.sender, "latest") > intent.nonce:
                    intent, lost, why = await self._used(intent)
                    if lost:
                        return intent, None
                    if now() >= offer_at:
                        # Whoever says that the nonce is used may be on a fork: the others still need it.
                        await self._submissions.offer(intent)
                        offer_at = now() + _OFFER_AGAIN
                else:
                    if offer is None and now() >= offer_at:
                        offer = await self._submissions.offer(intent)
                    if offer is not None:
                        offer_at = now() + (_OFFER_AGAIN if offer.taken else _OFFER_SOON)
                        intent, why = await self._answered(intent, what, offer)
                        offer = None
                    if now() >= outbid_at:
                        intent, why = await self._outbid(intent, why)
                        outbid_at = now() + self._policy.replace_after
                        offer_at = now()
                        continue
                due = min(outbid_at, offer_at if receipt is None else outbid_at, give_up) - now()
                await self._heads.changed(head, min(max(due, 0.05), _LOOK_AGAIN))
            except Unresolved:
                raise
            except Transient as error:
                # The transaction is out and the endpoints may come back: waiting goes on.
                log.warning("receipt.delayed", key=intent.key, why=str(error))
                why = error.message
                await asyncio.sleep(_PAUSE)
            if now() >= give_up:
                raise _unresolved(intent, what, why)

    async def _used(self, intent: Intent) -> tuple[Intent, bool, str]:
        """Who used the nonce: (the intent, whether it is lost, why that is not known)."""
        use = await self._evidence.use(intent.sender, intent.nonce)
        if use is None:
            return intent, False, "its nonce is used, but no endpoint shows by which transaction"
        if use.tx_hash not in intent.hashes and intent.asks(use.to, use.data, use.value):
            intent = self._submissions.adopt(intent, use.tx_hash)
        if use.tx_hash in intent.hashes:
            return intent, False, f"block {use.block_number} holds it, but no endpoint gives its receipt"
        if await self._evidence.buried(use.block_number, use.block_hash, self._evidence.burial):
            self._submissions.nonce_lost(intent, use.tx_hash)
            return intent, True, ""
        other = f"0x{use.tx_hash.hex()} in block {use.block_number}"
        return intent, False, f"its nonce went to {other}, which a fork could still undo"

    async def _answered(self, intent: Intent, what: str, offer: Offer) -> tuple[Intent, str]:
        """Draws the consequence of an offer, paying more where that is asked for and allowed."""
        for _ in range(_ESCALATIONS):
            if offer.taken:
                if intent.state is IntentState.INTENDED:
                    intent = self._submissions.put(replace(intent, state=IntentState.SENT))
                return intent, "it is not mined"
            refused = offer.refused(Refusal.FEE)
            if refused is None:
                break
            old = Fees(max_fee=intent.max_fee, tip=intent.max_priority_fee)
            try:
                fees = escalate(old, await quote(self._rpc, self._policy), demanded(refused), self._policy)
            except FeeCapReached:
                fees = None
            if fees is None:
                said = (
                    f"a tip of {old.tip / GWEI:.3f} gwei and {old.max_fee / GWEI:.3f} gwei in all are too "
                    f"little for the chain: {refused.reason}"
                )
                if intent.state is IntentState.INTENDED:
                    remedy = "raise chain.max_tip_gwei or chain.max_fee_gwei, or wait; then call again"
                    raise _unresolved(intent, what, said, remedy)
                return intent, said
            intent = self._submissions.raise_fees(intent, fees)
            offer = await self._submissions.offer(intent)
        poor = offer.refused(Refusal.FUNDS)
        if poor is not None and intent.state is IntentState.INTENDED:
            error = self._submissions.cannot_pay(poor)
            raise _unresolved(intent, what, error.message, error.remedy)
        last = offer.refusals[-1].reason if offer.refusals else "no answer"
        return intent, f"the endpoints did not take it: {last}"

    async def _outbid(self, intent: Intent, why: str) -> tuple[Intent, str]:
        """Replaces a stuck transaction, unless a cap or a lower nonce holds it back."""
        count = await self._evidence.count(intent.sender, "latest")
        if count >= intent.nonce:
            return await self._raised(intent), why
        earlier = self._submissions.between(count, intent.nonce)
        if not earlier or earlier[0].nonce > count:
            return intent, f"nonce {count} comes before it, and no transaction that is known here has that"
        if earlier[0].state in OPEN_STATES and not self._busy(earlier[0].key):
            await self._raised(earlier[0])
        # Also those that were mined: a fork may have thrown them out without anybody waiting for them.
        for item in self._submissions.between(count, intent.nonce):
            await self._submissions.offer(item)
        return intent, f"it waits for nonce {count}, transaction 0x{earlier[0].hashes[-1].hex()}"

    async def _raised(self, intent: Intent) -> Intent:
        old = Fees(max_fee=intent.max_fee, tip=intent.max_priority_fee)
        try:
            fees = outbid(old, await quote(self._rpc, self._policy), self._policy)
        except FeeCapReached:
            fees = None
        if fees is None:
            log.warning("transaction.capped", key=intent.key, nonce=intent.nonce, cap=self._policy.max_fee)
            return intent
        return self._submissions.raise_fees(intent, fees)


def _unresolved(intent: Intent, what: str, why: str, remedy: str | None = None) -> Unresolved:
    return Unresolved(
        f"{what} is unresolved, look at 0x{intent.hashes[-1].hex()} (nonce {intent.nonce}): {why}",
        remedy=remedy
        or "it stays pending and may still take effect; call again to go on with it, nothing is sent twice; "
        "raise chain.max_fee_gwei if fees are above the cap",
    )
