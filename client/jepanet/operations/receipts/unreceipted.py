"""Who committed in a round and has no row of a sheet: why, and what became of the bond."""

from __future__ import annotations

from jepanet.errors import Exit, Fatal
from jepanet.operations.auditing.rounds import schedule, summary
from jepanet.operations.receipts.bond_words import put_up, unlocking
from jepanet.operations.views.json_form import Wei
from jepanet.operations.views.rounds import ReceiptInWords
from jepanet.protocol.state import NodeState, Round
from jepanet.types import Address, Phase

_STAY = "be up, connected and with gas until REVEAL is over; docs/alerts.md has alerts for it"


def without_row(state: NodeState, round_: Round, solver: Address) -> ReceiptInWords:
    """The receipt of an account whose delta nobody judged (yet), from the chain alone.

    Raises:
        Fatal: it never committed in this round (exit code `USAGE`).
    """
    if not round_.committed(solver):
        known = ", ".join(item.solver for item in round_.commits) or "nobody"
        raise Fatal(
            f"{solver} did not commit in round {round_.id}: no row, nothing at stake and nothing to earn",
            remedy=f"`jepanet status` of its node names a duty that was refused; who committed: {known}",
            code=Exit.USAGE,
        )
    outcome, bond, unlocks, advice = _what(state, round_, solver)
    reveal = round_.reveal_of(solver)
    return ReceiptInWords(
        round=int(round_.id),
        solver=solver,
        delta="not revealed" if reveal is None else reveal.digest.hex(),
        paid=Wei(0),
        measured="nothing",
        outcome=outcome,
        payment="nothing: only deltas that are judged and merged are paid",
        bond=f"{put_up(round_.params.bond)}, {bond}",
        advice=advice,
        checked="told by the chain alone: no sheet has a row for this account",
        unlocks=unlocks,
    )


def _what(state: NodeState, round_: Round, solver: Address) -> tuple[str, str, int | None, str]:
    phase = round_.phase(state.now, state.me.resolve_duration)
    cause = summary(state, round_).cause
    if round_.reveal_of(solver) is None:
        if phase in (Phase.COMMIT, Phase.GAP, Phase.REVEAL):
            return "committed; it has still to be revealed", "locked until then", None, _STAY
        gone = "lost whole" if solver in round_.slashed else "lost whole as soon as somebody shows it"
        return "committed and never revealed", gone, None, _STAY
    unlocks, when = unlocking(schedule(state, round_))
    if phase is Phase.CANCELLED:
        return f"revealed; the round was cancelled: {cause}", f"returned whole; {when}", unlocks, "nothing"
    if round_.recorded is not None:
        return (
            "revealed, and the recorded result has no row for it (no-row)",
            "returned whole 14 days after the settlement",
            None,
            "a missing row is a reason to dispute the result within its window: `jepanet verify` says "
            "whether it was left out",
        )
    return f"revealed; no result is recorded yet (phase {phase.name.lower()})", when, unlocks, "wait"
