"""What does a durable step cost, beside the bare write and fsync it cannot do without?"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jepanet.storage.blobs.store import BlobStore
from jepanet.storage.journal import Journal, Place, StoredBlock, StoredDuty, StoredEvent, StoredFact

REPEATS = 300
RESULT = Path(__file__).parent / "results" / "journal_cost.json"
RESTARTS = (1_000, 20_000, 100_000)


def median_ms(step: Callable[[int], object], repeats: int = REPEATS) -> float:
    """Median milliseconds of `step(0)`, `step(1)`, ..."""
    times = []
    for n in range(repeats):
        started = time.perf_counter()
        step(n)
        times.append(time.perf_counter() - started)
    return 1e3 * statistics.median(times)


def chain_block(number: int) -> tuple[StoredBlock, list[StoredEvent]]:
    """A block with one event of 300 characters."""
    block = StoredBlock(number, (number + 1).to_bytes(32), number.to_bytes(32), number)
    return block, [StoredEvent(number, 0, "Fact", "x" * 300)]


def main() -> None:
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(
        dir=Path.cwd()
    ) as name:  # the repository's disk, not a memory file system
        root = Path(name)
        with (root / "bare").open("ab", buffering=0) as bare:

            def write_and_sync(_: int) -> None:
                bare.write(b"x" * 4096)
                os.fsync(bare.fileno())

            figures["yardstick: write 4 KiB, fsync"] = median_ms(write_and_sync)
        with Journal.open(root / "journal.sqlite") as journal, BlobStore(root / "blobs", 1 << 33) as blobs:

            def record(n: int) -> None:
                journal.record(
                    [StoredFact("Fact", "x" * 300)],
                    [StoredDuty(f"k{n}", "Duty", "x" * 300, 1)],
                    cursor=n,
                )

            figures["record: 1 fact, 1 duty, cursor"] = median_ms(record)
            figures["put_salt"] = median_ms(lambda n: journal.put_salt(n, "0xAa", bytes(32), bytes(32)))
            figures["pending, 300 rows"] = median_ms(lambda n: journal.pending())
            figures["put_bytes, 64 KiB"] = median_ms(lambda n: blobs.put_bytes(n.to_bytes(8) * 8192), 100)
            figures["put_bytes, 32 MiB"] = median_ms(lambda n: blobs.put_bytes(n.to_bytes(8) * (1 << 22)), 5)
        for size in RESTARTS:
            path = root / f"{size}.sqlite"
            with Journal.open(path) as journal:
                journal.apply_step(rewind_to=None, blocks=[chain_block(n) for n in range(size)])
                journal.record(
                    [Place(n, 0) for n in range(size)],
                    [StoredDuty(f"k{n}", "Duty", "x" * 300, n) for n in range(size // 10)],
                )

            def restart(_: int, path: Path = path) -> None:
                with Journal.open(path) as journal:
                    list(journal.facts())

            figures[f"open, check and read {size} facts"] = median_ms(restart, 5)

    yardstick = figures["yardstick: write 4 KiB, fsync"]
    table = Table("step", "median ms", "times the yardstick")
    for step, value in figures.items():
        table.add_row(step, f"{value:.3f}", f"{value / yardstick:.2f}")
    Console().print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps({step: {"ms": v, "ratio": v / yardstick} for step, v in figures.items()}, indent=1)
    )


if __name__ == "__main__":
    main()
