"""What the contract leaves open to anyone: the proposer's first, everybody's after a courtesy.

Beside it, what the proposer alone can do for its round.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from jepanet.protocol import duties
from jepanet.protocol.due.view import COURTESY, RoundView
from jepanet.protocol.state import Round
from jepanet.types import Phase, Role

SLASHED_AT_ONCE = 8
"""Missing reveals of a round that are reported before the next ones are."""
_AFTER_REVEAL = (Phase.VERIFY, Phase.CHALLENGE, Phase.DISPUTED, Phase.SETTLEABLE, Phase.CANCELLABLE)


def everybody(view: RoundView) -> bool:
    return True


def announce(view: RoundView) -> Iterator[duties.Duty]:
    if view.proposes and view.phase is Phase.COMMIT:
        lasts = view.round.params.commit_duration
        yield duties.AnnounceRound(view.round.id, view.repeat(view.round.opened_at, lasts))


def close_commits(view: RoundView) -> Iterator[duties.Duty]:
    round_ = view.round
    fixed = round_.beacon_block is not None or round_.beacon is not None
    if _between_commit_and_verify(view) and not fixed and view.now >= round_.commit_end + view.wait:
        yield duties.CloseCommits(round_.id)


def draw_beacon(view: RoundView) -> Iterator[duties.Duty]:
    """Once the fixed block is confirmed: its header is then the chain's for good."""
    round_ = view.round
    fixed, ready = round_.beacon_block, round_.beacon_ready_at
    if not _between_commit_and_verify(view) or round_.beacon is not None or fixed is None or not ready:
        return
    if view.now >= ready + view.wait:
        yield duties.DrawBeacon(round_.id, fixed)


def unseal(view: RoundView) -> Iterator[duties.Duty]:
    index = view.round.evaluation_index
    if _between_commit_and_verify(view) and view.proposes and index is not None and view.round.shard is None:
        yield duties.UnsealShard(view.round.id, index)


def _between_commit_and_verify(view: RoundView) -> bool:
    return view.phase in (Phase.GAP, Phase.REVEAL) and bool(view.round.commits)


def slash_non_reveal(view: RoundView) -> Iterator[duties.Duty]:
    """So many at a time, of a round that this account has a part in: each is a transaction, and what is
    urgent would wait behind those of a thousand. A bond that nobody opens or reports is never released."""
    round_ = view.round
    due = view.phase in _AFTER_REVEAL and view.now >= round_.reveal_end + view.wait
    if not due or not view.state.has_part_in(round_):
        return
    # As a set: a round without a cap on solvers must not cost the square of their number at every block.
    spared = {view.me, *round_.slashed, *(item.solver for item in round_.reveals)}
    silent = (commit.solver for commit in round_.commits if commit.solver not in spared)
    for solver in islice(silent, SLASHED_AT_ONCE):
        yield duties.SlashNonReveal(round_.id, solver)


def slash_equivocation(view: RoundView) -> Iterator[duties.Duty]:
    if view.phase not in _AFTER_REVEAL:
        return
    for item in view.off_chain.conflicting:
        if item.coordinator not in view.round.slashed:
            yield duties.SlashEquivocation(view.round.id, item.coordinator, item.sheet, item.improvement)


def cancel(view: RoundView) -> Iterator[duties.Duty]:
    """Nobody is paid for it: whoever something is tied up of in the round, as in `settle`."""
    due = view.phase is Phase.CANCELLABLE and view.now >= _cancellable_since(view.round) + view.wait
    if due and view.state.has_part_in(view.round):
        yield duties.SendCancel(view.round.id)


def _cancellable_since(round_: Round) -> int:
    if not round_.commits:
        return round_.commit_end
    if round_.shard is None or not round_.reveals:
        return round_.reveal_end
    return round_.verify_end


def keep(view: RoundView) -> Iterator[duties.Duty]:
    if view.proposes and view.phase in (Phase.CHALLENGE, Phase.DISPUTED, Phase.SETTLEABLE):
        yield duties.KeepRound(view.round.id)


def slash_invalid(view: RoundView) -> Iterator[duties.Duty]:
    """The proposer, then the round's coordinators one after the other: junk may be the proposer's own."""
    if view.phase is not Phase.SETTLED:
        return
    due = view.proposes
    if not due and view.has(Role.COORDINATOR) and view.me in view.members:
        turn = 1 + view.members.index(view.me)
        due = view.now >= view.round.ended_at + turn * COURTESY
    if due:
        yield duties.SlashInvalid(view.round.id)


def settle(view: RoundView) -> Iterator[duties.Duty]:
    recorded = view.round.recorded
    due = view.phase is Phase.SETTLEABLE and recorded and view.now >= recorded.challenge_end + view.wait
    if due and view.state.has_part_in(view.round):
        yield duties.SendSettle(view.round.id)


def record(view: RoundView) -> Iterator[duties.Duty]:
    """Coordinator: the sheet it signed, when no aggregator has recorded it."""
    signed = view.own.result
    if view.phase is not Phase.VERIFY or not view.has(Role.COORDINATOR) or signed is None:
        return
    late = view.now >= view.round.reveal_end + 2 * COURTESY
    if late and view.signatures(signed.sheet) >= view.threshold:
        yield duties.SendRecord(view.round.id, signed.sheet)
