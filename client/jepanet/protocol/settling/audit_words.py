"""What an auditor says that it found, so that nobody can say it who did not look.

A solver commits to the losses of every step without showing them: whoever repeats the drawn steps knows them,
and nobody else. What was found is the same for all auditors; each signs it bound to its own account, so a
word that is copied from another's report is false, and whoever did the work knows every other's true word.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import isfinite, log2

from jepanet.types import Address, Digest, RoundId

_FOUND = b"jepanet.audit.found"
_NEARLY = b"jepanet.audit.nearly"
_WORD = b"jepanet.audit.word"
_OCTAVE = 1024
"""Steps of losses from one to its double."""
_BORDER = 1.5e-5
"""Octaves: 1e-5 of a loss. Builds that were measured differ by 3e-7."""
_TOLD = 64
"""Losses that a word tells of, so that few of them are doubtful: one in 35."""
_DOUBTFUL = 10


@dataclass(frozen=True, slots=True)
class FoundSegment:
    """What came out of one drawn segment."""

    number: int
    losses: tuple[float, ...]
    """Of its steps; none where it leads nowhere."""
    differs: str | None
    """What came out otherwise than its solver committed to; None where nothing did."""


def audit_finding(round_id: RoundId, solver: Address, segments: Sequence[FoundSegment]) -> Digest:
    """32 bytes that say what was found of a solver's drawn segments, in their order: kept secret until the
    round's reports are signed."""
    hashed = hashlib.sha256(_FOUND + round_id.to_bytes(32, "big") + bytes.fromhex(solver[2:]))
    for item in segments:
        differs = (item.differs or "").encode()
        hashed.update(struct.pack("<QQQ", item.number, len(item.losses), len(differs)))
        hashed.update(struct.pack(f"<{len(item.losses)}d", *item.losses))
        hashed.update(differs)
    return Digest(hashed.digest())


def near_findings(round_id: RoundId, solver: Address, segments: Sequence[FoundSegment]) -> tuple[Digest, ...]:
    """What auditors on different builds may find of the same segments: first what this one does.

    Losses differ there in their last digits, so they are told in steps of a thousandth of an octave; of one
    that lies on the border of two steps both are true. What differs is left out: how far two ends lie apart
    comes out otherwise on each build as well, and whether that is too far is for the threshold of verdicts.
    """
    hashed = hashlib.sha256(_NEARLY + round_id.to_bytes(32, "big") + bytes.fromhex(solver[2:]))
    known: list[tuple[int, ...]] = []
    for item in segments:
        hashed.update(struct.pack("<QQ", item.number, len(item.losses)))
        known += [_steps(loss) for loss in item.losses]
    known = known[:_TOLD]
    doubtful = [place for place, steps in enumerate(known) if len(steps) > 1][:_DOUBTFUL]
    found = []
    for choice in product((0, 1), repeat=len(doubtful)):
        steps = [item[0] for item in known]
        for place, which in zip(doubtful, choice, strict=True):
            steps[place] = known[place][which]
        one = hashed.copy()
        one.update(struct.pack(f"<{len(steps)}q", *steps))
        found.append(Digest(one.digest()))
    return tuple(found)


def _steps(loss: float) -> tuple[int, ...]:
    """The step in which a loss lies, and its neighbour where rounding may have taken it there."""
    if not isfinite(loss) or not loss:
        return (0,)
    place = log2(abs(loss)) * _OCTAVE
    own = round(place)
    if 0.5 - abs(place - own) > _BORDER * _OCTAVE:
        return (own,)
    return own, own + 1 if place > own else own - 1


def audit_word(finding: Digest, auditor: Address) -> Digest:
    """What one auditor says of a finding."""
    return Digest(hashlib.sha256(_WORD + bytes.fromhex(auditor[2:]) + finding).digest())
