"""How much of a round is spent neither training nor waiting where the protocol says to wait?

    overhead = 1 - |training ∪ gap ∪ challenge ∪ confirmations| / |round|

round          from the block that opened it to the block that settled it
training       from the start to the end of `TrainShard` on any solver (the nodes' logs)
gap            `gap_seconds` after the last commit; nobody may reveal in it
challenge      `challenge_seconds` after the result was recorded
confirmations  around every step on chain: one block time to get into a block, then as many block times as the
               deployment asks for confirmations

The union counts each moment once. What is left is the client's own: preparing, scoring, merging, signing,
gossip, noticing that something is due. Scoring and merging are shown apart, for they are work, not waiting.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
RESULT = Path(__file__).parent / "results" / "round_overhead.json"
TARGET = 0.10
STEPS = ("open", "commit", "beacon", "unseal", "reveal", "record", "settle")
MEASURING = ("ScoreDeltas", "BuildSheet", "CheckSheet")
Interval = tuple[float, float]


def covered(intervals: Iterable[Interval], start: float, end: float) -> float:
    """Seconds of [start, end] that lie in the union of `intervals`."""
    total, reached = 0.0, start
    for a, b in sorted(intervals):
        a, b = max(a, reached), min(b, end)
        if b > a:
            total += b - a
            reached = b
    return total


def worked(folder: Path, number: int, duties: tuple[str, ...]) -> list[Interval]:
    """When any node carried out one of `duties` in a round."""
    found = []
    for path in sorted(folder.glob("nodes/*/node.log")):
        for line in path.read_text(errors="replace").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if event.get("event") != "duty.done" or event.get("round") != number:
                continue
            if event.get("duty") in duties:
                end = datetime.fromisoformat(event["timestamp"]).timestamp()
                found.append((end - float(event["seconds"]), end))
    return found


def measure(item: dict[str, Any], folder: Path, block_time: float) -> dict[str, float]:
    """Seconds of one settled round, by what they were spent on."""
    terms = tomllib.loads((folder / "nodes/proposer/node.toml").read_text())["proposer"]
    confirmations = json.loads((folder / "devnet/deployment.json").read_text())["confirmations"]
    times = item["chain_times"]
    start, end = float(times["open"]), float(times["settle"])
    training = worked(folder, item["round"], ("TrainShard",))
    waits = [
        (times["commit"], times["commit"] + terms["gap_seconds"]),
        (times["record"], times["record"] + terms["challenge_seconds"]),
    ]
    waits += [(times[step] - block_time, times[step] + confirmations * block_time) for step in STEPS]
    allowed = covered([*training, *waits], start, end)
    measuring = worked(folder, item["round"], MEASURING)
    wall = end - start
    return {
        "round": item["round"],
        "wall_s": wall,
        "training_s": covered(training, start, end),
        "waits_s": covered(waits, start, end),
        "measuring_s": covered([*training, *waits, *measuring], start, end) - allowed,
        "overhead_s": wall - allowed,
        "overhead": (wall - allowed) / wall,
    }


@click.command()
@click.option("--report", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="report.json in the folder of a finished demo; without it the demo is run.")  # fmt: skip
@click.option(
    "--block-time", default=1.0, show_default=True, help="Seconds, as the demo's chain was started."
)
def main(report: Path | None, block_time: float) -> None:
    """Print and store the share of a round that is overhead."""
    with tempfile.TemporaryDirectory() as name:
        if report is None:
            report = Path(name) / "report.json"
            command = [sys.executable, "-m", "scripts.demonstration", "--rounds", "2", "--out", name]
            subprocess.run(command, check=True, cwd=ROOT)
        rounds = json.loads(report.read_text())["rounds"]
        rows = [measure(item, report.parent, block_time) for item in rounds if item["phase"] == "settled"]
    table = Table(
        "round", "wall s", "training s", "waits s", "score, merge, check s", "overhead s", "overhead"
    )
    for row in rows:
        cells = [
            f"{row[key]:.1f}" for key in ("wall_s", "training_s", "waits_s", "measuring_s", "overhead_s")
        ]
        table.add_row(f"{row['round']:.0f}", *cells, f"{row['overhead']:.0%}")
    median = statistics.median(row["overhead"] for row in rows)
    other = statistics.median((row["overhead_s"] - row["measuring_s"]) / row["wall_s"] for row in rows)
    console = Console()
    console.print(table)
    console.print(
        f"median overhead {median:.0%} (target {TARGET:.0%}); without score, merge and check {other:.0%}"
    )
    RESULT.parent.mkdir(exist_ok=True)
    result = {
        "rounds": rows, "overhead": median, "overhead_without_measuring": other, "target": TARGET,
        "met": median <= TARGET, "load": os.getloadavg()[0],
    }  # fmt: skip
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
