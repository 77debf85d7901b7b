"""Nonces, signatures and the first broadcast: the steps that must happen one at a time per key."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

from jepanet.chain.contracts.abi import UnsignedCall
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.endpoints.refusals import Refusal, classify
from jepanet.chain.endpoints.requests import ChainReader, RpcError
from jepanet.chain.keys.wallet import SignedTransaction, Wallet
from jepanet.chain.sending.fees import Fees
from jepanet.chain.sending.nonce_evidence import Evidence, everyone
from jepanet.errors import Exit, Transient
from jepanet.intents import OPEN_STATES, Intent, IntentState, IntentStore
from jepanet.telemetry import get_logger
from jepanet.types import Address

log = get_logger("chain")


@dataclass(frozen=True, slots=True)
class Offer:
    """What the endpoints answered to a signed transaction: whether one has it, and who refused it."""

    taken: bool
    refusals: tuple[RpcError, ...]

    def refused(self, *kinds: Refusal) -> RpcError | None:
        """The last refusal of one of the kinds."""
        return next((item for item in reversed(self.refusals) if classify(item) in kinds), None)


class Submissions:
    """The intents of one account on one chain: on disk, in memory, and in the nodes' mempools."""

    def __init__(self, rpc: Rpc, wallet: Wallet, store: IntentStore, evidence: Evidence) -> None:
        self._rpc = rpc
        self._evidence = evidence
        self._wallet = wallet
        self._store = store
        self._known: dict[str, Intent] | None = None
        self._lock = asyncio.Lock()

    @property
    def pending(self) -> tuple[Intent, ...]:
        """Neither mined nor failed, by nonce; empty before `recovered`."""
        opened = (item for item in (self._known or {}).values() if item.state in OPEN_STATES)
        return tuple(sorted(opened, key=lambda item: item.nonce))

    async def recovered(self) -> dict[str, Intent]:
        """All intents by key. The first time it reads the store and broadcasts again what was pending."""
        if self._known is None:
            async with self._lock:
                if self._known is None:
                    stored = self._store.intents(self._wallet.address)
                    known = {item.key: item for item in stored if item.chain_id == self._rpc.chain_id}
                    opened = [item for item in known.values() if item.state in OPEN_STATES]
                    for intent in sorted(opened, key=lambda item: item.nonce):
                        await self.offer(intent)
                    self._known = known
        return self._known

    def put(self, intent: Intent) -> Intent:
        """Stores an intent durably."""
        self._store.put(intent)
        if self._known is not None:
            self._known[intent.key] = intent
        return intent

    def current(self, intent: Intent) -> Intent:
        """The intent as it is now: somebody who waits for a later nonce may have raised its fees."""
        known = (self._known or {}).get(intent.key)
        return intent if known is None or known.nonce != intent.nonce else known

    async def submit(self, key: str, call: UnsignedCall, gas: int, fees: Fees) -> tuple[Intent, Offer]:
        """Gives a call its nonce, stores the intent and offers it until one endpoint takes it.

        Whatever they answer, from here on somebody may have the transaction: the intent stays open.

        Raises:
            Transient: no endpoint says what nonce is next; nothing was signed.
        """
        async with self._lock:
            intent = await self._signed(key, call, gas, fees)
            offer = await self.offer(intent, everywhere=False)
        if not offer.taken:
            return intent, offer
        log.info("transaction.sent", key=key, call=str(call), nonce=intent.nonce, hash=intent.hashes[0])
        return self.put(replace(intent, state=IntentState.SENT)), offer

    async def offer(self, intent: Intent, *, everywhere: bool = True) -> Offer:
        """Hands the newest form to every endpoint, or to one after the other until one takes it.

        That one refuses it does not mean that no other has it, or no other machine at the same address.
        """

        async def hand(reader: ChainReader) -> RpcError | Refusal | None:
            try:
                taken = await reader.send_raw(intent.raws[-1])
            except RpcError as error:
                return Refusal.KNOWN if classify(error) is Refusal.KNOWN else error
            except Transient as error:
                log.info("broadcast.unanswered", key=intent.key, nonce=intent.nonce, why=str(error))
                return None
            return Refusal.KNOWN if taken == intent.hashes[-1] else None

        readers = self._rpc.readers()
        answers: list[RpcError | Refusal | None] = []
        if everywhere:
            answers = await everyone(readers, hand)
        else:
            for reader in readers:
                answers.append(await hand(reader))
                if answers[-1] is Refusal.KNOWN:
                    break
        refused = tuple(answer for answer in answers if isinstance(answer, RpcError))
        if refused and Refusal.KNOWN not in answers:
            log.info("broadcast.refused", key=intent.key, nonce=intent.nonce, why=refused[-1].reason)
        return Offer(Refusal.KNOWN in answers, refused)

    def between(self, first: int, last: int) -> list[Intent]:
        """The account's intents with first <= nonce < last, in order."""
        found = (item for item in (self._known or {}).values() if first <= item.nonce < last and _binds(item))
        return sorted(found, key=lambda item: item.nonce)

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

    def adopt(self, intent: Intent, tx_hash: bytes) -> Intent:
        """Counts a transaction with the intent's nonce and call that was signed elsewhere (a wallet's
        "speed up") among its forms; there are no bytes of it to offer."""
        log.warning("transaction.adopted", key=intent.key, nonce=intent.nonce, hash=tx_hash)
        return self.put(replace(intent, hashes=(tx_hash, *intent.hashes), raws=(b"", *intent.raws)))

    def nonce_lost(self, intent: Intent, winner: bytes) -> None:
        """Another transaction took the nonce for good: none of the intent's forms can be mined any more."""
        log.warning("nonce.lost", key=intent.key, nonce=intent.nonce, taken_by=winner)
        error = f"the nonce was used by 0x{winner.hex()}"
        self.put(replace(intent, state=IntentState.FAILED, error=error))

    def cannot_pay(self, error: RpcError) -> Transient:
        """What to raise when the account lacks funds."""
        # In the node's own words amounts are in wei.
        log.debug("payment.refused", why=error.reason)
        return Transient(
            f"{self._wallet.address} holds too little of the chain's own coin (ether) for this transaction",
            remedy=f"fund {self._wallet.address} on chain {self._rpc.chain_id}: gas is not paid in tokens",
            code=Exit.UNFUNDED,
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
        return self.put(replace(draft, hashes=(signed.hash,), raws=(signed.raw,)))

    async def _next_nonce(self) -> int:
        """After every nonce this account is known to have signed: an endpoint that lags names a lower one."""
        signed = [item.nonce + 1 for item in (self._known or {}).values() if _binds(item)]
        return max(await self._evidence.count(self._wallet.address, "pending"), *signed, 0)

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


def _binds(intent: Intent) -> bool:
    """Whether the nonce is this intent's. One that lost its nonce has been proven to have no part in it."""
    return intent.state is not IntentState.FAILED or intent.block_number is not None
