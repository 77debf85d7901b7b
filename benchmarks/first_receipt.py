"""How long is it from nothing to the first receipt that paid, by the three commands of the README?

Steps of `jepanet quickstart` as it tells them, then from the start of `jepanet node run` to the receipt as
`jepanet round watch` tells it. How busy the machine is shows beside them: by how much longer than alone a
piece of work takes, which is also by how much the phases of a round are longer.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jepanet.operations.local_network.nodes import config_of
from jepanet.operations.local_network.terms import TERMS

TARGET_S = 600.0
RESULT = Path(__file__).parent / "results" / "first_receipt.json"
JEPANET = [sys.executable, "-m", "jepanet"]


def made(folder: Path) -> dict[str, float]:
    """Seconds of each step of `quickstart`, from one line that it tells to the next."""
    started = last = time.perf_counter()
    command = [*JEPANET, "quickstart", "--out", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    steps: dict[str, float] = {}
    name = "start of the program"
    for line in process.stderr:
        if line.startswith(" "):
            continue
        now = time.perf_counter()
        steps[name], name, last = now - last, line.strip().removesuffix(" …"), now
    if process.wait():
        raise SystemExit(f"quickstart ended with {process.returncode}: {name}")
    steps[name] = time.perf_counter() - last
    steps["quickstart in all"] = time.perf_counter() - started
    return steps


def first_paid(folder: Path) -> float:
    """Seconds from the start of the nodes to the first receipt that paid."""
    started = time.perf_counter()
    with (folder / "nodes.log").open("w") as log:
        nodes = subprocess.Popen([*JEPANET, "node", "run", str(folder)], stderr=log)
    config = folder / "solver-1" / "node.toml"
    watch = subprocess.Popen(
        [*JEPANET, "round", "watch", "--forever", "--json", "--config", str(config)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert watch.stdout is not None
        for line in watch.stdout:
            event = json.loads(line)
            if event["event"] == "receipt" and int(event["paid"]):
                return time.perf_counter() - started
        raise SystemExit(f"the watch ended with {watch.wait()}; see {folder / 'nodes.log'}")
    finally:
        watch.kill()
        watch.wait()
        nodes.send_signal(signal.SIGINT)
        nodes.wait()
        down = [*JEPANET, "devnet", "down", "--dir", str(folder / "devnet")]
        subprocess.run(down, stdout=subprocess.DEVNULL, check=False)


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "local"
        rows = made(folder)
        stretched = config_of(folder, "proposer").proposer.commit_seconds / int(TERMS["commit_seconds"])
        rows["from the start of the nodes to the first receipt that paid"] = first_paid(folder)
    rows["in all"] = list(rows.values())[-2] + list(rows.values())[-1]
    table = Table(title=f"To the first receipt (phases {stretched:.1f} times as long)")
    table.add_column("step")
    table.add_column("seconds", justify="right")
    for name, seconds in rows.items():
        table.add_row(name, f"{seconds:.1f}")
    console = Console()
    console.print(table)
    verdict = "met" if rows["in all"] <= TARGET_S else "missed"
    console.print(f"target {TARGET_S:.0f} s: {verdict}")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"seconds": rows, "stretched": stretched}, indent=1) + "\n")


if __name__ == "__main__":
    main()
