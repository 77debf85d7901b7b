"""Processes of nodes that outlive whoever started them: a soak that was killed finds its network running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.demonstration.cast import JEPANET, DemoFailed

from jepanet.files import write_atomically
from jepanet.process_identity import identity_of

_STOP_WITHIN = 40.0
_START_WITHIN = 120.0
_RECORD = "process.json"
STARTED = b'"event": "node.started"'
"""What a node's output says once it has opened everything."""


@dataclass
class Kept:
    """The process of the node in `folder`, whoever started it.

    `within`: what stands before its command. `client`: the folder of the package it runs, where that is not
    this one.
    """

    name: str
    role: str
    folder: Path
    address: str
    within: tuple[str, ...] = ()
    client: Path | None = None

    @property
    def config(self) -> Path:
        return self.folder / "node.toml"

    @property
    def output(self) -> Path:
        """What a supervisor would keep of the node's standard output."""
        return self.folder / "node.out"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        try:
            record = json.loads((self.folder / _RECORD).read_text())
            pid, process = int(record["pid"]), record["process"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return pid if process is not None and _running(pid) and identity_of(pid) == process else None

    def start(self) -> None:
        """Starts the node unless it runs."""
        if self.pid is not None:
            return
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        if self.client is not None:
            environment["PYTHONPATH"] = str(self.client)
        with self.output.open("ab") as output:
            started = subprocess.Popen(
                [*self.within, *JEPANET, "node", "run", "--config", str(self.config)],
                stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=environment,
                start_new_session=True,
            )  # fmt: skip
        record = {"pid": started.pid, "process": identity_of(started.pid)}
        write_atomically(self.folder / _RECORD, json.dumps(record).encode())

    def start_timed(self) -> float:
        """Seconds from starting the process to its line `node.started`."""
        before = self.output.stat().st_size if self.output.exists() else 0
        since = time.monotonic()
        self.start()
        while time.monotonic() - since < _START_WITHIN:
            with self.output.open("rb") as output:
                output.seek(before)
                if STARTED in output.read():
                    return time.monotonic() - since
            if self.pid is None:
                break
            time.sleep(0.02)
        raise DemoFailed(f"{self.name} did not start: see {self.output}")

    def status(self) -> dict[str, Any] | None:
        """What the running process last wrote of itself."""
        try:
            status: dict[str, Any] = json.loads((self.folder / "data" / "status.json").read_text())
        except (OSError, ValueError):
            return None
        return status if status.get("pid") == self.pid else None

    def wait_until_up(self) -> dict[str, Any]:
        """Its first status.

        Raises:
            DemoFailed: it ended, or took too long.
        """
        deadline = time.monotonic() + _START_WITHIN
        while time.monotonic() < deadline and self.pid is not None:
            status = self.status()
            if status is not None:
                return status
            time.sleep(0.1)
        raise DemoFailed(f"{self.name} did not start: see {self.output}")

    def stop(self) -> None:
        """Asks the process to end; kills it if it does not."""
        pid = self.pid
        if pid is None:
            return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_WITHIN
        while self.pid == pid and time.monotonic() < deadline:
            time.sleep(0.05)
        if self.pid == pid:
            os.kill(pid, signal.SIGKILL)


def _running(pid: int) -> bool:
    """Whether it has not ended; a child of ours that has is reaped."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return Path(f"/proc/{pid}").exists()
