"""Nonces, signatures and the first broadcast: the steps that must happen one at a time per key."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from jepanet.chain.abi import UnsignedCall
from jepanet.chain.fees import Fees
from jepanet.chain.intents import OPEN_STATES, Intent, IntentState, IntentStore
from jepanet.chain.reader import RpcError
from jepanet.chain.refusals import Refusal, classify
from jepanet.chain.rpc import Rpc
from jepanet.chain.signing import SignedTransaction, Wallet
from jepanet.errors import Transient
from jepanet.telemetry import get_logger
from jepanet.types import Address

log = get_logger("chain")


class Submissions:
    """The intents of one account on one chain: on disk, in memory, and in the nodes' mempools."""

    def __init__(self, rpc: Rpc, wallet: Wallet, store: IntentStore) -> None:
        self._rpc = rpc
        self._wallet = wallet
        self._store = store
        self._known: dict[str, Intent] | None = None
        self._nonce: int | None = None
        self._lock = asyncio.Lock()

    @property
    def pending(self) -> tuple[Intent, ...]:
        """Neither mined nor failed, by nonce; empty before `recovered`."""
        opened = (item for item in (self._known or {}).values() if item.state in OPEN_STATES)
        return tuple(sorted(opened, key=lambda item: item.nonce))

    async def recovered(self) -> dict[str, Intent]:
        """All intents by key. The first time it reads the store and broadcasts again what was pending.

        Raises: Transient.
        """
        if self._known is None:
            async with self._lock:
                if self._known is None:
                    stored = self._store.intents(self._wallet.address)
                    known = {item.key: item for item in stored if item.chain_id == self._rpc.chain_id}
                    opened = [item for item in known.values() if item.state in OPEN_STATES]
                    for intent in sorted(opened, key=lambda item: item.nonce):
                        await self.rebroadcast(intent)
                    self._known = known
        return self._known

    def put(self, intent: Intent) -> Intent:
        """Stores an intent durably."""
        self._store.put(intent)
        if self._known is not None:
            self._known[intent.key] = intent
        return intent

    async def submit(self, key: str, call: UnsignedCall, gas: int, fees: Fees) -> Intent:
        """Gives a call its nonce, stores the intent and broadcasts it.

        State INTENDED comes back when no endpoint answered: someone may have the transaction.

        Raises:
            Transient: the node refused the transaction, so nobody has it; the key may be tried again.
        """
        async with self._lock:
            for _ in range(2):
                intent = await self._signed(key, call, gas, fees)
                try:
                    refused = await self._refused(intent)
                except Transient as error:
                    log.warning("broadcast.unanswered", key=key, nonce=intent.nonce, why=str(error))
                    return intent
                if refused is None:
                    log.info(
                        "transaction.sent", key=key, call=str(call), nonce=intent.nonce, hash=intent.hashes[0]
                    )
                    return self.put(replace(intent, state=IntentState.SENT))
                self.put(replace(intent, state=IntentState.FAILED, error=refused.reason))
                refusal = classify(refused)
                if refusal not in (Refusal.NONCE_TOO_LOW, Refusal.NONCE_HELD):
                    # Nobody has the transaction and nobody else was given its nonce.
                    self._nonce = intent.nonce
                    raise self.cannot_pay(refused) if refusal is Refusal.FUNDS else refused
                log.warning("nonce.taken", key=key, nonce=intent.nonce, why=refused.reason)
                self._nonce = None
        raise Transient(
            f"{call}: two nonces in a row were taken by other transactions of {self._wallet.address}",
            remedy="stop the other program that uses this key",
        )

    async def rebroadcast(self, intent: Intent) -> None:
        """Hands the newest form to a node again. Raises: Transient when no endpoint answers."""
        try:
            await self._rpc.send_raw(intent.raws[-1])
        except RpcError as error:
            if classify(error) not in (Refusal.KNOWN, Refusal.NONCE_TOO_LOW):
                log.warning("broadcast.refused", key=intent.key, nonce=intent.nonce, why=error.reason)

    def raise_fees(self, intent: Intent, fees: Fees) -> Intent:
        """Signs and stores (but does not broadcast) a form of `intent` with other fees at the same nonce."""
        signed = self._sign(intent, fees)
        log.info("transaction.replaced", key=intent.key, nonce=intent.nonce, hash=signed.hash)
        return self.put(
            replace(
                intent,
                max_fee=fees.max_fee,
                max_priority_fee=fees.tip,
                hashes=(*intent.hashes, signed.hash),
                raws=(*intent.raws, signed.raw),
            )
        )

    def nonce_lost(self, intent: Intent) -> None:
        """Another transaction took the nonce for good: none of the intent's forms can be mined any more."""
        log.warning("nonce.lost", key=intent.key, nonce=intent.nonce)
        self.put(replace(intent, state=IntentState.FAILED, error="nonce used by another transaction"))
        self._nonce = None

    def cannot_pay(self, error: RpcError) -> Transient:
        """What to raise when the account lacks funds."""
        return Transient(
            f"{self._wallet.address} cannot pay for the transaction: {error.reason}",
            remedy=f"fund {self._wallet.address} on chain {self._rpc.chain_id}",
        )

    async def _signed(self, key: str, call: UnsignedCall, gas: int, fees: Fees) -> Intent:
        nonce = await self._next_nonce()
        draft = Intent(
            key=key,
            sender=self._wallet.address,
            chain_id=self._rpc.chain_id,
            nonce=nonce,
            to=call.to or "",
            data=call.data,
            value=call.value,
            gas=gas,
            max_fee=fees.max_fee,
            max_priority_fee=fees.tip,
            hashes=(),
            raws=(),
            state=IntentState.INTENDED,
            block_number=None,
            error=None,
            created=time.time(),
        )
        signed = self._sign(draft, fees)
        self._nonce = nonce + 1
        return self.put(replace(draft, hashes=(signed.hash,), raws=(signed.raw,)))

    async def _refused(self, intent: Intent) -> RpcError | None:
        """Broadcasts a new transaction; the node's refusal if it does not have it now.

        One endpoint only: had another one been asked before, a refusal here would prove nothing.
        """
        reader = self._rpc.pinned()
        try:
            await reader.send_raw(intent.raws[0])
        except RpcError as error:
            known = classify(error) is Refusal.KNOWN or await reader.knows(intent.hashes[0])
            return None if known else error
        return None

    async def _next_nonce(self) -> int:
        if self._nonce is None:
            reserved = [intent.nonce + 1 for intent in self.pending]
            count = await self._rpc.transaction_count(self._wallet.address, "pending")
            self._nonce = max([count, *reserved])
        return self._nonce

    def _sign(self, intent: Intent, fees: Fees) -> SignedTransaction:
        fields = {
            "type": 2,
            "chainId": intent.chain_id,
            "nonce": intent.nonce,
            "gas": intent.gas,
            "maxFeePerGas": fees.max_fee,
            "maxPriorityFeePerGas": fees.tip,
            "to": Address(intent.to) if intent.to else b"",
            "value": intent.value,
            "data": intent.data,
        }
        return self._wallet.sign_transaction(fields)
