"""The links of `scripts/rehearsal` for real: namespaces, TUN devices and the process between them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scripts.rehearsing import namespaces
from scripts.rehearsing.plan import CHAIN
from scripts.rehearsing.relay import listening_in
from scripts.rehearsing.router import Router

pytestmark = pytest.mark.integration

MEMBERS = [CHAIN, "a", "b"]
DELAY_MS, LOSS = 20.0, 0.02
SERVE = """
import socket, sys
server = socket.create_server((sys.argv[1], 9000))
print("ready", flush=True)
while True:
    connection, _ = server.accept()
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)
"""
ASK = """
import os, socket, sys, time
data, got = os.urandom(int(sys.argv[2])), bytearray()
since = time.monotonic()
with socket.create_connection((sys.argv[1], 9000), timeout=float(sys.argv[3])) as connection:
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)
    while part := connection.recv(65536):
        got += part
assert bytes(got) == data
print(time.monotonic() - since)
"""


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> Iterator[Router]:
    """Three members beside whatever rehearsal runs on this machine."""
    if os.geteuid() != 0 or shutil.which("ip") is None or not Path("/dev/net/tun").exists():
        pytest.skip("network namespaces take root, iproute2 and /dev/net/tun")
    monkeypatch.setattr(namespaces, "PREFIX", f"jepanet-test-{os.getpid()}-")
    for member in MEMBERS:
        namespaces.make(member)
    wake, done = os.pipe(), threading.Event()
    try:
        said: dict[str, Any] = {name: {"delay_ms": DELAY_MS, "loss": LOSS / 2} for name in MEMBERS}
        router = Router({"members": MEMBERS, "links": said, "seed": 1, "chain": CHAIN})
        before = os.dup(0)
        os.dup2(wake[0], 0)  # the router ends with its standard input

        def run() -> None:
            router.run()
            done.set()

        threading.Thread(target=run, daemon=True).start()
        yield router
        os.close(wake[1])
        assert done.wait(5)
        os.dup2(before, 0)
        for device in router.devices:
            os.close(device)
    finally:
        assert sorted(namespaces.clean()) == sorted(MEMBERS)
        assert namespaces.clean() == []


def serving(member: str, address: str) -> subprocess.Popen[str]:
    command = [*namespaces.within(member), sys.executable, "-c", SERVE, address]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None and server.stdout.readline() == "ready\n"
    return server


def ask(member: str, address: str, size: int, patience: float = 30.0) -> float | None:
    """Seconds that an echo of so many bytes took; None when it did not come."""
    command = [*namespaces.within(member), sys.executable, "-c", ASK, address, str(size), str(patience)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return float(done.stdout) if done.returncode == 0 else None


def test_bytes_arrive_whole_over_links_that_delay_and_lose_and_not_over_a_cut(links: Router) -> None:
    addresses = namespaces.members_of(MEMBERS)
    serving("b", addresses["b"])  # ended with its namespace
    took = ask("a", addresses["b"], 300_000)
    assert took is not None and took > 4 * 2 * DELAY_MS / 1000  # there, back, and the same with the bytes
    sent = links.under_way.counts[1]
    assert sent.lost > 0 and sent.sent > 300_000
    links.obey({"cut": ["b"], "chain": True})
    assert ask("a", addresses["b"], 10, patience=1.0) is None and sent.cut > 0
    links.obey({"heal": True})
    assert wait_for(lambda: ask("a", addresses["b"], 10) is not None)


def test_the_relay_listens_within_and_calls_from_outside(links: Router) -> None:
    addresses = namespaces.members_of(MEMBERS)
    where = Path("/proc/self/ns/net").readlink()
    with listening_in(namespaces.namespace(CHAIN), addresses[CHAIN], 9000) as server:
        assert Path("/proc/self/ns/net").readlink() == where
        called = [*namespaces.within("a"), sys.executable, "-c", ASK, addresses[CHAIN], "1", "10"]
        caller = subprocess.Popen(called, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        server.settimeout(10)
        connection, peer = server.accept()
        with connection:
            assert peer[0] == addresses["a"] and connection.recv(1)
        caller.wait(10)


def wait_for(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if condition():
            return True
    return False


def test_of_a_rehearsal_that_is_killed_the_relay_ends() -> None:
    """It runs in no namespace, so that `--clean` would not find it."""
    if os.geteuid() != 0:
        pytest.skip("entering a network namespace takes root")
    relay = [sys.executable, "-m", "scripts.rehearsing.relay", "/proc/self/ns/net", "127.0.0.1", "0"]
    start = (
        f"import subprocess, sys, time; child = subprocess.Popen({relay!r}, stdout=subprocess.PIPE);"
        "child.stdout.readline(); print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE, text=True) as rehearsal:
        assert rehearsal.stdout is not None
        there = Path("/proc") / rehearsal.stdout.readline().strip()
        assert there.name.isdigit() and there.exists()
        rehearsal.kill()
    deadline = time.monotonic() + 10
    while there.exists() and "Z" not in (there / "stat").read_text().rpartition(")")[2].split()[0]:
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.1)
