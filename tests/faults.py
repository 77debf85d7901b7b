"""Faults for node processes: a hook that kills its own process between two named steps, and small disks.

Nothing of this is in the package. `jepanet.node.app.run_node` takes a `trace` callable that is called
with the name of every durable step; here that callable sends SIGKILL, which no handler can catch.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class KillPlan:
    """Where a node dies, once each. `points` None: at every step it passes for the first time.

    `killed` remembers, across restarts, the steps where it has died; `passed` collects every step it passed.
    """

    killed: Path
    passed: Path
    points: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, object]:
        points = None if self.points is None else list(self.points)
        return {"killed": str(self.killed), "passed": str(self.passed), "points": points}

    @classmethod
    def from_json(cls, tree: dict[str, object]) -> KillPlan:
        points = tree["points"]
        assert points is None or isinstance(points, list)
        return cls(
            Path(str(tree["killed"])), Path(str(tree["passed"])), None if points is None else tuple(points)
        )


def lines(path: Path) -> list[str]:
    """Lines of a file that may not exist yet."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def killer(plan: KillPlan) -> Callable[[str], None]:
    """The trace hook of a plan."""

    def hook(step: str) -> None:
        _append(plan.passed, step)
        wanted: Sequence[str] | None = plan.points
        if (wanted is None or step in wanted) and step not in lines(plan.killed):
            _append(plan.killed, step)
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


def small_disk(largest_file: int) -> None:
    """From here on no file of this process may grow beyond `largest_file` bytes: writes fail with EFBIG."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))


def _append(path: Path, line: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, (line + "\n").encode())
        os.fsync(handle)
    finally:
        os.close(handle)
