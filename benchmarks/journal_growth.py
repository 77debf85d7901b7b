"""What a year of blocks in which nothing happens does to a journal, kept and forgotten.

Bytes and seconds to open the file, after so many blocks without events that the machine was fed; then the
same journal after `forget_empty_blocks` has gone through it, and the file once more after as many blocks.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jepanet.storage.journal import Journal, Place, StoredBlock

BLOCKS = 657_000
"""Three months of blocks of twelve seconds."""
BATCH, KEPT, AT_ONCE = 1000, 8192, 5000
RESULT = Path(__file__).parent / "results" / "journal_growth.json"


def add(journal: Journal, first: int, count: int) -> None:
    """Blocks without events, stored and fed, with a snapshot after each batch as the engine makes them."""
    for start in range(first, first + count, BATCH):
        numbers = range(start, min(start + BATCH, first + count))
        blocks = [StoredBlock(n, (n + 1).to_bytes(32), n.to_bytes(32), 12 * n) for n in numbers]
        journal.apply_step(rewind_to=None, blocks=[(block, []) for block in blocks])
        journal.record([Place(n, None) for n in numbers], [], cursor=numbers[-1])
        journal.snapshot(journal.last_sequence(), bytes(50_000))


def forget(journal: Journal) -> tuple[int, float]:
    """How many calls it takes, and the longest of them in seconds."""
    calls, longest, dropped = 0, 0.0, 1
    while dropped:
        since = time.perf_counter()
        dropped = journal.forget_empty_blocks(kept=KEPT, at_once=AT_ONCE)
        longest, calls = max(longest, time.perf_counter() - since), calls + 1
    return calls, longest


def opened(path: Path) -> float:
    since = time.perf_counter()
    Journal.open(path).close()
    return time.perf_counter() - since


def main() -> None:
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:  # the disk, not a memory file system
        path = Path(name) / "journal.sqlite"
        with Journal.open(path) as journal:
            add(journal, 0, BLOCKS)
        figures["kept: bytes"] = path.stat().st_size
        figures["kept: bytes a block"] = path.stat().st_size / BLOCKS
        figures["kept: seconds to open"] = opened(path)
        with Journal.open(path) as journal:
            calls, longest = forget(journal)
        figures["calls that forget"], figures["longest of them, seconds"] = calls, longest
        figures["forgotten: seconds to open"] = opened(path)
        with Journal.open(path) as journal:
            add(journal, BLOCKS, BLOCKS // 2)
            forget(journal)
        figures["bytes after half as many more"] = path.stat().st_size
    table = Table("figure", "value")
    for figure, value in figures.items():
        table.add_row(figure, f"{value:,.3f}")
    Console().print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
