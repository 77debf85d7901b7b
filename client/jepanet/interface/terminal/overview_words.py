"""A node at a glance, in lines of a terminal, each part with a name in front of what it says."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from jepanet.interface.terminal.layout import printable, shortened
from jepanet.interface.terminal.round_words import left
from jepanet.operations.auditing.happenings import phase_end
from jepanet.operations.diagnosis.worries import size, span
from jepanet.operations.views.activity import TrainingNow
from jepanet.operations.views.node import RoundStatus
from jepanet.operations.views.overview import OpenRound, Overview, Weight
from jepanet.tokens import tokens

_NAME = 11
"""Columns in front of what a line says."""
_BAR = 40
_SHOWN_WORRIES, _SHOWN_TRANSFERS = 6, 4
_PARTS = {
    ("commit", "solver"): "train, and commit before it ends",
    ("gap", "coordinator"): "wait for the shard to be drawn",
    ("reveal", "solver"): "reveal the delta, and serve it",
    ("verify", "coordinator"): "score every delta, and sign the result",
}
"""By phase and role, as long as it is not done."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `style` as Rich names it."""

    text: str
    style: str = ""


def lines(seen: Overview, since: float, width: int) -> list[Line]:
    """All that is seen, in lines of at most `width` columns. `since`: seconds since the look."""
    status = seen.status
    who = f"{', '.join(status.roles) or 'observer'} · wallet {status.wallet}"
    told = [*_wrapped("Node", f"{standing(seen)} · {who}", width, _tone(seen))]
    for item in seen.rounds:
        mine = next((own for own in status.rounds if own.round == item.summary.round), None)
        told += _wrapped("Round", _round(item, status.roles, mine, since), width, "bold")
    if not seen.rounds:
        told += _wrapped("Round", "none is open; the node waits for a proposer to open the next one", width)
    for worry in seen.worries[:_SHOWN_WORRIES]:
        style = "red" if worry.weight is Weight.BAD else "yellow"
        told += _wrapped("To do", f"{worry.what}. {worry.remedy}", width, style)
    told += _training(seen, since, width)
    told += _wrapped("Wallet", _wallet(seen), width)
    told += _wrapped("Earned", _earned(seen), width)
    gossip = status.traffic.gossip
    peers = f"{status.peers} connected · gossip {size(gossip.received)} in, {size(gossip.sent)} out"
    told += _wrapped("Peers", peers, width)
    for coming in seen.transfers[:_SHOWN_TRANSFERS]:
        of = f"{size(coming.done)} of {size(coming.total)}" if coming.total else "size not known yet"
        sources = ", ".join(source.peer for source in coming.sources) or "nobody yet"
        told += _wrapped("Transfer", f"{coming.kind} {coming.cid}: {of} from {sources}", width)
    if not seen.transfers:
        told += _wrapped("Transfers", "none", width)
    chain = status.chain
    head = "none yet" if chain.head is None else f"{chain.head:,}, {span(chain.head_age + since)} ago"
    told += _wrapped("Chain", f"acts on block {chain.confirmed or 0:,} · newest seen {head}", width)
    return told


def standing(seen: Overview) -> str:
    """Well or not, in a word or two."""
    if not seen.health.healthy:
        return "unwell"
    return "well" if seen.health.ready else "not ready"


def plain(seen: Overview) -> Iterator[str]:
    """What is worth a line of its own in a file, when it is another than before: no countdowns."""
    yield f"node: {standing(seen)}, {seen.status.peers} peers"
    for item in seen.rounds:
        summary = item.summary
        yield (
            f"round {summary.round}: {summary.phase.upper()}, {summary.commits} committed, "
            f"{summary.reveals} revealed"
        )
    for worry in seen.worries:
        yield f"to do: {worry.what}. {worry.remedy}"
    if seen.training is not None:
        yield f"worker: {seen.training.job}"
    yield f"earned: {_earned(seen)}"


def _tone(seen: Overview) -> str:
    return "green" if seen.health.healthy and seen.health.ready else "red"


def _round(item: OpenRound, roles: tuple[str, ...], mine: RoundStatus | None, since: float) -> str:
    summary, schedule = item.summary, item.schedule
    ends = phase_end(schedule)
    parts = [f"{summary.round} · {summary.phase.upper()}"]
    if ends is not None:
        parts.append(f"{left(ends, schedule.now + since)} left")
    parts.append(f"{summary.commits} committed, {summary.reveals} revealed")
    parts.append(f"budget {tokens(summary.budget)} tokens")
    parts += [f"your part: {text}" for role in roles if (text := _part(summary.phase, role, mine))]
    return " · ".join(parts)


def _part(phase: str, role: str, mine: RoundStatus | None) -> str | None:
    """What there is to do for a role, by what this node has done."""
    if mine is not None and role == "solver":
        if mine.revealed and phase == "reveal":
            return "done: the delta is revealed; serve it until it is scored"
        if mine.committed and phase == "commit":
            return "done: the commitment is on the chain; keep running, the reveal is next"
        if mine.committed and phase == "gap":
            return "wait for the reveal, and keep running"
        if not mine.committed and phase in ("gap", "reveal"):
            return "none: this node committed to nothing"
    if mine is not None and role == "coordinator" and mine.scored and phase == "verify":
        return "done: every delta is scored; sign the result"
    return _PARTS.get((phase, role))


def _training(seen: Overview, since: float, width: int) -> list[Line]:
    now = seen.training
    if now is None:
        return _wrapped("Worker", "waits for the next round in which this node has work to do", width)
    late = now.on_time is False
    told = _wrapped("Worker", _job(now, since), width, "red" if late else "")
    if now.step is not None and now.steps:
        full = min(_BAR, _BAR * now.step // now.steps)
        told.append(Line(f"{'':{_NAME}}[{'#' * full}{'-' * (_BAR - full)}]"))
    return told


def _job(now: TrainingNow, since: float) -> str:
    parts = [now.job if now.round is None else f"{now.job} of round {now.round}"]
    if now.step is not None:
        parts.append(f"step {now.step:,} of {now.steps:,}")
    if now.loss is not None:
        parts.append(f"loss {now.loss:.4g}")
    if now.rate is not None:
        parts.append(f"{now.rate:.3g} steps/s")
    if now.seconds_left is not None:
        parts.append(f"{span(now.seconds_left - since)} left")
    if now.seconds_left is not None and now.deadline is not None:
        spare = now.deadline - now.now - now.seconds_left
        parts.append(f"{span(spare)} to spare" if spare >= 0 else f"LATE by {span(-spare)}")
    parts.append(f"for {span(now.seconds + since)}")
    return " · ".join(parts)


def _wallet(seen: Overview) -> str:
    holds = seen.account
    if holds is None:
        return "not told now: no endpoint answers"
    stake = holds.stake_free + holds.stake_locked
    locked = f"stake {tokens(stake)}, of which {tokens(holds.stake_locked)} locked"
    return f"tokens {tokens(holds.tokens)} · {locked} · ether {tokens(holds.native)}"


def _earned(seen: Overview) -> str:
    paid = [item for item in seen.rewards if item.paid]
    waiting = [item for item in paid if item.claim != "done"]
    total = tokens(sum(item.paid or 0 for item in paid))
    if not seen.rewards:
        return "nothing yet: no round with a result had a part for this wallet"
    rounds = "round" if len(seen.rewards) == 1 else f"{len(seen.rewards)} rounds"
    told = f"{total} tokens in the newest {rounds} with a result"
    if waiting:
        told += f" · not claimed yet: {tokens(sum(item.paid or 0 for item in waiting))}"
    return told


def _wrapped(name: str, text: str, width: int, style: str = "") -> list[Line]:
    """Folded under its own beginning; names of files, accounts and peers by their ends."""
    folded = textwrap.wrap(
        printable(shortened(text)),
        width=max(_NAME + 20, width),
        initial_indent=f"{name:<{_NAME}}",
        subsequent_indent=" " * _NAME,
        break_on_hyphens=False,
    )
    return [Line(item, style) for item in folded]
