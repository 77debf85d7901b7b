"""What a training leaves for audits: its state at the end of every segment, and the losses within each.

step-0000000005.state       the state after step 5; whoever audits the next segment goes on from it
step-0000000005.losses      the digest of that file, and float64 of the steps since the point before;
                            nobody's but the solver's until auditors have reported
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jepanet.errors import Rejected
from jepanet.learning.auditing.state_file import name_of_state, state_pieces
from jepanet.learning.training.resuming.state import Parts
from jepanet.types import Digest

DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class KeptSegment:
    """One segment: where the state at its end lies, and what the loss of each of its steps was."""

    step: int
    """The last of its steps, from 1."""
    state: Path
    digest: Digest
    """Of the file `state`, as it was written."""
    losses: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Segments:
    """The folder of one training in `count` segments at most; nothing else writes to it."""

    folder: Path
    count: int

    def keep(self, step: int, parts: Parts, losses: Sequence[float]) -> None:
        """Writes the state after `step` and the losses since the point before. A training that was killed
        writes the same again.

        Raises:
            Rejected: it cannot be written (`no-room`).
        """
        try:
            self._write(step, parts, losses)
        except OSError as error:
            # The round is somebody's who asked for so many: this training ends, not the node.
            raise Rejected(
                f"the state after step {step} cannot be kept: {error}",
                reason="no-room",
                remedy="make room on the disk, or leave projects whose rounds ask for states alone",
            ) from error

    def _write(self, step: int, parts: Parts, losses: Sequence[float]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # What a kill cuts short is written again: no checkpoint is later than the last whole state. Neither
        # file is flushed to the disk: one that a power cut spoilt has another digest when it is stored.
        state = state_pieces(step, parts)
        said = name_of_state(state) + np.array(losses, "<f8").tobytes()
        for kind, data in (("losses", [memoryview(said)]), ("state", state)):
            with (self.folder / f"step-{step:010}.{kind}").open("wb") as file:
                file.writelines(data)

    def kept(self, points: Sequence[int]) -> list[KeptSegment]:
        """The segments that end at these steps, ascending.

        Raises:
            Rejected: `segments-missing`; one is not there, or has losses of another number of steps.
        """
        found, before = [], 0
        for step in points:
            state, losses = (self.folder / f"step-{step:010}.{kind}" for kind in ("state", "losses"))
            said = losses.read_bytes() if losses.is_file() else b""
            if not state.is_file() or len(said) != DIGEST_BYTES + 8 * (step - before):
                raise Rejected(
                    f"the state after step {step} is not whole in {self.folder}",
                    reason="segments-missing",
                    remedy="let the training begin anew: remove its checkpoints",
                )
            values = np.frombuffer(said, "<f8", offset=DIGEST_BYTES)
            found.append(KeptSegment(step, state, Digest(said[:DIGEST_BYTES]), tuple(values.tolist())))
            before = step
        return found
