"""What comes of judging one delta, and the runs in which it was: one for each recipe and seed."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jepanet.files import write_atomically
from jepanet.types import Verdict

HONEST, MERGE = "honest", "the merge"


@dataclass(slots=True)
class Row:
    """One judged delta, or a merge; gains in micro-nats."""

    round: int
    kind: str
    gain: int
    stderr: int
    verdict: str
    reason: str
    length: float = 0.0
    """Its norm over the median of the round's honest ones."""
    ratios: dict[str, float] = field(default_factory=dict)
    """Variance, rank and SIGReg over those of the base."""

    @property
    def t(self) -> float:
        return self.gain / max(1, self.stderr)

    @property
    def pay(self) -> int:
        """Micro-nats that are paid for: gain less one standard error, of what is accepted."""
        return max(0, self.gain - self.stderr) if self.verdict == Verdict.ACCEPTED.name else 0


@dataclass(slots=True)
class Run:
    """All that one seed of one recipe gave."""

    recipe: str
    seed: int
    settings: dict[str, object]
    """What it depends on beside these two; a run under other settings is none of the same table."""
    rows: list[Row]
    scores: list[float]
    """Of the base of every round."""
    seconds: dict[str, float]
    """CPU seconds of the start and of one solver's training."""

    @property
    def key(self) -> str:
        return f"{self.recipe}, seed {self.seed}"


def kept_runs(path: Path) -> dict[str, Run]:
    """The finished runs of a file, by key; none where there is no file."""
    if not path.exists():
        return {}
    tree: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {
        key: Run(**{**run, "rows": [Row(**row) for row in run["rows"]]}) for key, run in sorted(tree.items())
    }


def keep_run(path: Path, run: Run) -> None:
    """Adds a run to a file in which other processes may be keeping theirs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        runs = {**kept_runs(path), run.key: run}
        tree = {key: asdict(item) for key, item in sorted(runs.items())}
        write_atomically(path, (json.dumps(tree, indent=1) + "\n").encode())
