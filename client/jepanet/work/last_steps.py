"""What a round has done to trained weights until they are a delta: files in, tensors of a delta file out.

Who trains does it, and who audits the end of a training does it again.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from jepanet.errors import Rejected
from jepanet.federation.deltas.feedback import Residual, decode_residual
from jepanet.learning.data.shards import Shard, load_shard
from jepanet.learning.machine.determinism import deterministic
from jepanet.tensors import Arrays
from jepanet.work.contribution import Contribution, contribution
from jepanet.work.round_files import OpenedRound

MAX_PROBE_FRAMES = 100_000
"""As many as `jepanet dataset build` makes at most, in episodes of four."""
MAX_PROBE_LENGTH = 64
"""Frames of one probe episode: whole episodes are encoded together."""


@dataclass(frozen=True, slots=True)
class LastSteps:
    """A delta's tensors, and what went into them beside the training."""

    made: Contribution
    before: Residual | None
    """What the delta before left out; None where nothing of it is added."""


def last_steps(
    trained: Arrays, round_: OpenedRound, *, probe: Path | None, residual: Path | None, device: str
) -> LastSteps:
    """Aligns, subtracts, compensates and encodes as the round's spec says.

    Raises:
        Rejected: a file is none, `probe-too-large`, or as `contribution`.
    """
    spec = round_.spec
    frames = None if probe is None else load_probe(probe)
    before = None
    if residual is not None and spec.feedback_milli:
        before = _residual(residual, round_)
    # Where digests will be compared: the frame is found by sums over many latents.
    with deterministic() if spec.audit is not None else nullcontext():
        made = contribution(
            trained,
            round_.base.weights,
            round_.recipe,
            codec=spec.codec,
            probe=frames,
            left_out=before.values if before else None,
            feedback=spec.feedback_milli / 1000,
            device=device,
        )
    return LastSteps(made, before)


def load_probe(path: Path) -> Shard:
    """The public probe frames: a stranger chose them, and the latents of all are held at once.

    Raises:
        Rejected: too many (`probe-too-large`), or no shard.
    """
    shard = load_shard(path)
    if shard.length > MAX_PROBE_LENGTH or shard.episodes * shard.length > MAX_PROBE_FRAMES:
        raise Rejected(
            f"{shard.episodes} probe episodes of {shard.length} frames; at most {MAX_PROBE_LENGTH} each "
            f"and {MAX_PROBE_FRAMES} in all are compared",
            reason="probe-too-large",
        )
    return shard


def _residual(path: Path, round_: OpenedRound) -> Residual:
    codec = round_.spec.codec
    return decode_residual(
        path.read_bytes(), schema=round_.schema, max_bytes=path.stat().st_size, codec=codec
    )
