"""GossipSub for one topic, without what a stranger could use: peer exchange, other topics, endless lists."""

from __future__ import annotations

import trio
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.score import ScoreParams, TopicScoreParams

from jepanet.p2p.hardening.steady_clock import steady_time
from jepanet.p2p.verdicts import GossipRules

FLOOD_POINTS = 50.0
_MAX_CONTROL_ENTRIES = 128
_MAX_MESSAGE_IDS = 2048


class TopicRouter(GossipSub):  # type: ignore[misc]  # libp2p has no types
    """Control messages about other topics, or too many of them, leave nothing behind."""

    def __init__(self, rules: GossipRules) -> None:
        super().__init__(
            protocols=[TProtocol("/meshsub/1.1.0"), TProtocol("/meshsub/1.0.0")],
            degree=6,
            degree_low=4,
            degree_high=12,
            heartbeat_initial_delay=0.5,
            heartbeat_interval=1,
            do_px=False,
            adaptive_gossip_enabled=False,
            eclipse_protection_enabled=False,
            # It counts relayed messages against the relay at 10 a second; `GossipRules` has the real limits.
            spam_protection_enabled=False,
            score_params=ScoreParams(
                p4_invalid_messages=TopicScoreParams(weight=10.0, cap=1000.0, decay=0.99),
                p5_behavior_penalty_weight=1.0,
                p5_behavior_penalty_decay=0.99,
                publish_threshold=-50.0,
                gossip_threshold=-20.0,
                graylist_threshold=-80.0,
                accept_px_threshold=float("inf"),  # nobody tells this node whom to dial
            ),
        )
        self._rules = rules

    async def publish(self, msg_forwarder: ID, pubsub_msg: rpc_pb2.Message) -> None:
        await self.relay(pubsub_msg, {msg_forwarder})

    async def relay(self, message: rpc_pb2.Message, holders: set[ID]) -> None:
        """Passes a message on to the mesh, except to `holders`, who have it. Our own goes to everybody."""
        pubsub, topic = self.pubsub, self._rules.topic
        self.mcache.put(message)
        own = pubsub.my_id in holders
        targets = (pubsub.peer_topics if own else self.mesh).get(topic, set())
        packet = rpc_pb2.RPC(publish=[message])
        for peer in targets - holders - {ID(message.from_id)}:
            if self.scorer.allow_publish(peer, [topic]) and peer in pubsub.peer_queues:
                self.send_rpc(peer, packet)
        await trio.lowlevel.checkpoint()

    async def handle_rpc(self, rpc: rpc_pb2.RPC, sender_peer_id: ID) -> None:
        control = rpc.control
        entries = sum(
            len(part)
            for part in (control.ihave, control.iwant, control.graft, control.prune, control.idontwant)
        )
        if entries > _MAX_CONTROL_ENTRIES:
            self._rules.charge(str(sender_peer_id), FLOOD_POINTS, "too many control messages")
            return
        topic = self._rules.topic
        for ihave in control.ihave:
            if ihave.topicID == topic and len(ihave.messageIDs) <= _MAX_MESSAGE_IDS:
                await self.handle_ihave(ihave, sender_peer_id)
        for iwant in control.iwant:
            if len(iwant.messageIDs) <= _MAX_MESSAGE_IDS:
                await self.handle_iwant(iwant, sender_peer_id)
        for graft in control.graft:
            if graft.topicID == topic:
                await self.handle_graft(graft, sender_peer_id)
        for prune in control.prune:
            if prune.topicID == topic:
                del prune.peers[:]
                await self.handle_prune(prune, sender_peer_id)
        for idontwant in control.idontwant:
            if len(idontwant.messageIDs) <= _MAX_MESSAGE_IDS:
                await self.handle_idontwant(idontwant, sender_peer_id)

    def leave_mesh(self, peer: ID) -> None:
        """The peer listens no longer."""
        self.mesh.get(self._rules.topic, set()).discard(peer)

    def forget_strangers(self) -> None:
        """Drops what the library keeps about peers that are gone. Called now and then."""
        known = set(self.pubsub.peers) if self.pubsub is not None else set()
        scorer = self.scorer
        for table in (
            *(scorer.time_in_mesh, scorer.first_message_deliveries, scorer.mesh_message_deliveries),
            *(scorer.invalid_messages, scorer.behavior_penalty, scorer.app_specific_scores),
            *(scorer.graft_flood_penalties, scorer.iwant_spam_penalties, scorer.ihave_spam_penalties),
            *(scorer.equivocation_penalties, self.dont_send_message_ids, self._pending_messages),
        ):
            for peer in [peer for peer in table if peer not in known]:
                del table[peer]
        now = steady_time()
        for peers in self.back_off.values():
            for peer in [peer for peer, until in peers.items() if until <= now]:
                del peers[peer]
