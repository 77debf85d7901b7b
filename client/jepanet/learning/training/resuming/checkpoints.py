"""The folder of a training's checkpoints: which are written when, how many are kept, and which one is used.

step-0000000080.safetensors   with its digest beside it; the newest that is whole, and ours, is used
compiled-0-k3v9x_2a/          what process 0 has compiled (`training/step/compiled.py`), while it trains
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.files import keep, kept
from jepanet.learning.training.resuming.state import Parts, TrainingState
from jepanet.learning.training.resuming.training_file import checkpoint_bytes, checkpoint_cap, restore
from jepanet.telemetry import get_logger
from jepanet.types import Digest

log = get_logger("training")

KEPT = 3
"""At most so many files: the newest, and what is used where it turns out to be damaged."""
PAUSE = 50.0
"""Times as long as writing one took until the next is written: at most 2 % of a training."""
_NAME = re.compile(r"step-\d{10}\.safetensors")
_OURS = re.compile(r"\.?step-\d{10}\.safetensors.*")
"""Checkpoints, digests and drafts of either."""
_BYTES_A_SECOND = 2.0e8
_SECONDS_AT_LEAST = 0.01
"""What a first checkpoint is taken to cost, until one has been written."""


class Checkpoints:
    """The checkpoints of one training in a folder of their own, which nothing else writes to,
    but for what is compiled for the training.

    budget: bytes that all of them may take together, but for the moment in which a new one is written beside
    the old ones. pause: see `PAUSE`; 0 writes at every opportunity.
    """

    def __init__(
        self, folder: Path, budget: int, *, pause: float = PAUSE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.folder, self._budget = folder, budget
        self._pause, self._clock = pause, clock
        self._next: float | None = None
        self._unwritten = False

    def resume(self, fresh: Callable[[], TrainingState], run: Digest, steps: int) -> TrainingState:
        """The training as the newest usable checkpoint left it, a fresh one where there is none.

        One that is damaged, or of another training, is named in the log, and the one before is tried.
        """
        state = fresh()
        for path in self._files():
            cap = checkpoint_cap(state, steps, state.parts())
            data = kept(path, cap)
            if data is None:
                continue  # `kept` has named it
            try:
                restore(state, data, run, steps=steps, max_bytes=cap)
            except Rejected as error:
                log.warning(
                    "checkpoint.refused", path=str(path), reason=error.reason, why=error.message,
                    then="the one before is used",
                )  # fmt: skip
                state = fresh()
                continue
            log.info("training.resumed", path=str(path), step=state.step, steps=steps)
            break
        return state

    def offer(self, state: TrainingState, run: Digest, now: Parts) -> bool:
        """Writes a checkpoint of `state`, whose parts are `now`, if enough time has passed since the last;
        whether it did.

        A disk that takes none stops no training: it is named in the log, once, and training goes on.
        """
        began = self._clock()
        if self._next is None:
            size = checkpoint_cap(state, 0, now)
            self._next = began + self._pause * max(_SECONDS_AT_LEAST, size / _BYTES_A_SECOND)
            if self._pause:
                return False
        if began < self._next:
            return False
        data = checkpoint_bytes(state, run, now)
        written = self._write(self.folder / f"step-{state.step:010}.safetensors", data)
        ended = self._clock()
        self._next = ended + self._pause * (ended - began)
        return written

    def _write(self, path: Path, data: bytes) -> bool:
        try:
            if len(data) > self._budget:
                raise Fatal(
                    f"it has {len(data)} bytes, the budget is {self._budget}",
                    remedy="raise worker.checkpoint_gb",
                    code=Exit.DISK_FULL,
                )
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            keep(path, data, mode=0o600, code=Exit.DISK_FULL)
            self._prune()
        except (Fatal, OSError) as error:
            if not self._unwritten:
                log.warning(
                    "checkpoint.skipped", path=str(path), why=str(error), then="training goes on without"
                )
            self._unwritten = True
            return False
        return True

    def _files(self) -> list[Path]:
        """Newest first."""
        if not self.folder.is_dir():
            return []
        return sorted((item for item in self.folder.iterdir() if _NAME.fullmatch(item.name)), reverse=True)

    def _prune(self) -> None:
        """Removes what is beyond the budget, oldest first, and drafts and digests that nothing belongs to."""
        total, left = 0, set[str]()
        for place, path in enumerate(self._files()):
            total += path.stat().st_size
            if place < KEPT and (place == 0 or total <= self._budget):
                left |= {path.name, f"{path.name}.sha256"}
        # The content before its digest: one without a digest would be named as damaged.
        for path in sorted(self.folder.iterdir()):
            if _OURS.fullmatch(path.name) and path.name not in left:
                path.unlink(missing_ok=True)
