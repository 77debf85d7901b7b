"""How long does `jepanet --help` take, beside an interpreter that does nothing?"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

REPEATS = 15
TARGET_S = 0.3
RESULT = Path(__file__).parent / "results" / "cli_help.json"
HELP = [sys.executable, "-m", "jepanet", "--help"]
YARDSTICK = [sys.executable, "-c", "pass"]


def seconds(command: list[str]) -> float:
    """Wall seconds of one run."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    seconds(HELP)  # byte code is compiled once per installation
    # In turns, so that a busy moment of the machine hits both.
    pairs = [(seconds(HELP), seconds(YARDSTICK)) for _ in range(REPEATS)]
    shown, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    table = Table("command", "median s", "fastest s", "times the yardstick")
    table.add_row(
        "jepanet --help",
        f"{shown:.3f}",
        f"{min(a for a, _ in pairs):.3f}",
        f"{ratio:.1f} (target {TARGET_S} s)",
    )
    table.add_row("yardstick: python -c pass", f"{bare:.3f}", f"{min(b for _, b in pairs):.3f}", "1.0")
    Console().print(table)
    RESULT.parent.mkdir(exist_ok=True)
    result = {
        "repeats": REPEATS, "help_s": shown, "fastest_help_s": min(a for a, _ in pairs), "yardstick_s": bare,
        "ratio": ratio, "target_s": TARGET_S, "met": shown < TARGET_S,
    }  # fmt: skip
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
