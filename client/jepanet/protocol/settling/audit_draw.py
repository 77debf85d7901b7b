"""Whose training is audited before it is paid, and which parts of it: drawn from the round's beacon, which
nobody knew when solvers committed. Integers only, so everybody draws the same.
"""

from __future__ import annotations

import hashlib

from jepanet.protocol.documents.spec import AuditRule
from jepanet.types import Address, RoundId

_SOLVER = b"jepanet.audit.solver"
_SEGMENT = b"jepanet.audit.segment"


def is_drawn(rule: AuditRule | None, beacon: int | None, round_id: RoundId, solver: Address) -> bool:
    """Whether a solver's training is audited: with a chance of `probability_milli`, on its own for each.

    `beacon` is the number of the event BeaconDrawn; nobody is drawn before there is one.
    """
    if rule is None or beacon is None or not rule.probability_milli:
        return False
    return _number(_SOLVER, beacon, round_id, solver) % 1000 < rule.probability_milli


def drawn_segments(
    rule: AuditRule | None, beacon: int | None, round_id: RoundId, solver: Address, *, count: int
) -> tuple[int, ...]:
    """Which of the `count` segments of a solver's training are audited, ascending; none if it is not drawn.

    Always the first and the last, where whatever is done to trained weights happens, and `opened` others,
    each drawn from those that are left.

    Raises:
        ValueError: a training has one segment at least.
    """
    if count < 1:
        raise ValueError("a training has one segment at least")
    if rule is None or beacon is None or not is_drawn(rule, beacon, round_id, solver):
        return ()
    chosen = {0, count - 1}
    left = list(range(1, count - 1))
    for turn in range(min(rule.opened, len(left))):
        chosen.add(left.pop(_number(_SEGMENT, beacon, round_id, solver, turn) % len(left)))
    return tuple(sorted(chosen))


def _number(domain: bytes, beacon: int, round_id: RoundId, solver: Address, turn: int = 0) -> int:
    """A number of 256 bits, whose remainders by what is drawn from are even to one part in 2**245."""
    place = beacon.to_bytes(32, "big") + round_id.to_bytes(32, "big") + bytes.fromhex(solver[2:])
    return int.from_bytes(hashlib.sha256(domain + place + turn.to_bytes(4, "big")).digest(), "big")
