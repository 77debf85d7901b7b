"""A round's exchange in hivemind and in Flower, at the same dense size, each node a process; for
`round_bytes.py`."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).parent
ROUNDS = 3
"""The first meets cold caches and new connections; figures are of the last."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Bytes received in one round by all nodes, and by the one of those with data that received most; wall
    seconds; CPU seconds of all nodes. `networked`: they were processes that spoke over a network."""

    total: int
    participant: int
    wall: float
    cpu: float
    networked: bool = True


class _Peer:
    """A process of another interpreter that answers in JSON lines."""

    def __init__(self, python: Path, script: str, **settings: Any) -> None:
        self.child = subprocess.Popen(
            [str(python), str(HERE / script), json.dumps(settings)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def read(self) -> dict[str, Any]:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            if line.startswith("{"):  # a library may print too
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise RuntimeError(f"{self.child.args} ended with {self.child.wait()}")

    def tell(self, word: str) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write(json.dumps(word) + "\n")
        self.child.stdin.flush()

    def cpu(self) -> float:
        """Seconds that this process and those below it have taken so far."""
        spent = 0.0
        root = psutil.Process(self.child.pid)
        for process in (root, *root.children(recursive=True)):
            times = process.cpu_times()
            spent += times.user + times.system
        return spent

    def end(self) -> None:
        below = psutil.Process(self.child.pid).children(recursive=True) if self.child.poll() is None else []
        if self.child.stdin is not None:
            self.child.stdin.close()
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        for process in below:
            if process.is_running():
                process.kill()


def installed(python: Path | None, module: str) -> bool:
    """Whether that interpreter can import the module."""
    if python is None:
        return False
    return subprocess.run([str(python), "-c", f"import {module}"], capture_output=True).returncode == 0


def hivemind(python: Path, values: int, peers: int, bits: int) -> Exchange:
    """All-reduce of `values` float32 among `peers`, at 32 or 8 bits; among processes where hivemind's daemon
    runs.

    Raises:
        RuntimeError: a peer ended, or the group never became whole.
    """
    alone = not daemon_runs(python)
    settings = {"values": values, "peers": peers, "bits": bits, "alone": alone}
    known: list[str] = []
    members: list[_Peer] = []
    try:
        for number in range(1 if alone else peers):
            members.append(_Peer(python, "hivemind_peer.py", **settings, number=number, known=known))
            if not alone:
                said = members[-1].read()
                known = known or said["addresses"]
        whole = 0
        for _ in range(3 * ROUNDS):  # matchmaking may miss: hivemind tries again
            spent = -sum(peer.cpu() for peer in members)
            for peer in members:
                peer.tell("round")
            answers = [peer.read() for peer in members]
            spent += sum(peer.cpu() for peer in members)
            whole += all(item["group"] == peers for item in answers)
            if whole == ROUNDS:
                total = sum(int(item["received"]) for item in answers)
                most = total // peers if alone else max(int(item["received"]) for item in answers)
                wall = max(float(item["seconds"]) for item in answers)
                return Exchange(total, most, wall, spent, networked=not alone)
    finally:
        for peer in members:
            peer.end()
    raise RuntimeError(f"{peers} peers of hivemind never found each other")


def daemon_runs(python: Path) -> bool:
    """Whether the daemon in hivemind's package is a program for this system."""
    where = "import hivemind.hivemind_cli as cli; print(next(iter(cli.__path__)))"
    found = subprocess.run([str(python), "-c", where], capture_output=True, text=True, check=True)
    try:
        subprocess.run([f"{found.stdout.strip()}/p2pd", "-h"], capture_output=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return True


def flower(python: Path, values: int, clients: int) -> Exchange:
    """FedAvg of `values` float32 between a server and `clients`; bytes are those of their TCP connections.

    Raises:
        RuntimeError: server or client ended early.
    """
    port = _free_port()
    server = _Peer(
        python, "flower_peer.py", listen=f"127.0.0.1:{port}", clients=clients, rounds=ROUNDS, values=values
    )
    wires = [_Wire(port) for _ in range(clients)]
    joined: list[_Peer] = []
    try:
        _wait_for_port(port)
        joined += [_Peer(python, "flower_peer.py", connect=f"127.0.0.1:{wire.port}") for wire in wires]
        spent = 0.0
        for _ in range(ROUNDS):
            spent = sum(float(client.read()["cpu"]) for client in joined)
            answer = server.read()
        down, up = (sum(column) for column in zip(*((wire.down, wire.up) for wire in wires), strict=True))
        most = max(wire.down for wire in wires)
        return Exchange(
            (down + up) // ROUNDS, most // ROUNDS, float(answer["seconds"]), spent + float(answer["cpu"])
        )
    finally:
        for peer in (*joined, server):
            peer.end()
        for wire in wires:
            wire.close()


class _Wire:
    """A TCP connection through this process, which counts what passes: `down` to the client, `up` from it."""

    def __init__(self, target: int) -> None:
        self.down = self.up = 0
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:  # closed
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            threading.Thread(target=self._pass, args=(near, far, "up"), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, "down"), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, direction: str) -> None:
        try:
            while data := source.recv(1 << 16):
                setattr(self, direction, getattr(self, direction) + len(data))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:  # one end is gone, and the other is told
            sink.close()

    def close(self) -> None:
        self._listener.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
