"""`jepanet top` and `jepanet status --watch`, of a real server: what they show, and where a node is gone."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from jepanet.errors import Exit, Fatal
from jepanet.interface.cli import cli
from jepanet.node.status import Surroundings
from rpc_served import beside, config_file

pytestmark = pytest.mark.integration

PATIENCE = 60.0


@contextmanager
def showing(*words: str, **options: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "jepanet", *words]
    process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_with(process: subprocess.Popen[str], what: str, *, errors: bool = False) -> str:
    """The next line that has it."""
    stream = process.stderr if errors else process.stdout
    assert stream is not None
    giving_up = threading.Timer(PATIENCE, process.kill)
    giving_up.start()
    try:
        for line in stream:
            if what in line:
                return line
    finally:
        giving_up.cancel()
    raise AssertionError(f"it never said {what!r}")


def test_elsewhere_than_at_a_terminal_every_change_has_a_line(tmp_path: Path) -> None:
    file = config_file(tmp_path)
    with beside(tmp_path) as node, showing("top", "--config", file) as shown:
        line_with(shown, "node: well, 3 peers")
        line_with(shown, "round 30: ")
        node.around = Surroundings(True, 1, 50 << 30, 100 << 30)
        told = line_with(shown, "to do: No endpoint of the chain answers")
        assert "jepanet node check" in told
        node.around = Surroundings(False, 1, 50 << 30, 100 << 30)
        line_with(shown, "no more: No endpoint of the chain answers")
        shown.send_signal(signal.SIGINT)
        assert shown.wait(PATIENCE) == 130


def test_each_look_is_a_line_of_json_and_a_node_that_is_gone_is_waited_for(tmp_path: Path) -> None:
    file = config_file(tmp_path)
    with showing("status", "--watch", "--json", "--config", file) as shown:
        line_with(shown, "the node does not answer", errors=True)
        with beside(tmp_path):
            seen = json.loads(line_with(shown, "worries"))
            assert seen["status"]["peers"] == 3 and seen["health"]["ready"]
            assert [item["summary"]["round"] for item in seen["rounds"]] == [30, 29, 28, 27]
        line_with(shown, "the node does not answer", errors=True)
        with beside(tmp_path):
            assert json.loads(line_with(shown, "worries"))["health"]["ready"]


def test_a_terminal_of_80_columns_has_all_of_it_in_place(tmp_path: Path) -> None:
    file = config_file(tmp_path)
    with beside(tmp_path) as node:
        node.account = replace(node.account, native=type(node.account.native)(0))
        ours, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "40"}
        process = subprocess.Popen(
            [sys.executable, "-m", "jepanet", "top", "--config", file],
            stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True,
        )  # fmt: skip
        os.close(theirs)
        seen, deadline = "", time.monotonic() + PATIENCE
        while "Chain" not in seen and time.monotonic() < deadline:
            if select.select([ours], [], [], 1.0)[0]:
                seen += os.read(ours, 65536).decode(errors="replace")
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # the other end is closed: it has ended
            while select.select([ours], [], [], PATIENCE)[0]:
                seen += os.read(ours, 65536).decode(errors="replace")
        assert process.wait(PATIENCE) == 130
        os.close(ours)
    assert "\x1b[?1049h" in seen, "the whole screen is its own"
    for part in ("Round", "The wallet has no ether", "Worker", "Wallet", "Earned", "Peers", "Transfers"):
        assert part in seen


def test_a_node_without_json_rpc_is_told_at_once(tmp_path: Path) -> None:
    file = Path(config_file(tmp_path))
    file.write_text(file.read_text().replace("enabled = true", "enabled = false"))
    shown = CliRunner().invoke(cli, ["top", "--config", str(file)], standalone_mode=False)
    assert isinstance(shown.exception, Fatal) and shown.exception.code is Exit.CONFIG
