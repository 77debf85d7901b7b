"""Transactions of one key: each duty takes effect at most once, through crashes, forks and full mempools.

    simulate ─▶ [ nonce ─▶ sign ─▶ store intent ─▶ broadcast ] ─▶ wait for any of its hashes ─▶ deep enough
                  one at a time per key                              └ stuck: same nonce, fees x 9/8

What may be forgotten in a crash is only what nobody has seen: the intent is on disk before a node is.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from dataclasses import replace

from jepanet.chain.abi import UnsignedCall
from jepanet.chain.fees import FeeCapReached, FeePolicy, Fees, outbid, quote
from jepanet.chain.heads import HeadWatch
from jepanet.chain.intents import Intent, IntentState, IntentStore
from jepanet.chain.reader import RpcError
from jepanet.chain.refusals import Refusal, classify, is_revert
from jepanet.chain.revert import ErrorDecoder, Revert
from jepanet.chain.rpc import Rpc
from jepanet.chain.signing import Wallet
from jepanet.chain.submission import Submissions
from jepanet.chain.wire import Receipt
from jepanet.errors import Transient
from jepanet.telemetry import get_logger

log = get_logger("chain")

_LOOK_AGAIN = 5.0
_PAUSE = 1.0


class Sender:
    """Sends for one wallet; there must be only one per key and store.

    The store is read once. A caller that empties it (the chain was replaced by another) makes a new sender.

    Args:
        confirmations: blocks a transaction's block must be deep before it counts (1: it is mined).
        poll: seconds between looks at the head while something is pending.
        timeout: seconds `send` waits before it gives up with Transient; the intent stays and goes on.
    """

    def __init__(
        self,
        rpc: Rpc,
        wallet: Wallet,
        intents: IntentStore,
        fees: FeePolicy,
        confirmations: int,
        decoder: ErrorDecoder,
        *,
        poll: float = 0.5,
        timeout: float = 600.0,
    ) -> None:
        self.address = wallet.address
        self._rpc = rpc
        self._policy = fees
        self._confirmations = confirmations
        self._decoder = decoder
        self._timeout = timeout
        self._heads = HeadWatch(rpc, poll)
        self._submissions = Submissions(rpc, wallet, intents)
        self._turns: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    async def send(self, key: str, call: UnsignedCall, *, confirmations: int | None = None) -> Receipt:
        """Carries out `call` once for `key` and waits until it is mined (and `confirmations` deep).

        A key that was used before goes on where it stopped, with the call stored then, whatever `call` says;
        unless that was mined and reverted: then it had no effect, and `call` is simulated and sent anew.

        Raises:
            Rejected: the call reverts; `reason` is the custom error's name. Nothing happened on chain, or,
                when it reverted only once mined, nothing but the loss of gas.
            FeeCapReached: fees are above the operator's cap.
            Transient: endpoints are down, funds are missing, or it is not mined yet. The same key may be sent
                again, and goes on.
        """
        depth = max(1, self._confirmations if confirmations is None else confirmations)
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            intent = (await self._submissions.recovered()).get(key)
            if intent is None or (intent.state is IntentState.FAILED and intent.block_number is None):
                return await self._attempt(key, call, depth)
            if intent.state is IntentState.FAILED:
                receipt = await self._receipt(intent)
                if receipt is not None and not receipt.succeeded:
                    # A revert has no effect, and what overtook this call may be gone: ask and send anew.
                    return await self._attempt(key, call, depth)
                log.warning("transaction.reorganised", key=key, nonce=intent.nonce)
                reopened = replace(intent, state=IntentState.SENT, block_number=None, error=None)
                intent = self._submissions.put(reopened)
            if (intent.to, intent.data, intent.value) != (call.to or "", call.data, call.value):
                log.warning("intent.changed", key=key, call=str(call))
            if intent.state is IntentState.MINED:
                receipt = await self._receipt(intent)
                if receipt is not None:
                    return receipt
                log.warning("transaction.reorganised", key=key, nonce=intent.nonce)
                intent = self._submissions.put(replace(intent, state=IntentState.SENT, block_number=None))
            return await self._watch(intent, call, depth, uncertain=True)

    @property
    def pending(self) -> tuple[Intent, ...]:
        """Intents that are neither mined nor failed, by nonce. Empty before the first `send` or `recover`."""
        return self._submissions.pending

    async def recover(self) -> None:
        """Reads the store and broadcasts again what was pending at the end of the last run.

        `send` does it by itself; a node calls it at its start so that no forgotten nonce blocks later ones.

        Raises: Transient.
        """
        await self._submissions.recovered()

    async def _attempt(self, key: str, call: UnsignedCall, depth: int) -> Receipt:
        gas = await self._simulate(call)
        fees = await quote(self._rpc, self._policy)
        intent = await self._submissions.submit(key, call, gas, fees)
        return await self._watch(intent, call, depth, uncertain=intent.state is IntentState.INTENDED)

    async def _simulate(self, call: UnsignedCall) -> int:
        transaction = _request(self.address, call.to or "", call.data, call.value)
        try:
            estimate = await self._rpc.estimate_gas(transaction)
        except RpcError as error:
            if classify(error) is Refusal.FUNDS:
                raise self._submissions.cannot_pay(error) from error
            if is_revert(error):
                raise self._decoder.decode(error.data).rejected(str(call)) from error
            raise
        return int(estimate * self._policy.gas_margin)

    # ------------------------------------------------------------------ waiting

    async def _watch(self, intent: Intent, call: UnsignedCall, depth: int, *, uncertain: bool) -> Receipt:
        """Waits for any form of `intent`. `uncertain`: it is not known that a node has it."""
        started = time.monotonic()
        outbid_at = started + self._policy.replace_after
        while True:
            head = self._heads.latest
            try:
                receipt = await self._receipt(intent)
                if receipt is None and uncertain:
                    if await self._dead(intent, depth):
                        break
                    await self._submissions.rebroadcast(intent)
                    if intent.state is IntentState.INTENDED:
                        intent = self._submissions.put(replace(intent, state=IntentState.SENT))
                    receipt = await self._receipt(intent)
                if receipt is not None:
                    if depth == 1 or await self._deep(receipt, depth):
                        return await self._settle(intent, call, receipt)
                    # If it vanishes again, a fork has thrown it out: offer it anew.
                    uncertain = True
                elif time.monotonic() >= outbid_at:
                    intent = await self._outbid(intent)
                    outbid_at = time.monotonic() + self._policy.replace_after
                    uncertain = True
                    continue
                else:
                    uncertain = False
                due = min(outbid_at, started + self._timeout) - time.monotonic()
                await self._heads.changed(head, min(max(due, 0.05), _LOOK_AGAIN))
            except Transient as error:
                # The transaction is out and the endpoints may come back: waiting goes on.
                log.warning("receipt.delayed", key=intent.key, why=str(error))
                await asyncio.sleep(_PAUSE)
            if time.monotonic() - started > self._timeout:
                raise Transient(
                    f"{call} is not mined after {self._timeout:g} s (nonce {intent.nonce}, "
                    f"transaction 0x{intent.hashes[-1].hex()})",
                    remedy="it stays pending; raise chain.max_fee_gwei if fees are above the cap",
                )
        self._submissions.nonce_lost(intent)
        return await self._attempt(intent.key, call, depth)

    async def _receipt(self, intent: Intent) -> Receipt | None:
        for tx_hash in reversed(intent.hashes):
            receipt = await self._rpc.receipt(tx_hash)
            if receipt is not None:
                return receipt
        return None

    async def _deep(self, receipt: Receipt, depth: int) -> bool:
        head = await self._heads.refresh()
        if head.ref.number - receipt.block_number + 1 < depth:
            return False
        header = await self._rpc.header(receipt.block_number)
        return header is not None and header.ref.hash == receipt.block_hash

    async def _dead(self, intent: Intent, depth: int) -> bool:
        """Whether another transaction has taken the nonce for good. One node answers all of it."""
        reader = self._rpc.pinned()
        head = await reader.head()
        settled = max(0, head.ref.number - depth + 1)
        if await reader.transaction_count(intent.sender, settled) <= intent.nonce:
            return False
        known = [await reader.knows(tx_hash) for tx_hash in intent.hashes]
        return not any(known)

    async def _outbid(self, intent: Intent) -> Intent:
        """Replaces a stuck transaction, unless the cap or a lower nonce holds it back."""
        if await self._rpc.transaction_count(self.address, "latest") < intent.nonce:
            for earlier in self.pending:
                if earlier.nonce < intent.nonce:
                    await self._submissions.rebroadcast(earlier)
            return intent
        old = Fees(max_fee=intent.max_fee, tip=intent.max_priority_fee)
        try:
            fees = outbid(old, await quote(self._rpc, self._policy), self._policy)
        except FeeCapReached:
            fees = None
        if fees is None:
            log.warning("transaction.capped", key=intent.key, nonce=intent.nonce, cap=self._policy.max_fee)
            return intent
        return self._submissions.raise_fees(intent, fees)

    async def _settle(self, intent: Intent, call: UnsignedCall, receipt: Receipt) -> Receipt:
        mined = replace(intent, block_number=receipt.block_number)
        if receipt.succeeded:
            self._submissions.put(replace(mined, state=IntentState.MINED))
            return receipt
        revert = await self._explain(intent, receipt)
        self._submissions.put(replace(mined, state=IntentState.FAILED, error=str(revert)))
        raise revert.rejected(str(call))

    async def _explain(self, intent: Intent, receipt: Receipt) -> Revert:
        """Why a mined transaction reverted: replayed on its block, then on the block before.

        Exact unless other transactions of the same block changed what it depends on.
        """
        if receipt.gas_used >= intent.gas:
            return Revert("out-of-gas", {"gas": intent.gas})
        transaction = _request(self.address, intent.to, intent.data, intent.value)
        for block in (receipt.block_number, receipt.block_number - 1):
            try:
                await self._rpc.call(transaction, block)
            except RpcError as error:
                if is_revert(error):
                    return self._decoder.decode(error.data)
        return Revert("reverted", {})


def _request(sender: str, to: str, data: bytes, value: int) -> dict[str, str]:
    fields = {"from": sender, "data": "0x" + data.hex(), "value": hex(value)}
    return {**fields, "to": to} if to else fields
