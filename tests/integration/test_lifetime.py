"""Children end with their parent, however it ends; TERM and HUP end a command as Ctrl-C does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from jepanet.lifetime import STOPPING

pytestmark = pytest.mark.integration

JEPANET = [sys.executable, "-m", "jepanet.interface.entry"]
PATIENCE = 90.0


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.02)


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@contextmanager
def started(line: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(line, stdout=output, stderr=output, start_new_session=True)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


POOL = """
import re, sys, time
from jepanet.interface import entry
from jepanet.learning.parallel import in_parallel

def work(busy):
    if busy:  # in C, for years, with the interpreter's lock: no thread of this process gets its turn
        re.match("(a+)+$", "a" * 60 + "b")
    time.sleep(600)

def command():
    in_parallel([False, True], work, 2, lambda *_: None)

if __name__ == "__main__":
    import jepanet.interface.cli as cli
    cli.main = command
    entry.main()
"""


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    path = tmp_path / "pool.py"
    path.write_text(POOL)
    return path


@pytest.mark.parametrize(
    ("whom", "number"),
    [("parent", signal.SIGKILL)] + [(whom, number) for whom in ("parent", "group") for number in STOPPING],
)
def test_workers_end_with_their_parent(pool: Path, tmp_path: Path, whom: str, number: signal.Signals) -> None:
    with started([sys.executable, str(pool)], tmp_path / "log") as parent:
        me = psutil.Process(parent.pid)
        until(lambda: len(working(me)) == 2, "two workers")
        workers = me.children(recursive=True)
        (os.kill if whom == "parent" else os.killpg)(parent.pid, number)
        code = parent.wait(PATIENCE)
        until(lambda: not any(map(alive, workers)), "the workers to end")
        said = (tmp_path / "log").read_text()
    assert "Traceback" not in said
    if number == signal.SIGKILL:
        assert code == -number
    else:
        assert code == 128 + number
        assert said.startswith("jepanet: ") and "what to do" in said


def working(parent: psutil.Process) -> list[psutil.Process]:
    """Children that are past their start: they hold back the signals and have done some work."""
    found = []
    for child in parent.children():
        with suppress(psutil.Error):
            if "resource_tracker" not in " ".join(child.cmdline()) and child.num_threads() > 1:
                found.append(child)
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_dataset_build_leaves_no_recorder_behind(tmp_path: Path, number: signal.Signals) -> None:
    line = [
        *JEPANET,
        "dataset",
        "build",
        "tworoom",
        "--out",
        str(tmp_path / "data"),
        "--size",
        "episodes=4000",
    ]
    with started(line, tmp_path / "log") as parent:
        me = psutil.Process(parent.pid)
        until(lambda: len(working(me)) == 2, "two recorders")
        workers = me.children(recursive=True)
        parent.send_signal(number)
        code = parent.wait(PATIENCE)
        until(lambda: not any(map(alive, workers)), "the recorders to end")
        assert "Traceback" not in (tmp_path / "log").read_text()
    assert code == (-number if number == signal.SIGKILL else 128 + number)
