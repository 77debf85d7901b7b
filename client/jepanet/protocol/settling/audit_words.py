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

from jepanet.types import Address, Digest, RoundId

_FOUND = b"jepanet.audit.found"
_WORD = b"jepanet.audit.word"


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


def audit_word(finding: Digest, auditor: Address) -> Digest:
    """What one auditor says of a finding."""
    return Digest(hashlib.sha256(_WORD + bytes.fromhex(auditor[2:]) + finding).digest())
