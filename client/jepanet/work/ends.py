"""Whether a segment, or a delta, came out as its solver committed to: byte for byte, or nearly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jepanet.federation.deltas.contract import Schema
from jepanet.federation.deltas.delta import decode_parts
from jepanet.learning.auditing.replay import NOT_ROUNDED, Replayed, differing
from jepanet.learning.auditing.tolerance import BOUND, FARTHEST, capped
from jepanet.learning.training.resuming.trace import TracePoint, digest_of_arrays
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.tensors import Arrays
from jepanet.work.audit_rules import is_tolerant

DELTA_BOUND = 2e-3
"""Of the distance of two deltas from the same weights, as a share of one's length: turned into the base's
frame by sums, and coded in steps that rounding may cross."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What came out otherwise, None where nothing did, with what is said of it; and the largest distance as a
    share of its bound, None where digests were compared."""

    differs: str | None
    detail: str
    share: float | None = None


def compared_ends(again: Replayed, end: TracePoint) -> Compared:
    """The end of a segment as it came out here, and as it was committed to."""
    apart = again.distance
    wrong = differing(again.point, end) if apart is None else differing(again.point, end, NOT_ROUNDED)
    if wrong is not None:
        here, there = getattr(again.point, wrong), getattr(end, wrong)
        return Compared(
            wrong, f"{wrong} after step {end.step}: {here.hex()} here, {there.hex()} committed to"
        )
    if apart is None:
        return Compared(None, f"weights after step {end.step} are {end.weights.hex()}, as committed to")
    share, what = apart.share(BOUND)
    said = f"{what} after step {end.step}: {share:.2g} of how far honest ends may lie apart, from state "
    part = None if share <= 1 else "weights" if what == "weights" else "optimiser"
    return Compared(part, f"{said}{end.weights.hex()}", share)


def compared_deltas(here: Arrays, there: Arrays, spec: RoundSpec, schema: Schema) -> Compared:
    """Tensors of two delta files.

    Raises:
        Rejected: as `decode_parts`, of theirs.
    """
    mine, theirs = digest_of_arrays(here), digest_of_arrays(there)
    if mine == theirs or not is_tolerant(spec):
        said = f"its tensors: {mine.hex()} here, {theirs.hex()} revealed"
        return Compared(None if mine == theirs else "delta", said)
    ours, other = (decode_parts(parts, schema, spec.codec) for parts in (here, there))
    away, length = _norm([other[name] - ours[name] for name in ours]), _norm(list(ours.values()))
    share = capped(away / (DELTA_BOUND * length)) if length else FARTHEST
    said = f"its tensors: {share:.2g} of how far honest deltas may lie apart, {theirs.hex()} revealed"
    return Compared(None if share <= 1 else "delta", said, share)


def _norm(arrays: list[np.ndarray]) -> float:
    return float(np.sqrt(sum(float(np.square(item.astype(np.float64)).sum()) for item in arrays)))
