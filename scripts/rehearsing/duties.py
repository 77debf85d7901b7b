"""What of their duties nodes did not do, and why: read from their journals and from the chain."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path


def given_up(journal: Path) -> Counter[str]:
    """Duties that a node gave up, by name and reason: `TrainShard: lapsed`.

    Raises: sqlite3.Error: it cannot be read.
    """
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT tag, error FROM outbox WHERE state = 'rejected'").fetchall()
    return Counter(f"{tag}: {str(error or '').partition(':')[0]}" for tag, error in rows)


def missed_commits(
    committed: Mapping[int, Iterable[str]], solvers: Mapping[str, str]
) -> dict[str, list[int]]:
    """By name of a solver (`solvers`: address by name), the rounds in which it has not committed."""
    missed: dict[str, list[int]] = {}
    for number, who in sorted(committed.items()):
        present = {address.lower() for address in who}
        for name, address in solvers.items():
            if address.lower() not in present:
                missed.setdefault(name, []).append(number)
    return missed
