"""What is due, read off the state: one function a role. Pure; the caller removes what was handed out before.

A round on the clock of confirmed blocks (P proposer, S solver, C coordinator, A aggregator):

    COMMIT      GAP            REVEAL               VERIFY                       CHALLENGE   SETTLEABLE
    S train     P beacon       S reveal, publish    C,A score; C publish         P keep      P settle
    S commit    P unseal                            A sheet; C check and sign                S,C claim
                                                    A record                                 P withdraw
Whoever is late is replaced: every other role takes over a duty open to anyone after `COURTESY` seconds.
"""

from __future__ import annotations

from collections.abc import Iterator

from jepanet.protocol import duties
from jepanet.protocol.state import NodeState, Project, Round, Status
from jepanet.types import TERMINAL_PHASES, Address, Phase, Role

COURTESY = 15
"""Seconds others leave to the role that owns a duty before they do it themselves."""
REPEAT = 6
"""Seconds between repetitions of a gossip message while its phase lasts: gossip loses messages."""
MAX_REPEATS = 50
CLAIM_DURATION = 90 * 24 * 3600
"""Seconds after a settlement in which claims are open: `TrainingRounds.CLAIM_DURATION`."""
_AFTER_REVEAL = (Phase.VERIFY, Phase.CHALLENGE, Phase.DISPUTED, Phase.SETTLEABLE, Phase.CANCELLABLE)


def project_duties(state: NodeState, project: Project) -> Iterator[duties.Duty]:
    """Proposer: the next round, once the last one ended and as long as more rounds are wanted."""
    me = state.me
    if Role.PROPOSER not in me.roles or project.owner != me.address or project.active is not None:
        return
    if project.rounds < me.rounds_to_play:
        yield duties.OpenRound(project.id, project.rounds + 1)


def round_duties(state: NodeState, round_: Round) -> Iterator[duties.Duty]:
    """Every duty of this node in this round at the current block, handed out before or not."""
    if state.block is None:
        return
    phase = round_.phase(state.now)
    roles = state.me.roles
    if Role.SOLVER in roles:
        yield from _solver(state, round_, phase)
    if Role.COORDINATOR in roles and state.me.address in state.members(round_):
        yield from _coordinator(state, round_, phase)
    if Role.AGGREGATOR in roles:
        yield from _aggregator(state, round_, phase)
    yield from _anyone(state, round_, phase)
    yield from _own_exit(state, round_, phase)


def _solver(state: NodeState, round_: Round, phase: Phase) -> Iterator[duties.Duty]:
    me = state.me.address
    if me in state.members(round_):
        return  # a verifier of this round may not train in it
    if phase is Phase.COMMIT and not round_.committed(me):
        full = round_.params.max_solvers and len(round_.commits) >= round_.params.max_solvers
        if not full:
            yield duties.PrepareRound(round_.id)
            if round_.prepared and round_.sealed is None:
                yield duties.TrainShard(round_.id)
            if round_.sealed is not None:
                yield duties.SendCommit(round_.id)
    if round_.sealed is None:
        return
    if phase is Phase.REVEAL and round_.committed(me) and round_.reveal_of(me) is None:
        yield duties.SendReveal(round_.id)
    # The reveal is confirmed: from here on the digest is public and copying it is useless.
    if round_.reveal_of(me) is not None and round_.status is Status.OPEN and round_.recorded is None:
        lasts = round_.params.reveal_duration + round_.params.verify_duration
        yield duties.PublishDelta(round_.id, _repeat(state, round_.reveal_start, lasts))


def _coordinator(state: NodeState, round_: Round, phase: Phase) -> Iterator[duties.Duty]:
    if phase in (Phase.COMMIT, Phase.GAP, Phase.REVEAL, Phase.VERIFY):
        yield duties.PrepareRound(round_.id)
    if phase is not Phase.VERIFY or not round_.prepared:
        return
    yield duties.ScoreDeltas(round_.id)
    if round_.own_scores is None:
        return
    yield duties.PublishScores(round_.id, _repeat(state, round_.reveal_end, round_.params.verify_duration))
    if round_.own_result is None:
        for (sender, sheet), heard_at in zip(round_.sheets, round_.sheets_at, strict=True):
            if state.now >= max(round_.reveal_end, heard_at) + _patience(state, round_, sender):
                yield duties.CheckSheet(round_.id, sheet)
    else:
        yield duties.PublishResult(
            round_.id, _repeat(state, round_.reveal_end, round_.params.verify_duration)
        )


def _aggregator(state: NodeState, round_: Round, phase: Phase) -> Iterator[duties.Duty]:
    if phase in (Phase.COMMIT, Phase.GAP, Phase.REVEAL, Phase.VERIFY):
        yield duties.PrepareRound(round_.id)
    if phase is not Phase.VERIFY or not round_.prepared or not state.may_propose(round_, state.me.address):
        return  # the others refuse a sheet of somebody the spec does not name
    yield duties.ScoreDeltas(round_.id)
    if round_.own_scores is None:
        return
    if round_.own_sheet is None:
        heard = len(round_.scores)
        late = state.now >= round_.reveal_end + round_.params.verify_duration // 3
        if heard == len(state.members(round_)) or (late and heard >= state.threshold(round_)):
            yield duties.BuildSheet(round_.id)
        return
    yield duties.PublishSheet(round_.id, _repeat(state, round_.reveal_end, round_.params.verify_duration))
    if _signatures(round_, round_.own_sheet) >= state.threshold(round_):
        yield duties.SendRecord(round_.id, round_.own_sheet)


def _anyone(state: NodeState, round_: Round, phase: Phase) -> Iterator[duties.Duty]:
    """Duties the contract leaves open to anyone: the proposer's first, everybody's after a courtesy."""
    now = state.now
    mine = round_.proposer == state.me.address and Role.PROPOSER in state.me.roles
    wait = 0 if mine else COURTESY

    if mine and phase is Phase.COMMIT:
        lasts = round_.params.commit_duration
        yield duties.AnnounceRound(round_.id, _repeat(state, round_.opened_at, lasts))
    if phase in (Phase.GAP, Phase.REVEAL) and round_.commits:
        # Not in the block that closed COMMIT: whoever fills the last place must not pick the beacon's block.
        if round_.beacon is None and now > round_.commit_end + wait:
            yield duties.DrawBeacon(round_.id)
        if mine and round_.evaluation_index is not None and round_.shard is None:
            yield duties.UnsealShard(round_.id, round_.evaluation_index)
    if phase in _AFTER_REVEAL and now >= round_.reveal_end + wait:
        # As a set: a round without a cap on solvers must not cost the square of their number at every block.
        spared = {state.me.address, *round_.slashed, *(item.solver for item in round_.reveals)}
        for commit in round_.commits:
            if commit.solver not in spared:
                yield duties.SlashNonReveal(round_.id, commit.solver)
    if phase in _AFTER_REVEAL:
        for item in round_.others:
            if item.coordinator not in round_.slashed:
                yield duties.SlashEquivocation(round_.id, item.coordinator, item.sheet, item.improvement)
    if phase is Phase.CANCELLABLE and now >= _cancellable_since(round_) + wait:
        yield duties.SendCancel(round_.id)
    if mine and phase in (Phase.CHALLENGE, Phase.DISPUTED, Phase.SETTLEABLE):
        yield duties.KeepRound(round_.id)
    if mine and phase is Phase.SETTLED:
        yield duties.SlashInvalid(round_.id)
    if phase is Phase.SETTLEABLE and round_.recorded and now >= round_.recorded.challenge_end + wait:
        yield duties.SendSettle(round_.id)
    if phase is Phase.VERIFY and Role.COORDINATOR in state.me.roles and round_.own_result is not None:
        sheet = round_.own_result.sheet
        enough = _signatures(round_, sheet) >= state.threshold(round_)
        if enough and now >= round_.reveal_end + 2 * COURTESY:
            yield duties.SendRecord(round_.id, sheet)


def _own_exit(state: NodeState, round_: Round, phase: Phase) -> Iterator[duties.Duty]:
    """What an ended round owes to this account, whatever roles its node has now."""
    if phase not in TERMINAL_PHASES:
        return
    me = state.me.address
    proposed = round_.proposer == me
    entitled = round_.reveal_of(me) is not None and me not in round_.slashed
    claims_over = phase is Phase.SETTLED and state.now >= round_.ended_at + CLAIM_DURATION
    if phase is Phase.SETTLED and not claims_over and (entitled or me in state.members(round_)):
        yield duties.SendClaim(round_.id)
    if entitled and (claims_over or phase is Phase.CANCELLED):
        yield duties.ReleaseBond(round_.id)
    if proposed:
        yield duties.WithdrawCredit(round_.id)
        if claims_over:
            yield duties.SweepRound(round_.id)


def _patience(state: NodeState, round_: Round, sender: Address) -> int:
    """Seconds a sheet waits for one of lower rank: the spec's aggregators in order, then the verifiers.

    Several are often proposed at once, and a verifier signs only one: this gathers the signatures on one
    sheet. Counted from when the sheet was heard, for sheets appear long after VERIFY began. A third of VERIFY
    at most, so that the last in line can still be recorded.
    """
    order = (*round_.aggregators, *state.members(round_))
    rank = order.index(sender) if sender in order else len(order)
    return min(rank * COURTESY, round_.params.verify_duration // 3)


def _signatures(round_: Round, sheet: bytes) -> int:
    """Signatures the contract will count: those of a slashed verifier void the whole record."""
    return sum(1 for item in round_.results if item.sheet == sheet and item.coordinator not in round_.slashed)


def _repeat(state: NodeState, since: int, lasts: int) -> int:
    """Number of the repetition that is due: every `REPEAT` seconds, but at most `MAX_REPEATS` in a phase."""
    interval = max(REPEAT, lasts // MAX_REPEATS)
    return min(max(0, state.now - since) // interval, MAX_REPEATS)


def _cancellable_since(round_: Round) -> int:
    if not round_.commits:
        return round_.commit_end
    if round_.shard is None or not round_.reveals:
        return round_.reveal_end
    return round_.verify_end
