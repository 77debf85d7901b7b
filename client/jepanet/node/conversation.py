"""A node's side of gossip: signs and sends what roles publish, hands on what the gate admitted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.keys.wallet_files import Wallet
from jepanet.errors import JepanetError, Transient
from jepanet.node.gossip_gate import Gate, peer_fact
from jepanet.p2p.host import P2PNode
from jepanet.protocol.documents.messages import (
    Binding,
    Body,
    Envelope,
    Provide,
    SayScores,
    decode_envelope,
    encode_envelope,
)
from jepanet.protocol.documents.typed_data import node_binding_data
from jepanet.protocol.facts import PeerFact
from jepanet.roles.steps.obtain import round_pin
from jepanet.storage.blobs.store import BlobStore
from jepanet.telemetry import get_logger

log = get_logger("gossip")

_BINDING_SECONDS = 30 * 86400
_MEETINGS = 24


class Conversation:
    """Joins network, gate and blob store; lives as long as the node."""

    def __init__(
        self, network: P2PNode, gate: Gate, blobs: BlobStore, wallet: Wallet, deployment: Deployment
    ) -> None:
        self._network = network
        self._gate = gate
        self._blobs = blobs
        self._wallet = wallet
        self._deployment = deployment
        self._binding: Binding | None = None
        self._met: set[str] = set()
        self._dials: set[asyncio.Task[None]] = set()

    async def say(self, body: Body) -> None:
        """Gossips one message under this node's binding. Raises: Rejected for one over the cap."""
        await self._network.publish(encode_envelope(Envelope(self._own_binding(), body)))

    async def listen(self, feed: Callable[[Sequence[PeerFact]], None]) -> None:
        """Feeds what peers published until cancelled; score reports are kept as pinned blobs first."""
        async for gossip in self._network.messages():
            # Admitted: it was checked before it was relayed. A long one takes a second to read.
            envelope = await asyncio.to_thread(decode_envelope, gossip.payload)
            if isinstance(envelope.body, Provide):
                self._meet(envelope.binding.peer, self._gate.remember(envelope.body, envelope.binding))
                continue
            report = None
            if isinstance(envelope.body, SayScores):
                # Admitted, but a whole queue may have come before the first one of its author.
                if self._gate.counted_report(envelope.body.round_id, envelope.binding.wallet) is not None:
                    continue
                try:
                    report = self._blobs.put_bytes(envelope.body.report)
                except Transient as error:  # its author repeats it
                    log.warning("report.dropped", round=envelope.body.round_id, why=str(error))
                    continue
                self._blobs.pin(report, round_pin(envelope.body.round_id))
            fact = peer_fact(envelope, report)
            if fact is not None:
                feed([fact])

    def _meet(self, peer: str, addresses: tuple[str, ...]) -> None:
        """Dials an announcer nobody has introduced yet, so that small networks become a full mesh."""
        if peer in self._met or len(self._met) >= _MEETINGS or not addresses:
            return
        self._met.add(peer)

        async def dial() -> None:
            try:
                await self._network.introduce(addresses)
                if any(item.peer_id == peer for item in await self._network.peers()):
                    return
            except JepanetError as error:
                log.info("peer.unreached", peer=peer, why=str(error))
            self._met.discard(peer)

        task = asyncio.create_task(dial())
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)

    def _own_binding(self) -> Binding:
        now = int(time.time())
        # Signed anew at half its time, and when the clock was set back: peers refuse one that lasts too long.
        left = 0 if self._binding is None else self._binding.expiry - now
        if self._binding is None or not _BINDING_SECONDS // 2 <= left <= _BINDING_SECONDS:
            deployment, expiry = self._deployment, now + _BINDING_SECONDS
            typed = node_binding_data(
                deployment.chain_id,
                deployment.rounds,
                wallet=self._wallet.address,
                peer_id=self._network.peer_id,
                expiry=expiry,
            )
            signature = self._wallet.sign_typed(typed)
            self._binding = Binding(self._wallet.address, self._network.peer_id, expiry, signature)
        return self._binding
