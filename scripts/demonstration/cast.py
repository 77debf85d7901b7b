"""The actors of a demo: wallets, configurations and processes, made as an operator would make them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jepanet.operations import keys
from jepanet.settings.first_config import FirstConfig, first_config
from jepanet.types import Role

JEPANET = [sys.executable, "-m", "jepanet"]
_START_WITHIN = 60.0


class DemoFailed(Exception):
    """A step did not do what it should; the message names the log to read."""


def jepanet(*arguments: str | Path, within: Sequence[str] = ()) -> Any:
    """Runs one `jepanet` command with --json and returns what it printed. `within`: what stands before it."""
    line = [*within, *JEPANET, *map(str, arguments), "--json"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        shown = " ".join(["jepanet", *map(str, arguments)])
        raise DemoFailed(f"`{shown}` ended with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


@dataclass
class Node:
    """One actor: a wallet, a TOML file, a data directory, a process."""

    name: str
    role: str
    folder: Path
    address: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        return self.folder / "node.toml"

    @property
    def log(self) -> Path:
        return self.folder / "node.log"

    def start(self) -> None:
        """Starts the node as a process of its own."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*JEPANET, "node", "run", "--config", str(self.config)],
                stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=environment,
            )  # fmt: skip

    def status(self) -> dict[str, Any] | None:
        """What the node last wrote of itself, if it is of this process."""
        try:
            status: dict[str, Any] = json.loads((self.folder / "data" / "status.json").read_text())
        except (OSError, ValueError):
            return None
        return status if self.process and status["pid"] == self.process.pid else None

    def wait_until_up(self) -> dict[str, Any]:
        """Waits for the first status file."""
        deadline = time.monotonic() + _START_WITHIN
        while time.monotonic() < deadline:
            self.check()
            status = self.status()
            if status is not None:
                return status
            time.sleep(0.1)
        raise DemoFailed(f"{self.name} did not start within {_START_WITHIN:.0f} s: see {self.log}")

    def check(self) -> None:
        """Raises DemoFailed when the process has ended."""
        if self.process is not None and self.process.poll() is not None:
            tail = self.log.read_text(errors="replace").splitlines()[-5:]
            raise DemoFailed(
                f"{self.name} ended with {self.process.returncode}: see {self.log}\n" + "\n".join(tail)
            )

    def stop(self) -> None:
        """Asks the process to end; kills it if it does not."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def events(self) -> list[dict[str, Any]]:
        """The node's log lines."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found


def make_wallet(folder: Path, name: str, role: str) -> Node:
    """A wallet with a password of its own, in the actor's folder."""
    home = folder / name
    home.mkdir(parents=True)
    password = home / "password"
    password.touch(mode=0o600)
    password.write_text(os.urandom(16).hex() + "\n")
    made = keys.new(home / "wallet", password, light=True)
    return Node(name, role, home, made.address)


def write_config(
    node: Node,
    *,
    rpc: str,
    websocket: str,
    deployment: Path,
    bootstrap: Sequence[str],
    proposer: dict[str, Any] | None = None,
) -> None:
    """The actor's node.toml, as `jepanet init` writes it."""
    own: dict[str, dict[str, object]] = {
        "node": {"storage_gb": 2.0},
        "chain": {"websocket": websocket, "poll_seconds": 0.5},
    }
    if proposer is not None:
        own["proposer"] = proposer
    said = FirstConfig(
        role=Role(node.role), name=node.name, endpoints=(rpc,), deployment=str(deployment),
        password_file="password", listen="/ip4/127.0.0.1/tcp/0", bootstrap=tuple(bootstrap),
        allow_isolated=not bootstrap, own=own,
    )  # fmt: skip
    node.config.write_text(first_config(said))
