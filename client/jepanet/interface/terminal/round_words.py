"""What happens in a round, in lines for people."""

from __future__ import annotations

import time

from jepanet.interface.terminal.layout import printable, shortened
from jepanet.operations.auditing.happenings import phase_end
from jepanet.operations.receipts.fee_receipts import NO_FEE
from jepanet.operations.views.activity import TrainingNow
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
    ShardDrawn,
    ShardUnsealed,
)
from jepanet.tokens import tokens
from jepanet.types import Address

_MEANINGS = {
    "commit": "solvers train and commit",
    "gap": "commits are closed; a shard will be drawn",
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
_JOBS = {"train_delta": "trains", "score_deltas": "measures"}
"""By the worker's name of a job."""
_NAMED = 3
"""Solvers that a line names; of more it gives the number."""


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
        case ShardDrawn():
            text = "  the evaluation shard is drawn; its proposer has to unseal it"
        case ShardUnsealed():
            text = "  the evaluation shard is unsealed: the deltas can be measured"
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
            text = f"  the merge gains {item.improvement:,} micro-nats; {paid} tokens paid, fees included"
        case Merged():
            became = "the next one" if item.published else "withheld"
            text = f"  the merged model is {became}{': ' if item.note else ''}{item.note}"
        case Earned():
            text = f"  {_who(item.words.solver, me)} earned {tokens(item.words.paid)} tokens"
        case FeeEarned():
            earned = f"earned a fee of {tokens(item.fee.paid)} tokens"
            if item.fee.how.startswith(NO_FEE):
                earned = f"earned {item.fee.how}"
            text = f"  {_who(item.fee.coordinator, me)} {earned}"
        case RewardKnown():
            reward = item.reward
            claim = _CLAIMS.get(reward.claim, reward.claim)
            if item.bond is not None and reward.claim == "done":
                claim = f"{claim}; its bond of {tokens(item.bond)} is back"
            text = f"  this node, as {reward.part}: {tokens(reward.paid or 0)} tokens, {claim}"
    return printable(shortened(text))


def standing(seen: SeenRound, training: TrainingNow | None, me: Address | None, now: float) -> str:
    """Where the round stands and what the node does, for a line that is written anew every second; the part
    that a narrow terminal can do without comes last."""
    summary, ends = seen.figures.summary, phase_end(seen.schedule)
    parts = [f"round {summary.round}", summary.phase.upper()]
    if ends is not None:
        parts.append(f"{left(ends, now)} left")
    doing = _doing(training, summary.round)
    committed = [item.solver for item in seen.commitments]
    if summary.phase == "commit":
        if not doing and me in committed:
            doing = "this node waits for the window to end"
        parts += [*filter(None, (doing,)), _committed(committed, me)]
    else:
        parts += [*filter(None, (doing,)), f"{summary.reveals} of {summary.commits} revealed"]
    if summary.phase in ("gap", "reveal") and not seen.schedule.unsealed:
        parts.append("shard still sealed" if seen.schedule.drawn else "shard not drawn yet")
    return printable(shortened(" · ".join(parts)))


def left(until: int, now: float) -> str:
    """Minutes and seconds, or hours and minutes; never less than nothing."""
    return lasting(round(until - now))


def lasting(seconds: int) -> str:
    """So many seconds as `left` says them."""
    seconds = max(0, seconds)
    if seconds < 3600:
        return f"{seconds // 60}:{seconds % 60:02d}"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


def clock(now: float) -> str:
    """The time of day here."""
    return time.strftime("%H:%M:%S", time.localtime(now))


def _doing(training: TrainingNow | None, number: int) -> str:
    """What the node's worker does; empty while it does nothing."""
    if training is None:
        return ""
    other = f" for round {training.round}" if training.round not in (None, number) else ""
    parts = [f"this node {_JOBS.get(training.job, f'does {training.job}')}{other}"]
    if training.step is not None:
        parts.append(f"step {training.step}/{training.steps}")
    if training.loss is not None:
        parts.append(f"loss {training.loss:.4g}")
    if training.seconds_left is not None:
        late = ", which is too late" if training.on_time is False else ""
        parts.append(f"done in {lasting(training.seconds_left)}{late}")
    return ", ".join(parts)


def _committed(solvers: list[Address], me: Address | None) -> str:
    if not solvers:
        return "nobody has committed yet"
    if len(solvers) <= _NAMED:
        return "committed: " + ", ".join(_who(item, me) for item in solvers)
    return f"{len(solvers)} have committed" + (", this node too" if me in solvers else "")


def _who(account: Address, me: Address | None) -> str:
    return "this node" if account == me else account
