"""What happens in a round, in lines for people."""

from __future__ import annotations

import time

from jepanet.interface.terminal.layout import printable, shortened
from jepanet.operations.auditing.happenings import phase_end
from jepanet.operations.views.node import Work
from jepanet.operations.views.watching import (
    Committed,
    Earned,
    FeeEarned,
    Happening,
    Measured,
    Merged,
    PhaseBegan,
    ResultRecorded,
    Revealed,
    RewardKnown,
    SeenRound,
)
from jepanet.tokens import tokens
from jepanet.types import Address

_MEANINGS = {
    "commit": "solvers train and commit",
    "gap": "the evaluation shard is drawn",
    "reveal": "solvers reveal their deltas",
    "verify": "coordinators measure and merge",
    "challenge": "anybody may dispute the result",
    "disputed": "the arbiter decides",
    "settleable": "anybody may settle it now",
    "cancellable": "anybody may cancel it now",
    "settled": "what was earned can be claimed",
}
_CLAIMS = {
    None: "not claimed yet",
    "pending": "being claimed",
    "done": "claimed",
    "rejected": "claim refused",
}


def line_of(item: Happening, me: Address | None, now: float) -> str:
    """A line of at most 70 characters or so. `me`: the account of the node that is asked; `now`: seconds of
    Unix."""
    match item:
        case PhaseBegan():
            ends = "" if item.ends is None or item.ends < now + 1 else f", {left(item.ends, now)} at most"
            meaning = item.cause or _MEANINGS.get(item.phase, "")
            text = f"Round {item.round}: {item.phase.upper()}{ends}{': ' if meaning else ''}{meaning}"
        case Committed():
            text = f"  {_who(item.solver, me)} has committed"
        case Revealed():
            text = f"  {_who(item.solver, me)} has revealed its delta"
        case Measured():
            row = item.row
            why = f" ({row.reason})" if row.reason not in ("", row.verdict) else ""
            text = (
                f"  {_who(item.coordinator, me)} measured {_who(row.solver, me)}: {row.verdict}{why}, "
                f"{row.gain:,} ± {row.stderr:,} micro-nats"
            )
        case ResultRecorded():
            paid = tokens(item.payout)
            text = f"  the merged model gains {item.improvement:,} micro-nats, {paid} tokens are paid"
        case Merged():
            became = "the next one" if item.published else "withheld"
            text = f"  the merged model is {became}{': ' if item.note else ''}{item.note}"
        case Earned():
            text = f"  {_who(item.words.solver, me)} earned {tokens(item.words.paid)} tokens"
        case FeeEarned():
            text = f"  {_who(item.fee.coordinator, me)} earned a fee of {tokens(item.fee.paid)} tokens"
        case RewardKnown():
            reward = item.reward
            claim = _CLAIMS.get(reward.claim, reward.claim)
            text = f"  this node, as {reward.part}: {tokens(reward.paid or 0)} tokens, {claim}"
    return printable(shortened(text))


def standing(seen: SeenRound, work: Work | None, now: float) -> str:
    """Where the round stands, for a line that is written anew every second."""
    summary, ends = seen.figures.summary, phase_end(seen.schedule)
    parts = [f"round {summary.round}", summary.phase.upper()]
    if ends is not None:
        parts.append(f"{left(ends, now)} left")
    parts.append(f"{summary.commits} committed, {summary.reveals} revealed")
    if work is not None:
        parts.append(work.job if work.step is None else f"{work.job} {work.step}/{work.steps}")
    return printable(" · ".join(parts))


def left(until: int, now: float) -> str:
    """Minutes and seconds, or hours and minutes; never less than nothing."""
    seconds = max(0, round(until - now))
    if seconds < 3600:
        return f"{seconds // 60}:{seconds % 60:02d}"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


def clock(now: float) -> str:
    """The time of day here."""
    return time.strftime("%H:%M:%S", time.localtime(now))


def _who(account: Address, me: Address | None) -> str:
    return "this node" if account == me else account
