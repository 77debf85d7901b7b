"""What a fact changes in the state, and nothing about what is due then.

The chain's facts are taken as they are: the contract's own checks made them possible. Of peers and of this
node's handlers the first answer counts. Where a fact changes nothing, the same object is returned: such a
fact need not be journaled.
"""

from __future__ import annotations

from dataclasses import replace

from jepanet.protocol import facts
from jepanet.protocol.documents.openings import MOST_OF_ONE, HeardCommitment
from jepanet.protocol.state import (
    KEPT_CONFLICTING,
    KEPT_OF_PROJECT,
    KEPT_ROUNDS,
    CheckedSheet,
    Commit,
    FailedDuty,
    NodeState,
    OffChain,
    Own,
    Project,
    ProposedSheet,
    Recorded,
    Reveal,
    Round,
    SignedResult,
    SignedScores,
    Status,
    VerifierSet,
)
from jepanet.types import Address, BlockRef, Digest, SlashCause

_OWN_FAULTS = (SlashCause.NOT_REVEALED, SlashCause.INVALID, SlashCause.EQUIVOCATION, SlashCause.OVERTURNED)
"""Faults of a solver or a verifier. A challenger or proposer may be slashed and still be a solver in good
standing."""


def absorb(state: NodeState, fact: facts.Fact) -> NodeState:
    match fact:
        case facts.ChainBlock(block):
            if state.block is not None and block.number <= state.block.number:
                return state
            return _forget_old_rounds(_ready_beacons(replace(state, block=block), block))
        case facts.ChainVerifierSetCreated():
            known = VerifierSet(fact.members, fact.threshold)
            return replace(state, verifier_sets={**state.verifier_sets, fact.set_id: known})
        case facts.ChainProjectCreated():
            return _absorb_project(state, fact)
        case facts.ChainModelAdvanced():
            project = state.projects.get(fact.project_id)
            return state.with_project(replace(project, model=fact.model)) if project else state
        case facts.ChainRoundOpened():
            return _absorb_opened(state, fact)
    round_ = state.rounds.get(fact.round_id)
    if round_ is None:
        return state
    match fact:
        case facts.ChainRoundSettled() | facts.ChainRoundCancelled():
            return _absorb_end(state, round_, fact)
        case facts.PeerScored() | facts.PeerCommitted() | facts.PeerSheet() | facts.PeerResult():
            return _absorb_peer(state, round_, fact)
        case (
            facts.LocalRoundPrepared()
            | facts.LocalDeltaSealed()
            | facts.LocalScored()
            | facts.LocalScoresOpened()
            | facts.LocalSheetBuilt()
            | facts.LocalSheetChecked()
            | facts.LocalResultSigned()
            | facts.LocalDutyFailed()
        ):
            return _absorb_local(state, round_, fact)
        case _:
            return state.with_round(_absorb_round_event(round_, fact))


def _ready_beacons(state: NodeState, block: BlockRef) -> NodeState:
    """Notes of every round whether the block that will draw its shard is there."""
    for round_ in state.rounds.values():
        awaited = round_.beacon is None and not round_.beacon_ready_at and not round_.ended_at
        if awaited and round_.beacon_block is not None and block.number >= round_.beacon_block:
            state = state.with_round(replace(round_, beacon_ready_at=block.timestamp))
    return state


def _absorb_project(state: NodeState, fact: facts.ChainProjectCreated) -> NodeState:
    if fact.project_id in state.projects:
        return state
    wanted = state.me.projects
    if wanted and fact.project_id not in wanted:
        return state
    project = Project(
        id=fact.project_id,
        owner=fact.owner,
        recipe=fact.recipe,
        dataset=fact.dataset,
        model=fact.model,
        evaluation_root=fact.evaluation_root,
        evaluation_count=fact.evaluation_count,
        verifier_set=fact.verifier_set,
        metadata=fact.metadata,
    )
    return state.with_project(project)


def _absorb_opened(state: NodeState, fact: facts.ChainRoundOpened) -> NodeState:
    project = state.projects.get(fact.project_id)
    if project is None or fact.round_id in state.rounds:
        return state
    round_ = Round(
        id=fact.round_id,
        project_id=fact.project_id,
        proposer=fact.proposer,
        params=fact.params,
        base=fact.base,
        verifier_set=fact.verifier_set,
        seed=fact.seed,
        opened_at=fact.block.timestamp,
        commit_end=fact.commit_end,
    )
    state = state.with_project(replace(project, rounds=project.rounds + 1, active=fact.round_id))
    state = state.with_own(fact.round_id, Own())
    state = state.with_off_chain(fact.round_id, OffChain())
    return state.with_round(round_)


def _absorb_round_event(round_: Round, fact: facts.ChainFact) -> Round:
    """Events that change one open round. The contract's own checks made them possible, so they are facts."""
    match fact:
        case facts.ChainCommitted():
            if round_.committed(fact.solver):
                return round_
            return replace(
                round_, commits=(*round_.commits, Commit(fact.solver, fact.commitment, fact.index))
            )
        case facts.ChainCommitsClosed():
            return replace(round_, commit_end=min(round_.commit_end, fact.at))
        case facts.ChainBeaconFixed():
            return replace(round_, beacon_block=fact.block_number, beacon_ready_at=0)
        case facts.ChainBeaconDrawn():
            return replace(round_, beacon=fact.beacon, evaluation_index=fact.index)
        case facts.ChainShardUnsealed():
            return replace(round_, shard=fact.shard, blinding=fact.blinding)
        case facts.ChainRevealed():
            if round_.reveal_of(fact.solver):
                return round_
            return replace(round_, reveals=(*round_.reveals, Reveal(fact.solver, fact.digest, fact.salt)))
        case facts.ChainRevealsClosed():
            return replace(round_, reveals_closed_at=fact.at)
        case facts.ChainTrainingRecorded():
            recorded = Recorded(
                root=fact.root,
                model=fact.model,
                sheet=fact.sheet,
                payout=fact.payout,
                improvement=fact.improvement,
                challenge_end=fact.challenge_end,
                extension=fact.extension,
                signers=fact.signers,
            )
            return replace(round_, recorded=recorded, recorded_at=fact.block.timestamp)
        case facts.ChainChallenged():
            return replace(round_, status=Status.DISPUTED, disputed_at=fact.block.timestamp)
        case facts.ChainResolved(overturned=False):
            return replace(round_, status=Status.OPEN)
        case facts.ChainBondSlashed(cause=cause) if cause in _OWN_FAULTS:
            return replace(round_, slashed=(*round_.slashed, fact.account))
        case _:
            return round_


def _absorb_end(
    state: NodeState, round_: Round, fact: facts.ChainRoundSettled | facts.ChainRoundCancelled
) -> NodeState:
    if isinstance(fact, facts.ChainRoundSettled):
        round_ = replace(round_, status=Status.SETTLED, ended_at=fact.block.timestamp)
    else:
        round_ = replace(
            round_, status=Status.CANCELLED, cancel_cause=fact.cause, ended_at=fact.block.timestamp
        )
    project = state.projects.get(round_.project_id)
    if project is not None and project.active == round_.id:
        state = state.with_project(replace(project, active=None))
    return state.with_round(round_)


def _absorb_peer(state: NodeState, round_: Round, fact: facts.PeerFact) -> NodeState:
    """The first of each kind counts: scores, one sheet and one result of a sender, so none can flood."""
    members, off_chain = state.members(round_), state.off_chain[round_.id]
    match fact:
        case facts.PeerScored():
            known = any(item.coordinator == fact.coordinator for item in off_chain.scores)
            if known or fact.coordinator not in members:
                return state
            return _add_scores(state, round_, SignedScores(fact.coordinator, fact.scores, state.now))
        case facts.PeerCommitted():
            return _add_commitment(state, round_, fact)
        case facts.PeerSheet():
            known = any(item.sender == fact.sender for item in off_chain.sheets)
            if known or not state.may_propose(round_, fact.sender):
                return state
            return _add_sheet(state, round_, fact.sender, fact.sheet)
        case facts.PeerResult():
            if fact.coordinator not in members:
                return state
            result = SignedResult(fact.coordinator, fact.sheet, fact.improvement, fact.signature, state.now)
            if any(item.coordinator == fact.coordinator for item in off_chain.results):
                return _add_conflicting(state, round_, result)
            if fact.coordinator == state.me.address:
                # Signed with this key before its disk was lost: a second, different result would be slashed.
                state = state.with_own(round_.id, replace(state.own[round_.id], result=result))
            return _add_result(state, round_, result)


def _add_scores(state: NodeState, round_: Round, scores: SignedScores) -> NodeState:
    off_chain = state.off_chain[round_.id]
    return state.with_off_chain(round_.id, replace(off_chain, scores=(*off_chain.scores, scores)))


def _add_commitment(state: NodeState, round_: Round, fact: facts.PeerCommitted) -> NodeState:
    """Keeps a commitment that came in time, and a second one of the same verifier, which speaks against it.

    By this node's clock: whoever commits later may have read what others have opened meanwhile.
    """
    off_chain, who = state.off_chain[round_.id], fact.coordinator
    if who == state.me.address or who not in state.members(round_):
        return state
    of_it = [item.commitment for item in off_chain.commitments if item.coordinator == who]
    late = state.now >= round_.scores_committed_until
    if late or fact.commitment in of_it or len(of_it) >= MOST_OF_ONE:
        return state
    heard = HeardCommitment(who, fact.commitment, fact.signature)
    return state.with_off_chain(round_.id, replace(off_chain, commitments=(*off_chain.commitments, heard)))


def _add_sheet(state: NodeState, round_: Round, sender: Address, sheet: Digest) -> NodeState:
    off_chain, proposed = state.off_chain[round_.id], ProposedSheet(sender, sheet, state.now)
    return state.with_off_chain(round_.id, replace(off_chain, sheets=(*off_chain.sheets, proposed)))


def _add_result(state: NodeState, round_: Round, result: SignedResult) -> NodeState:
    off_chain = state.off_chain[round_.id]
    return state.with_off_chain(round_.id, replace(off_chain, results=(*off_chain.results, result)))


def _add_conflicting(state: NodeState, round_: Round, result: SignedResult) -> NodeState:
    """Keeps what may prove that a verifier signed twice: another sheet, or another improvement."""
    off_chain, who = state.off_chain[round_.id], result.coordinator
    earlier = [item for item in (*off_chain.results, *off_chain.conflicting) if item.coordinator == who]
    known = any((item.sheet, item.improvement) == (result.sheet, result.improvement) for item in earlier)
    if known or len(earlier) > KEPT_CONFLICTING or who == state.me.address:
        return state
    return state.with_off_chain(round_.id, replace(off_chain, conflicting=(*off_chain.conflicting, result)))


def _absorb_local(state: NodeState, round_: Round, fact: facts.LocalFact) -> NodeState:
    """The first answer of a handler counts, also if it is run again after a crash."""
    me, own, off_chain = state.me.address, state.own[round_.id], state.off_chain[round_.id]
    match fact:
        case facts.LocalRoundPrepared():
            if not own.prepared:
                own = replace(own, prepared=True, aggregators=fact.aggregators)
        case facts.LocalDeltaSealed():
            if own.sealed is None:
                own = replace(own, sealed=fact.digest)
        case facts.LocalScored():
            if own.scores is not None:
                return state
            own = replace(own, scores=fact.scores, committed=fact.committed)
            if fact.committed:
                return state.with_own(round_.id, own)
            if me in state.members(round_) and all(item.coordinator != me for item in off_chain.scores):
                state = _add_scores(state, round_, SignedScores(me, fact.scores, state.now))
        case facts.LocalScoresOpened():
            if own.opened is not None or me not in state.members(round_):
                return state
            own = replace(own, opened=fact.scores)
            if all(item.coordinator != me for item in off_chain.scores):
                state = _add_scores(state, round_, SignedScores(me, fact.scores, state.now))
        case facts.LocalSheetBuilt():
            if own.sheet is not None:
                return state
            own = replace(own, sheet=fact.sheet)
            if all(item.sender != me for item in off_chain.sheets):
                state = _add_sheet(state, round_, me, fact.sheet)
        case facts.LocalSheetChecked():
            own = _with_checked(own, CheckedSheet(fact.sheet, fact.improvement, state.now))
        case facts.LocalResultSigned():
            if own.result is not None or me not in state.members(round_):
                return state
            # Never twice in `results`: the same from a peer would have set `own.result`.
            result = SignedResult(me, fact.sheet, fact.improvement, fact.signature, state.now)
            own = replace(own, result=result)
            state = _add_result(state, round_, result)
        case facts.LocalDutyFailed():
            own = _with_failed(own, fact)
    return state.with_own(round_.id, own)


def _with_checked(own: Own, checked: CheckedSheet) -> Own:
    if any(item.sheet == checked.sheet for item in own.checked):
        return own
    return replace(own, checked=(*own.checked, checked))


def _with_failed(own: Own, fact: facts.LocalDutyFailed) -> Own:
    failed = FailedDuty(fact.command, fact.reason)
    if failed not in own.failed:
        own = replace(own, failed=(*own.failed, failed))
    if fact.sheet is not None and fact.sheet not in own.refused:
        own = replace(own, refused=(*own.refused, fact.sheet))
    return own


def _forget_old_rounds(state: NodeState) -> NodeState:
    ended = sorted(key for key, item in state.rounds.items() if item.ended_at)
    if len(ended) <= KEPT_ROUNDS:
        return state
    older = ended[: len(ended) - KEPT_ROUNDS]
    dropped = set(older)
    # What they owe, or are owed, is due after their end: strangers' rounds must not close it.
    dropped.difference_update([key for key in older if state.has_part_in(state.rounds[key])][-KEPT_ROUNDS:])
    for project_id in {item.project_id for item in state.rounds.values() if not item.ended_at}:
        of_it = [key for key in ended if state.rounds[key].project_id == project_id]
        dropped.difference_update(of_it[-KEPT_OF_PROJECT:])
    return replace(
        state,
        rounds={key: item for key, item in state.rounds.items() if key not in dropped},
        own={key: item for key, item in state.own.items() if key not in dropped},
        off_chain={key: item for key, item in state.off_chain.items() if key not in dropped},
    )
