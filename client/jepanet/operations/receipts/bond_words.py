"""What became of a bond, and when it comes free, in words."""

from __future__ import annotations

from jepanet.operations.funds.earnings import moment
from jepanet.operations.views.rounds import RoundSchedule
from jepanet.protocol.due.exit_rules import CLAIM_DURATION
from jepanet.protocol.settling.reasons import NOT_OPENED, NOT_REPRODUCED
from jepanet.tokens import exact
from jepanet.types import Verdict

_WHOLE = "returned whole with the claim, as free stake"
_REPORTER_DIVISOR = 10
"""Of what an excluded delta loses of its bond, whoever shows its row has one in so many: as the contracts'
`Stakes.REPORTER_DIVISOR`."""

_PROVEN = {
    NOT_REPRODUCED: "as many verifiers as a result takes did drawn parts of the training again; a result can "
    "be disputed within its window",
    NOT_OPENED: "as many verifiers as a result takes could not fetch what its audit needs; a result can be "
    "disputed within its window",
}
"""Why a bond is lost that no bytes take."""


def lost_of(bond: int, verdict: str, excluded_bps: int | None) -> int | None:
    """What a verdict takes of a bond, in wei; None where the deployment's share is not known."""
    if verdict == Verdict.INVALID.name.lower():
        return bond
    if verdict != Verdict.EXCLUDED.name.lower():
        return 0
    return None if excluded_bps is None else bond * excluded_bps // 10_000


def put_up(bond: int) -> str:
    """A bond as an amount with its unit."""
    return f"{exact(bond)} {'token' if exact(bond) == '1' else 'tokens'}"


def fate(bond: int, verdict: str, excluded_bps: int | None, reason: str = "") -> str:
    """What a verdict makes of a bond. `reason`: that of a delta that is invalid."""
    lost = lost_of(bond, verdict, excluded_bps)
    if verdict == Verdict.INVALID.name.lower():
        why = _PROVEN.get(reason, "the bytes themselves prove the fault")
        return f"{put_up(bond)}, lost whole: {why}"
    if lost is None:
        return (
            f"{put_up(bond)}, returned with the claim less a part, of which whoever shows the row has a tenth"
        )
    if verdict != Verdict.EXCLUDED.name.lower():
        return f"{put_up(bond)}, {_WHOLE}"
    shown = lost // _REPORTER_DIVISOR
    return (
        f"{put_up(bond)}, of which {exact(lost)} are lost and {exact(bond - lost)} return with the claim, as "
        f"free stake; of what is lost {exact(shown)} go to whoever shows the row, the rest to the treasury"
    )


def unlocking(schedule: RoundSchedule) -> tuple[int | None, str]:
    """When a bond that is not lost comes free, seconds of Unix, and the same in words."""
    match schedule.phase:
        case "settled" if schedule.ended is not None:
            until = at(schedule.ended + CLAIM_DURATION)
            return schedule.ended, (
                f"free since {at(schedule.ended)}: claim it until {until} (a running node does)"
            )
        case "cancelled" if schedule.ended is not None:
            return schedule.ended, f"free since {at(schedule.ended)} (a running node takes it)"
        case "settleable":
            return schedule.challenge_end, "free as soon as the round is settled, which anybody may do now"
        case "disputed":
            return None, "held until the arbiter has decided"
        case _ if schedule.bonds_until is not None:
            told = at(schedule.bonds_until)
            return schedule.bonds_until, f"held until {told} at the latest, unless the result is disputed"
    return None, "held until the round has ended"


def at(seconds: int) -> str:
    """A time of the chain's clock, seconds of Unix, for people."""
    return f"{moment(seconds):%Y-%m-%d %H:%M} UTC"
