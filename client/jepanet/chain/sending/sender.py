"""Transactions of one key: each duty takes effect at most once, through crashes, forks and full mempools.

    simulate ─▶ [ nonce ─▶ sign ─▶ store intent ─▶ broadcast ] ─▶ wait for any of its hashes ─▶ deep enough
                  one at a time per key                              ├ stuck: same nonce, fees x 9/8
                                                                     ├ refused as too cheap: same nonce, more
                                                                     └ nonce used, hash unknown: unresolved,
                                                                       until whoever used it is found

What may be forgotten in a crash is only what nobody has seen: the intent is on disk before a node is. What
was signed once keeps its nonce until another transaction is proven to have used it (see `nonce_evidence`).
"""

from __future__ import annotations

import asyncio
import time
import weakref
from dataclasses import replace

from jepanet.chain.contracts.abi import UnsignedCall
from jepanet.chain.contracts.reverts import ErrorDecoder, Revert
from jepanet.chain.endpoints.answers import Receipt
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.endpoints.refusals import Refusal, classify, is_revert
from jepanet.chain.endpoints.requests import RpcError
from jepanet.chain.keys.wallet import Wallet
from jepanet.chain.sending.delivery import Delivery
from jepanet.chain.sending.fees import FeePolicy, quote
from jepanet.chain.sending.head_watch import HeadWatch
from jepanet.chain.sending.nonce_evidence import Evidence
from jepanet.chain.sending.nonces import Offer, Submissions
from jepanet.errors import Rejected, Transient
from jepanet.intents import Intent, IntentState, IntentStore
from jepanet.telemetry import get_logger

log = get_logger("chain")

OUT_OF_GAS = "out-of-gas"
_CREATION = 32_000
_JUST_NOW = 20.0


class Sender:
    """Sends for one wallet; there must be only one per key and store.

    The store is read once. A caller that empties it (the chain was replaced by another) makes a new sender.

    Args:
        confirmations: blocks a transaction's block must be deep before it counts (1: it is mined).
        burial: blocks a foreign transaction, or a revert, must be deep before its nonce is given up and the
            call gets a new one; at least `confirmations`.
        poll: seconds between looks at the head while something is pending.
        timeout: seconds `send` waits before it gives up with Unresolved; the intent stays and goes on.
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
        burial: int = 1,
        poll: float = 0.5,
        timeout: float = 600.0,
    ) -> None:
        self.address = wallet.address
        self._reached: Receipt | None = None
        self._reached_at = 0.0
        self._rpc = rpc
        self._policy = fees
        self._confirmations = confirmations
        self._decoder = decoder
        self._evidence = Evidence(rpc, max(confirmations, burial))
        self._submissions = Submissions(rpc, wallet, intents, self._evidence)
        self._turns: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._delivery = Delivery(
            rpc, fees, self._evidence, self._submissions, HeadWatch(rpc, poll), timeout,
            busy=lambda key: key in self._turns,
        )  # fmt: skip

    async def send(self, key: str, call: UnsignedCall, *, confirmations: int | None = None) -> Receipt:
        """Carries out `call` once for `key` and waits until it is mined (and `confirmations` deep).

        A key that was used before goes on where it stopped, with the call stored then, whatever `call` says;
        unless that was mined and reverted: then it had no effect, and `call` is simulated and sent anew.

        Raises:
            Rejected: the call reverts; `reason` is the custom error's name. Nothing happened on chain, or,
                when it reverted only once mined, nothing but the loss of gas.
            FeeCapReached: fees are above the operator's cap, and nothing was signed.
            Unresolved: it was signed, and nobody can say yet whether it takes effect.
            Transient: endpoints are down or funds are missing. As after Unresolved, the same key may be sent
                again, and goes on.
        """
        depth = max(1, self._confirmations if confirmations is None else confirmations)
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            intent = (await self._submissions.recovered()).get(key)
            if intent is None or (intent.state is IntentState.FAILED and intent.block_number is None):
                return await self._attempt(key, call, depth)
            if intent.state is IntentState.FAILED:
                receipt = await self._evidence.receipt(intent.hashes)
                if receipt is not None and not receipt.succeeded:
                    return await self._after_revert(intent, call, depth, receipt)
                log.warning("transaction.reorganised", key=key, nonce=intent.nonce)
                reopened = replace(intent, state=IntentState.SENT, block_number=None, error=None)
                intent = self._submissions.put(reopened)
            if not intent.asks(call.to, call.data, call.value):
                log.warning("intent.changed", key=key, call=str(call))
            if intent.state is IntentState.MINED:
                receipt = await self._evidence.receipt(intent.hashes)
                if receipt is not None:
                    return self._seen(receipt)
                log.warning("transaction.reorganised", key=key, nonce=intent.nonce)
                intent = self._submissions.put(replace(intent, state=IntentState.SENT, block_number=None))
            return await self._deliver(intent, call, depth)

    @property
    def reached(self) -> Receipt | None:
        """The receipt in the newest block, of those seen just now; a fork may have forgotten older ones."""
        return self._reached if time.monotonic() - self._reached_at < _JUST_NOW else None

    @property
    def pending(self) -> tuple[Intent, ...]:
        """Intents that are neither mined nor failed, by nonce. Empty before the first `send` or `recover`."""
        return self._submissions.pending

    async def recover(self) -> tuple[Intent, ...]:
        """Reads the store and broadcasts again what was pending at the end of the last run; returns it.

        `send` does it by itself; a node calls it at its start so that no forgotten nonce blocks later ones.
        """
        await self._submissions.recovered()
        return self.pending

    async def _attempt(self, key: str, call: UnsignedCall, depth: int, least_gas: int = 0) -> Receipt:
        gas = await self._simulate(call, least_gas)
        fees = await quote(self._rpc, self._policy)
        intent, offer = await self._submissions.submit(key, call, gas, fees)
        return await self._deliver(intent, call, depth, offer)

    async def _after_revert(
        self, intent: Intent, call: UnsignedCall, depth: int, receipt: Receipt
    ) -> Receipt:
        """A revert has no effect, and what overtook the call may be gone: asks, and sends it anew once no
        fork can turn the old one into a success any more."""
        await self._simulate(call)
        deep = self._evidence.burial
        if not await self._evidence.buried(receipt.block_number, receipt.block_hash, deep):
            reopened = replace(intent, state=IntentState.SENT, block_number=None, error=None)
            try:
                return await self._deliver(reopened, call, max(depth, deep))
            except Rejected:
                pass
        short = receipt.gas_used >= intent.gas
        return await self._attempt(intent.key, call, depth, 2 * intent.gas if short else 0)

    async def _simulate(self, call: UnsignedCall, least_gas: int = 0) -> int:
        """Gas for the call: the node's estimate, as far as it makes sense."""
        transaction = _request(self.address, call.to or "", call.data, call.value)
        try:
            estimate = await self._rpc.estimate_gas(transaction)
        except RpcError as error:
            if classify(error) is Refusal.FUNDS:
                raise self._submissions.cannot_pay(error) from error
            if is_revert(error):
                raise self._decoder.decode(error.data).rejected(str(call)) from error
            raise
        # What every transaction costs at least, EIP-7623 included: with less it would be refused for ever.
        least = 21_000 + 40 * len(call.data) + (0 if call.to else _CREATION)
        most = (await self._rpc.head()).gas_limit
        return min(max(int(estimate * self._policy.gas_margin), least, least_gas), most)

    async def _deliver(
        self, intent: Intent, call: UnsignedCall, depth: int, offer: Offer | None = None
    ) -> Receipt:
        intent, receipt = await self._delivery.arrival(intent, str(call), depth, offer)
        if receipt is None:
            return await self._attempt(intent.key, call, depth)
        return await self._settle(intent, call, receipt)

    async def _settle(self, intent: Intent, call: UnsignedCall, receipt: Receipt) -> Receipt:
        self._seen(receipt)
        mined = replace(intent, block_number=receipt.block_number, error=None)
        if receipt.succeeded:
            self._submissions.put(replace(mined, state=IntentState.MINED))
            return receipt
        revert = await self._explain(intent, receipt)
        self._submissions.put(replace(mined, state=IntentState.FAILED, error=str(revert)))
        if revert.name == OUT_OF_GAS:
            # Gas comes from an estimate, which is advice: no refusal of the call.
            raise Transient(
                f"{call} ran out of the {intent.gas} gas that the endpoint had estimated",
                remedy="call again: it is sent with twice as much",
            )
        raise revert.rejected(str(call))

    def _seen(self, receipt: Receipt) -> Receipt:
        newest = self.reached
        if newest is None or receipt.block_number >= newest.block_number:
            self._reached, self._reached_at = receipt, time.monotonic()
        return receipt

    async def _explain(self, intent: Intent, receipt: Receipt) -> Revert:
        """Why a mined transaction reverted: replayed on its block, then on the block before.

        Exact unless other transactions of the same block changed what it depends on.
        """
        if receipt.gas_used >= intent.gas:
            return Revert(OUT_OF_GAS, {"gas": intent.gas})
        transaction = _request(self.address, intent.to, intent.data, intent.value)
        for block in (receipt.block_number, receipt.block_number - 1):
            try:
                await self._rpc.call(transaction, block)
            except RpcError as error:
                if is_revert(error):
                    return self._decoder.decode(error.data)
            except Transient:  # nobody keeps the state of that block: the revert stands, unexplained
                continue
        return Revert("reverted", {})


def _request(sender: str, to: str, data: bytes, value: int) -> dict[str, str]:
    fields = {"from": sender, "data": "0x" + data.hex(), "value": hex(value)}
    return {**fields, "to": to} if to else fields
