"""How long until a node has started, and how much memory does it hold when it has nothing to do?

Time: from starting the process `jepanet node run` to its log line `node.started`, with a local chain already
running and a development keystore (a full-strength one adds about a second of key derivation on purpose).
Memory: resident set of the node's main process ten seconds later, its worker child apart.
Yardstick, in turns with it: `python -c 'import web3, libp2p'`, what a chain and a network take in Python.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from jepanet.chain.devchain.anvil import free_port

REPEATS = 5
IDLE_S = 10.0
TARGET_RATIO, TARGET_MIB = 0.6, 151.0
RESULT = Path(__file__).parent / "results" / "startup.json"
JEPANET = [sys.executable, "-m", "jepanet"]
BARE = "import web3, libp2p, os, time; print(os.getpid(), flush=True); time.sleep(600)"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def jepanet(*arguments: str | Path) -> Any:
    done = subprocess.run(
        [*JEPANET, *map(str, arguments), "--json"], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def configured(root: Path, chain: dict[str, Any]) -> Path:
    """A solver's folder with wallet and configuration."""
    password = root / "password"
    password.touch(mode=0o600)
    password.write_text("benchmark\n")
    jepanet("wallet", "new", "--light", "--dir", root / "wallet", "--password-file", password)
    path = root / "node.toml"
    path.write_text(
        f"""
[node]
data_dir = "data"
roles = ["solver"]
[wallet]
directory = "wallet"
password_file = "password"
[chain]
endpoints = ["{chain["rpc"]}"]
websocket = "{chain["websocket"]}"
deployment = "{chain["deployment"]}"
[p2p]
listen = "/ip4/127.0.0.1/tcp/0"
allow_isolated = true
[log]
json = true
"""
    )
    return path


class Measured:
    """One process from its start to its sign of life, then its memory."""

    def __init__(self, command: list[str], sign: str) -> None:
        started = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT
        )
        assert self.process.stdout is not None
        seen = []
        for line in self.process.stdout:
            seen.append(line)
            if sign in line:
                break
        else:
            raise SystemExit("the process ended early:\n" + "".join(seen[-20:]))
        self.seconds = time.perf_counter() - started
        times = psutil.Process(self.process.pid).cpu_times()
        self.cpu = times.user + times.system

    def memory(self) -> float:
        """Resident set in MiB."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / (1 << 20)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


def one(command: list[str], sign: str, *, idle: float) -> tuple[float, float, float]:
    """(seconds to the sign, CPU seconds to the sign, MiB after `idle` seconds)."""
    measured = Measured(command, sign)
    try:
        time.sleep(idle)
        return measured.seconds, measured.cpu, measured.memory()
    finally:
        measured.stop()


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        devnet = root / "devnet"
        chain = jepanet("devnet", "up", "--dir", devnet, "--port", str(free_port()))
        try:
            node = [*JEPANET, "node", "run", "--config", str(configured(root, chain))]
            one(node, "node.started", idle=0)  # the first start creates the journal and compiles byte code
            pairs = [
                (one(node, "node.started", idle=IDLE_S), one([sys.executable, "-c", BARE], "\n", idle=0))
                for _ in range(REPEATS)
            ]
        finally:
            jepanet("devnet", "down", "--dir", devnet)
    report(pairs)


def report(pairs: list[tuple[tuple[float, float, float], tuple[float, float, float]]]) -> None:
    names = ("seconds", "cpu_seconds", "mib")
    result: dict[str, Any] = {"repeats": REPEATS, "idle_s": IDLE_S, "load": os.getloadavg()[0]}
    for i, name in enumerate(names):
        result[name] = statistics.median(node[i] for node, _ in pairs)
        result[f"yardstick_{name}"] = statistics.median(bare[i] for _, bare in pairs)
        result[f"ratio_{name}"] = statistics.median(node[i] / bare[i] for node, bare in pairs)
    result["fastest_seconds"] = min(node[0] for node, _ in pairs)
    result["targets"] = {"ratio_cpu_seconds": TARGET_RATIO, "mib": TARGET_MIB}
    result["met"] = {name: result[name] <= target for name, target in result["targets"].items()}
    table = Table("figure (medians)", "node", "import web3, libp2p", "ratio", "target")
    for name, label, target in (
        ("seconds", "seconds to node.started", ""),
        ("cpu_seconds", "CPU seconds until then", f"{TARGET_RATIO:g} x"),
        ("mib", f"resident MiB after {IDLE_S:g} s", f"{TARGET_MIB:g}"),
    ):
        row = [f"{result[key]:.2f}" for key in (name, f"yardstick_{name}", f"ratio_{name}")]
        table.add_row(label, *row, target)
    console = Console()
    console.print(table)
    console.print(
        f"fastest start {result['fastest_seconds']:.2f} s; load of the machine {result['load']:.1f}"
    )
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
