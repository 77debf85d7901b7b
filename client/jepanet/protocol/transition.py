"""The rules of a round: `transition(state, fact) -> (state, duties)`.

No clock, no randomness, no I/O: time arrives as confirmed blocks. A step has two halves. `_absorb` folds one
fact into the state. `jepanet.protocol.due` then reads the state and says what is due; a duty is handed out
once (`Round.issued`), and from then on the outbox keeps it until it is done, whatever crashes.

      fact ──▶ _absorb ──▶ state ──▶ what is due ──▶ duties not handed out before
"""

from __future__ import annotations

from dataclasses import replace

from jepanet.protocol import facts
from jepanet.protocol.due import project_duties, round_duties
from jepanet.protocol.duties import Duty, duty_key
from jepanet.protocol.state import (
    KEPT_OTHERS,
    KEPT_ROUNDS,
    Commit,
    Identity,
    NodeState,
    Project,
    Recorded,
    Reveal,
    Round,
    SignedResult,
    Status,
    VerifierSet,
)
from jepanet.types import Address, Digest, ProjectId, RoundId, SlashCause

_OWN_FAULTS = (SlashCause.NOT_REVEALED, SlashCause.INVALID, SlashCause.EQUIVOCATION, SlashCause.OVERTURNED)
"""Faults of a solver or a verifier. A challenger or proposer may be slashed and still be a solver in good
standing."""


def genesis(me: Identity) -> NodeState:
    """The state of a node that has heard nothing yet."""
    return NodeState(me=me)


def transition(state: NodeState, fact: facts.Fact) -> tuple[NodeState, tuple[Duty, ...]]:
    """One step. A fact that contradicts or repeats what is known changes nothing and asks for nothing new."""
    place = _place(fact)
    if place is not None and place <= state.cursor:
        return state, ()
    after = _absorb(state, fact)
    if after is state:
        return state, ()
    if place is not None:
        after = replace(after, cursor=place)
    asked: list[Duty] = []
    for round_id in _touched(after, fact):
        round_ = after.rounds[round_id]
        # Two roles of one node may name the same duty.
        due = {duty_key(duty): duty for duty in round_duties(after, round_)}
        new = {key: duty for key, duty in due.items() if key not in round_.issued}
        if new:
            after = _with_round(after, replace(round_, issued=round_.issued.union(new)))
            asked += new.values()
    if isinstance(fact, facts.ChainBlock):
        # By id: the order of a dictionary does not survive a snapshot.
        for _, project in sorted(after.projects.items()):
            wanted = tuple(project_duties(after, project))
            if wanted and project.asked <= project.rounds:
                after = _with_project(after, replace(project, asked=project.rounds + 1))
                asked += wanted
    return after, tuple(asked)


def _place(fact: facts.Fact) -> tuple[int, int] | None:
    """Where a log stands on the chain. Logs come in this order and at least once: it tells repetitions."""
    if isinstance(fact, facts.ChainBlock | facts.PeerFact | facts.LocalFact):
        return None
    return fact.block.number, fact.log_index


def _touched(state: NodeState, fact: facts.Fact) -> tuple[RoundId, ...]:
    """Rounds whose duties may have changed: the fact's own, or after a block every one still held."""
    if isinstance(fact, facts.ChainBlock):
        return tuple(sorted(state.rounds))
    round_id = getattr(fact, "round_id", None)
    return (round_id,) if round_id in state.rounds else ()


def _with_round(state: NodeState, round_: Round) -> NodeState:
    """The same object if nothing changed: what changes nothing need not be journaled."""
    if state.rounds.get(round_.id) is round_:
        return state
    return replace(state, rounds={**state.rounds, round_.id: round_})


def _with_project(state: NodeState, project: Project) -> NodeState:
    return replace(state, projects={**state.projects, project.id: project})


def _absorb(state: NodeState, fact: facts.Fact) -> NodeState:
    match fact:
        case facts.ChainBlock(block):
            if state.block is not None and block.number <= state.block.number:
                return state
            return _forget_old_rounds(replace(state, block=block))
        case facts.ChainVerifierSetCreated():
            known = VerifierSet(fact.members, fact.threshold)
            return replace(state, verifier_sets={**state.verifier_sets, fact.set_id: known})
        case facts.ChainProjectCreated():
            return _absorb_project(state, fact)
        case facts.ChainModelAdvanced():
            project = state.projects.get(fact.project_id)
            return _with_project(state, replace(project, model=fact.model)) if project else state
        case facts.ChainRoundOpened():
            return _absorb_opened(state, fact)
    round_ = state.rounds.get(fact.round_id)
    if round_ is None:
        return state
    match fact:
        case facts.ChainRoundSettled() | facts.ChainRoundCancelled():
            return _absorb_end(state, round_, fact)
        case facts.PeerScored() | facts.PeerSheet() | facts.PeerResult():
            return _with_round(state, _absorb_peer(state, round_, fact))
        case (
            facts.LocalRoundPrepared()
            | facts.LocalDeltaSealed()
            | facts.LocalScored()
            | facts.LocalSheetBuilt()
            | facts.LocalResultSigned()
            | facts.LocalDutyFailed()
        ):
            return _with_round(state, _absorb_local(state, round_, fact))
        case _:
            return _with_round(state, _absorb_round_event(round_, fact))


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
    return _with_project(state, project)


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
    state = _with_project(state, replace(project, rounds=project.rounds + 1, active=fact.round_id))
    return _with_round(state, round_)


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
                fact.root, fact.model, fact.sheet, fact.payout, fact.improvement, fact.challenge_end
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
        state = _with_project(state, replace(project, active=None))
    return _with_round(state, round_)


def _absorb_peer(state: NodeState, round_: Round, fact: facts.PeerFact) -> Round:
    """First word counts: one report, one sheet and one result per sender and round, so nobody can flood."""
    members = state.members(round_)
    match fact:
        case facts.PeerScored():
            heard = any(address == fact.coordinator for address, _ in round_.scores)
            if heard or fact.coordinator not in members:
                return round_
            return replace(round_, scores=(*round_.scores, (fact.coordinator, fact.scores)))
        case facts.PeerSheet():
            heard = any(address == fact.sender for address, _ in round_.sheets)
            if heard or not state.may_propose(round_, fact.sender):
                return round_
            return _with_sheet(state, round_, fact.sender, fact.sheet)
        case facts.PeerResult():
            if fact.coordinator not in members:
                return round_
            result = SignedResult(fact.coordinator, fact.sheet, fact.improvement, fact.signature)
            if any(item.coordinator == fact.coordinator for item in round_.results):
                return _with_other(state, round_, result)
            if fact.coordinator == state.me.address:
                # Signed with this key before its disk was lost: a second, different result would be slashed.
                round_ = replace(round_, own_result=result)
            return replace(round_, results=(*round_.results, result))


def _with_other(state: NodeState, round_: Round, result: SignedResult) -> Round:
    """Keeps what may prove that a verifier signed twice: another sheet, or another improvement."""
    said = [item for item in (*round_.results, *round_.others) if item.coordinator == result.coordinator]
    known = any((item.sheet, item.improvement) == (result.sheet, result.improvement) for item in said)
    if known or len(said) > KEPT_OTHERS or result.coordinator == state.me.address:
        return round_
    return replace(round_, others=(*round_.others, result))


def _with_sheet(state: NodeState, round_: Round, sender: Address, sheet: Digest) -> Round:
    return replace(round_, sheets=(*round_.sheets, (sender, sheet)), sheets_at=(*round_.sheets_at, state.now))


def _absorb_local(state: NodeState, round_: Round, fact: facts.LocalFact) -> Round:
    me: Address = state.me.address
    match fact:
        case facts.LocalRoundPrepared():
            return round_ if round_.prepared else replace(round_, prepared=True, aggregators=fact.aggregators)
        case facts.LocalDeltaSealed():
            return round_ if round_.sealed else replace(round_, sealed=fact.digest)
        case facts.LocalScored():
            if round_.own_scores:
                return round_
            round_ = replace(round_, own_scores=fact.scores)
            if me not in state.members(round_) or any(address == me for address, _ in round_.scores):
                return round_
            return replace(round_, scores=(*round_.scores, (me, fact.scores)))
        case facts.LocalSheetBuilt():
            if round_.own_sheet:
                return round_
            if not any(address == me for address, _ in round_.sheets):
                round_ = _with_sheet(state, round_, me, fact.sheet)
            return replace(round_, own_sheet=fact.sheet)
        case facts.LocalResultSigned():
            if round_.own_result or me not in state.members(round_):
                return round_
            # Never twice in `results`: hearing it back from a peer would have set `own_result`.
            result = SignedResult(me, fact.sheet, fact.improvement, fact.signature)
            return replace(round_, own_result=result, results=(*round_.results, result))
        case facts.LocalDutyFailed():
            failure = (fact.command, fact.reason)
            return round_ if failure in round_.failed else replace(round_, failed=(*round_.failed, failure))


def _forget_old_rounds(state: NodeState) -> NodeState:
    ended = sorted(key for key, item in state.rounds.items() if item.ended_at)
    if len(ended) <= KEPT_ROUNDS:
        return state
    dropped = set(ended[: len(ended) - KEPT_ROUNDS])
    return replace(state, rounds={key: item for key, item in state.rounds.items() if key not in dropped})


__all__ = ["NodeState", "ProjectId", "genesis", "transition"]
