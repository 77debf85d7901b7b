"""Who may gossip what: every message is checked against the chain before it is relayed or used.

REJECT costs the sender its standing (malformed, forged, outsider). IGNORE is for what may be honest but is
not usable here and now: a round this node has not seen confirmed yet, a statement too late.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from jepanet.chain.keys.wallet_files import recover_typed
from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.node.heard import Heard
from jepanet.node.long_messages import LONG_BYTES, LongMessages
from jepanet.p2p.host import Admission, Gossip
from jepanet.p2p.identity import parse_address
from jepanet.protocol.documents.messages import (
    Binding,
    Envelope,
    Provide,
    SayCommitment,
    SayResult,
    SayScores,
    SaySheet,
    binding_of,
    decode_envelope,
)
from jepanet.protocol.documents.openings import MOST_OF_ONE
from jepanet.protocol.documents.score_commitments import check_opening
from jepanet.protocol.documents.scores import check_signatures, decode_report
from jepanet.protocol.documents.typed_data import node_binding_data, score_commitment_data
from jepanet.protocol.facts import PeerCommitted, PeerFact, PeerResult, PeerScored, PeerSheet
from jepanet.protocol.state import NodeState, Round
from jepanet.roles.context import Turns
from jepanet.telemetry import get_logger
from jepanet.types import Address, Digest, Phase, RoundId

log = get_logger("gossip")

_KNOWN_BINDINGS = 1024
_PROVIDERS_PER_DIGEST, _ADDRESSES_PER_PROVIDER, _PROVIDED_DIGESTS = 32, 4, 4096
_LONGEST_BINDING = 400 * 86400
_PEER_SECONDS = 600.0


class Gate:
    """Checks gossip messages; remembers verified bindings and announced providers, both bounded."""

    def __init__(
        self,
        state: Callable[[], NodeState],
        *,
        chain_id: int,
        contract: Address,
        clock: Callable[[], float] = time.time,
        passing: Callable[[], float] = time.monotonic,
    ) -> None:
        self.heard = Heard(clock)
        """Who was admitted last, through which peer."""
        self._passing = passing
        self._speakers: OrderedDict[Address, tuple[str, float]] = OrderedDict()
        self._state = state
        self._chain_id = chain_id
        self._contract = contract
        self._clock = clock
        self._bindings: OrderedDict[Binding, None] = OrderedDict()
        self._providers: OrderedDict[bytes, dict[Address, tuple[str, ...]]] = OrderedDict()
        self._long = LongMessages(passing)
        self._reading = Turns()

    async def validate(self, gossip: Gossip) -> Admission:
        """The verdict on one message. A refusal is logged with its reason; what is only too early or too late
        is every healthy network's daily business."""
        reason = "not-now"
        try:
            if len(gossip.payload) > LONG_BYTES:
                binding = binding_of(gossip.payload)
                self._check_binding(binding, gossip.peer_id)
                verdict, why = await self._judge_long(gossip.payload, binding.wallet)
            else:
                envelope = decode_envelope(gossip.payload)
                binding = envelope.binding
                self._check_binding(binding, gossip.peer_id)
                verdict, why = self._judge(envelope)
            if verdict is Admission.ACCEPT:
                self.heard.note(binding.wallet, gossip.peer_id)
        except Rejected as error:
            verdict, why, reason = Admission.REJECT, str(error), error.reason
        if verdict is Admission.REJECT:
            log.warning("message.refused", peer=gossip.peer_id, reason=reason, why=why[:300])
        elif verdict is Admission.IGNORE:
            log.debug("message.ignored", peer=gossip.peer_id, why=why[:300])
        return verdict

    def providers(self, digest: bytes) -> tuple[str, ...]:
        """Multiaddresses announced for a digest, newest first."""
        known = self._providers.get(bytes(digest), {})
        return tuple(address for addresses in reversed(known.values()) for address in addresses)

    def counted_report(self, round_id: RoundId, wallet: Address) -> Digest | None:
        """Digest of the report that counts for a verifier: its first. Others are neither kept nor relayed."""
        known = self._state().off_chain.get(round_id)
        if known is None:
            return None
        return next((item.scores for item in known.scores if item.coordinator == wallet), None)

    def remember(self, said: Provide, by: Binding) -> tuple[str, ...]:
        """Keeps where an announced blob can be had: of each wallet its last word, about its own peer alone.

        One wallet, however often it speaks, must not push the addresses of others out, nor escape the
        back-off of its peer by speaking for another: it changes its peer once in ten minutes. Returns the
        addresses that are believed.
        """
        own: tuple[str, ...] = ()
        if self._speaks_for(by):
            own = tuple(item for item in dict.fromkeys(said.addresses) if _leads_to(item, by.peer))
        known = self._providers.pop(bytes(said.digest), {})
        known.pop(by.wallet, None)
        if own:
            known[by.wallet] = own[:_ADDRESSES_PER_PROVIDER]
        while len(known) > _PROVIDERS_PER_DIGEST:
            del known[next(iter(known))]
        if known:
            self._providers[bytes(said.digest)] = known
        while len(self._providers) > _PROVIDED_DIGESTS:
            self._providers.popitem(last=False)
        return own[:_ADDRESSES_PER_PROVIDER]

    def _speaks_for(self, by: Binding) -> bool:
        peer, since = self._speakers.get(by.wallet, (by.peer, -math.inf))
        now = self._passing()
        if peer != by.peer and now - since < _PEER_SECONDS:
            return False
        if peer != by.peer or by.wallet not in self._speakers:
            self._speakers[by.wallet] = (by.peer, now)
        self._speakers.move_to_end(by.wallet)
        while len(self._speakers) > _KNOWN_BINDINGS:
            self._speakers.popitem(last=False)
        return True

    def _check_binding(self, binding: Binding, peer_id: str) -> None:
        if binding.peer != peer_id:
            raise Rejected(
                "the binding names another peer than the one that signed", reason="foreign-binding"
            )
        now = self._clock()
        if not now < binding.expiry <= now + _LONGEST_BINDING:
            raise Rejected("the binding has expired or lasts too long", reason="stale-binding")
        if binding in self._bindings:
            self._bindings.move_to_end(binding)
            return
        typed = node_binding_data(
            self._chain_id, self._contract, wallet=binding.wallet, peer_id=binding.peer, expiry=binding.expiry
        )
        if recover_typed(typed, binding.signature) != binding.wallet:
            raise Rejected("the binding is not signed by its wallet", reason="forged-binding")
        self._bindings[binding] = None
        while len(self._bindings) > _KNOWN_BINDINGS:
            self._bindings.popitem(last=False)

    async def _judge_long(self, payload: bytes, wallet: Address) -> tuple[Admission, str]:
        """The same of a message whose binding alone was read: see `long_messages`."""
        state = self._state()
        judged = (item for item in state.rounds.values() if item.phase(state.now) is Phase.VERIFY)
        sets = frozenset(item.verifier_set for item in judged if wallet in state.members(item))
        if not sets:
            return Admission.IGNORE, f"a long message, and {wallet} verifies no round here now"
        known = self._long.admitted(payload)
        if known is not None:
            round_id, report = known
            round_ = state.rounds.get(round_id)
            verified = round_ is not None and round_.phase(state.now) is Phase.VERIFY
            if not verified or self.counted_report(round_id, wallet) not in (None, report):
                return Admission.IGNORE, "a report that counts no longer"
            return Admission.ACCEPT, ""
        async with self._reading.of(sets):  # a hostile set keeps itself waiting, and no other
            if not self._long.may_read(wallet):
                return Admission.IGNORE, f"many long messages of {wallet} were read already"
            envelope = await asyncio.to_thread(decode_envelope, payload)
            found = await asyncio.to_thread(self._judge, envelope)
        if found[0] is Admission.ACCEPT and isinstance(envelope.body, SayScores):
            self._long.admit(payload, envelope.body.round_id, digest_of(envelope.body.report))
        return found

    def _judge(self, envelope: Envelope) -> tuple[Admission, str]:
        body, wallet = envelope.body, envelope.binding.wallet
        state = self._state()
        round_ = state.rounds.get(body.round_id)
        if round_ is None:
            return Admission.IGNORE, f"round {body.round_id} is not known here"
        phase = round_.phase(state.now)
        match body:
            case Provide():
                return self._judge_provide(round_, wallet, body)
            case SayScores():
                if wallet not in state.members(round_):
                    raise Rejected(f"{wallet} is no verifier of round {round_.id}", reason="outsider")
                if phase is not Phase.VERIFY:
                    return Admission.IGNORE, f"scores in phase {phase.name}"
                first = self.counted_report(body.round_id, wallet)
                if first is None:
                    self._check_report(round_, wallet, body.report)
                elif first != digest_of(body.report):
                    return Admission.IGNORE, f"another report of {wallet} was heard first"
            case SayCommitment():
                if wallet not in state.members(round_):
                    raise Rejected(f"{wallet} is no verifier of round {round_.id}", reason="outsider")
                if phase is not Phase.VERIFY:
                    return Admission.IGNORE, f"a commitment in phase {phase.name}"
                return self._judge_commitment(round_, wallet, body)
            case SaySheet():
                if not state.own[round_.id].prepared:
                    return Admission.IGNORE, "the round's spec is not here yet"
                if not state.may_propose(round_, wallet):
                    raise Rejected(f"{wallet} may not propose sheets in round {round_.id}", reason="outsider")
                if phase is not Phase.VERIFY:
                    return Admission.IGNORE, f"a sheet in phase {phase.name}"
            case SayResult():
                if wallet not in state.members(round_):
                    raise Rejected(f"{wallet} is no verifier of round {round_.id}", reason="outsider")
                if phase is not Phase.VERIFY:
                    return Admission.IGNORE, f"a result in phase {phase.name}"
        return Admission.ACCEPT, ""

    def _judge_commitment(self, round_: Round, wallet: Address, said: SayCommitment) -> tuple[Admission, str]:
        """Only what counts is relayed, and a second one, which everybody should see."""
        state = self._state()
        if state.now >= round_.scores_committed_until:
            return Admission.IGNORE, "commitments to scores are over"
        known = [item for item in state.off_chain[round_.id].commitments if item.coordinator == wallet]
        if any(item.commitment == said.commitment for item in known):
            return Admission.ACCEPT, ""
        if len(known) >= MOST_OF_ONE:
            return Admission.IGNORE, f"{wallet} has committed to other scores, and to others again"
        typed = score_commitment_data(
            self._chain_id, self._contract, round_id=round_.id, commitment=said.commitment
        )
        if recover_typed(typed, said.signature) != wallet:
            raise Rejected("the commitment is not signed by its wallet", reason="forged-commitment")
        return Admission.ACCEPT, ""

    def _judge_provide(self, round_: Round, wallet: Address, said: Provide) -> tuple[Admission, str]:
        """A hint is harmless (hashes decide), so everybody with a part in the round may give one."""
        state = self._state()
        if wallet == round_.proposer or state.may_propose(round_, wallet):
            return Admission.ACCEPT, ""
        revealed = round_.reveal_of(wallet)
        if revealed is not None and revealed.digest == said.digest:
            return Admission.ACCEPT, ""
        # Its commit (here the round may still be in COMMIT: a node that was just started lags behind), its
        # reveal, or the spec that names it as aggregator, may simply not be known here yet.
        early = not state.own[round_.id].prepared or round_.phase(state.now) is Phase.COMMIT
        if early or round_.committed(wallet):
            return Admission.IGNORE, "not (yet) a blob of this wallet in this round"
        raise Rejected(f"{wallet} has no part in round {round_.id}", reason="outsider")

    def _check_report(self, round_: Round, wallet: Address, data: bytes) -> None:
        report = decode_report(data)
        if report.round_id != round_.id or report.coordinator != wallet:
            raise Rejected("the report is of another round or coordinator", reason="foreign-report")
        revealed = {(item.solver, item.digest) for item in round_.reveals}
        if {(item.solver, item.digest) for item in report.scores} != revealed:
            raise Rejected(
                "the report does not score exactly the revealed deltas", reason="incomplete-report"
            )
        check_signatures(report, self._chain_id, self._contract, recover_typed)
        check_opening(report, self._chain_id, self._contract, recover_typed)


def _leads_to(address: str, peer: str) -> bool:
    try:
        return parse_address(address).peer_id == peer
    except Rejected:
        return False


def peer_fact(envelope: Envelope, report: Digest | None) -> PeerFact | None:
    """The fact an admitted message is; None for an announcement.

    `report` is the digest under which a message's score report was stored.
    """
    wallet = envelope.binding.wallet
    match envelope.body:
        case SayScores() as said if report is not None:
            return PeerScored(said.round_id, wallet, report)
        case SayCommitment() as said:
            return PeerCommitted(said.round_id, wallet, said.commitment, said.signature)
        case SaySheet() as said:
            return PeerSheet(said.round_id, wallet, said.sheet)
        case SayResult() as said:
            return PeerResult(said.round_id, wallet, said.sheet, said.improvement, said.signature)
    return None
