"""Rounds and duties, from a node's state: what is open, what is due and until when, what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jepanet.metrics.metric import Metric, Samples
from jepanet.protocol.due.exit_rules import CLAIM_DURATION
from jepanet.protocol.due.view import RoundView
from jepanet.protocol.duties import ReleaseBond, SendClaim, duty_key
from jepanet.protocol.state import NodeState, Round
from jepanet.types import TERMINAL_PHASES, Digest, Phase, Role, RoundId

ROUNDS = Metric("jepanet_rounds", "Rounds that the node remembers, by phase", ("phase",))
UNSEALED = Metric(
    "jepanet_rounds_not_unsealed",
    "Rounds in REVEAL whose evaluation shard is not public yet, by whose they are",
    ("proposer",),
)
REVEAL_DUE = Metric(
    "jepanet_rounds_reveal_due", "Rounds in REVEAL that this wallet committed to and must reveal in"
)
REVEAL_LEFT = Metric(
    "jepanet_reveal_left_seconds", "Until the first such reveal comes too late; absent without one"
)
UNSIGNED = Metric(
    "jepanet_rounds_sheet_unsigned", "Rounds in VERIFY of this verifier with a sheet proposed and none signed"
)
NO_SHEET = Metric(
    "jepanet_rounds_without_sheet", "Rounds in VERIFY of this verifier without any sheet proposed"
)
CHALLENGED = Metric("jepanet_rounds_challenged", "Rounds in dispute in which this wallet has a part")
UNCLAIMED = Metric(
    "jepanet_rounds_unclaimed", "Settled rounds with something for this wallet that is not claimed"
)
CLAIMED = Metric("jepanet_rounds_claimed", "Remembered settled rounds whose claim is done")
ABORTED = Metric("jepanet_rounds_training_aborted", "Open rounds in which this node's training was aborted")
ABORTED_RECENTLY = Metric(
    "jepanet_rounds_training_aborted_recently",
    "Of the remembered rounds, those whose training was aborted here",
)
MISSING = Metric(
    "jepanet_deltas_unavailable", "Revealed deltas that this node must score in VERIFY and has not obtained"
)
SLASHED = Metric("jepanet_rounds_slashed", "Remembered rounds in which this wallet lost bond or stake")
APART = Metric(
    "jepanet_coordinators_unpaid",
    "Of remembered rounds, reports of coordinators that earn no fee, as this node found: their scores say "
    "more than was decided (over) or less (under), lie apart at the share of the merge (share), miss deltas "
    "(missed) or audits (unaudited), or were committed to late (late)",
    ("kind",),
)
DUTIES = Metric("jepanet_duties_open", "Duties in the outbox", ("duty",))
ATTEMPTS = Metric(
    "jepanet_duty_attempts",
    "Failed attempts of the open duty of a round that failed most often",
    ("duty", "round"),
)
LEFT = Metric("jepanet_duty_left_seconds", "Until the first open duty of the kind comes too late", ("duty",))
LEFT_RATIO = Metric("jepanet_duty_left_ratio", "The same, as a part of the time there was for it", ("duty",))
FAILED = Metric("jepanet_duties_failed", "Duties of open rounds that were given up", ("duty",))

METRICS: Final = (
    ROUNDS, UNSEALED, REVEAL_DUE, REVEAL_LEFT, UNSIGNED, NO_SHEET, CHALLENGED, UNCLAIMED, CLAIMED, ABORTED,
    ABORTED_RECENTLY, MISSING, SLASHED, APART, DUTIES, ATTEMPTS, LEFT, LEFT_RATIO, FAILED,
)  # fmt: skip

KINDS_APART: Final = ("over", "under", "missed", "share", "unaudited", "late")
"""Why a coordinator's report earns no fee."""
_UNTIL_COMMIT = frozenset({"TrainShard", "SendCommit"})
_UNTIL_REVEALED = frozenset({"CloseCommits", "DrawBeacon", "UnsealShard", "SendReveal"})
_UNTIL_VERIFIED = frozenset(
    {"ScoreDeltas", "OpenScores", "BuildSheet", "CheckSheet", "SignSheet", "SendRecord"}
)


@dataclass(frozen=True, slots=True)
class OpenDuty:
    """A duty of the outbox; `tag` is its class name."""

    tag: str
    round_id: RoundId | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Looking:
    """How the figures ask the node's stores: of a round, whether its training was aborted, and which
    coordinators' scores earned no fee and why; of a duty's key, whether it is done; of a digest, whether the
    file is there."""

    aborted: Callable[[RoundId], bool]
    apart: Callable[[RoundId], Sequence[tuple[str, str]]]
    done: Callable[[str], bool]
    has: Callable[[Digest], bool]


def round_samples(state: NodeState, look: Looking) -> Samples:
    """Figures of the rounds that the state holds."""
    views = [RoundView.of(state, item) for item in state.rounds.values()]
    for phase in Phase:
        if phase is not Phase.NONE:
            yield ROUNDS.at(sum(view.phase is phase for view in views), phase.name.lower())
    hidden = [view for view in views if view.phase is Phase.REVEAL and view.round.shard is None]
    yield UNSEALED.at(sum(view.proposes for view in hidden), "self")
    yield UNSEALED.at(sum(not view.proposes for view in hidden), "other")
    due = [view for view in views if _must_reveal(view)]
    yield REVEAL_DUE.at(len(due))
    if due:
        yield REVEAL_LEFT.at(min(view.round.reveal_end - view.now for view in due))
    verified = [view for view in views if view.phase is Phase.VERIFY and _verifies(view)]
    unsigned = [view for view in verified if view.has(Role.COORDINATOR) and view.own.result is None]
    yield UNSIGNED.at(sum(bool(view.off_chain.sheets) for view in unsigned))
    yield NO_SHEET.at(sum(not view.off_chain.sheets for view in unsigned))
    yield MISSING.at(sum(not look.has(item.digest) for view in verified for item in view.round.reveals))
    yield CHALLENGED.at(sum(view.phase is Phase.DISPUTED and _part(view) for view in views))
    apart = Counter(kind for view in views for _, kind in look.apart(view.round.id))
    for kind in KINDS_APART:
        yield APART.at(apart[kind], kind)
    yield SLASHED.at(sum(view.me in view.round.slashed for view in views))
    yield from _claims(views, look)
    aborted = [view for view in views if look.aborted(view.round.id)]
    yield ABORTED.at(sum(view.phase not in TERMINAL_PHASES for view in aborted))
    yield ABORTED_RECENTLY.at(len(aborted))
    failed = [item.duty for view in views if view.phase not in TERMINAL_PHASES for item in view.own.failed]
    for duty in sorted(set(failed)):
        yield FAILED.at(failed.count(duty), duty)


def _claims(views: Sequence[RoundView], look: Looking) -> Samples:
    entitled = [
        view
        for view in views
        if view.phase is Phase.SETTLED
        and view.me not in view.round.slashed
        and (view.round.reveal_of(view.me) is not None or view.me in view.members)
    ]
    open_ = [view for view in entitled if view.now < view.round.ended_at + CLAIM_DURATION]
    taken = [
        view.round.id
        for view in open_
        if look.done(duty_key(SendClaim(view.round.id))) or look.done(duty_key(ReleaseBond(view.round.id)))
    ]
    yield UNCLAIMED.at(len(open_) - len(taken))
    yield CLAIMED.at(len(taken))


def _must_reveal(view: RoundView) -> bool:
    mine = view.round.committed(view.me) and view.round.reveal_of(view.me) is None
    return view.phase is Phase.REVEAL and mine


def _verifies(view: RoundView) -> bool:
    as_member = view.has(Role.COORDINATOR) and view.me in view.members
    return as_member or (view.has(Role.AGGREGATOR) and view.state.may_propose(view.round, view.me))


def _part(view: RoundView) -> bool:
    return view.proposes or view.round.committed(view.me) or view.me in view.members


def duty_samples(state: NodeState, open_duties: Iterable[OpenDuty]) -> Samples:
    """Figures of the outbox; a duty that nothing makes late, or that is only repeated, has no deadline."""
    by_tag: dict[str, list[OpenDuty]] = {}
    for item in open_duties:
        by_tag.setdefault(item.tag, []).append(item)
    for tag, duties in sorted(by_tag.items()):
        yield DUTIES.at(len(duties), tag)
        most: dict[RoundId | None, int] = {}
        for item in duties:
            most[item.round_id] = max(item.attempts, most.get(item.round_id, 0))
        for round_id, attempts in most.items():
            yield ATTEMPTS.at(attempts, tag, "" if round_id is None else str(round_id))
        windows = [window for item in duties if (window := _window(tag, item, state.rounds)) is not None]
        if windows:
            begin, end = min(windows, key=lambda window: window[1])
            yield LEFT.at(end - state.now, tag)
            yield LEFT_RATIO.at((end - state.now) / max(1, end - begin), tag)


def _window(tag: str, duty: OpenDuty, rounds: Mapping[RoundId, Round]) -> tuple[int, int] | None:
    """From when until when a duty can be done, in seconds of the chain."""
    round_ = None if duty.round_id is None else rounds.get(duty.round_id)
    if round_ is None:
        return None
    if tag in _UNTIL_COMMIT:
        return round_.opened_at, round_.commit_end
    if tag in _UNTIL_REVEALED:
        return round_.commit_end, round_.reveal_end
    if tag in _UNTIL_VERIFIED:
        return round_.reveal_end, round_.verify_end
    return None
