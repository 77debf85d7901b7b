"""Logging never raises and never waits: dead and stalled readers, full disks, fields without words."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from jepanet import telemetry
from jepanet.log_stream import LogStream
from jepanet.telemetry import configure_logging, get_logger, lost_lines

pytestmark = [pytest.mark.unit, pytest.mark.timeout(60)]


@pytest.fixture(autouse=True)
def logging_is_left_as_it_was() -> Iterator[None]:
    yield
    structlog.reset_defaults()


class Refusing(io.StringIO):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def write(self, _: str) -> int:
        raise self._error


@pytest.mark.parametrize(
    "error", [BrokenPipeError(), OSError(28, "No space"), ValueError("I/O operation on closed file")]
)
@pytest.mark.parametrize("as_json", [True, False])
def test_a_stream_that_refuses_costs_a_line_and_is_counted(error: Exception, as_json: bool) -> None:
    configure_logging(json=as_json, stream=Refusing(error))
    before = lost_lines()
    get_logger("node").warning("disk.full", free=0)
    try:
        raise RuntimeError("inside")
    except RuntimeError:
        get_logger("node").exception("duty.failed")
    assert lost_lines() == before + 2


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no words")

    __str__ = __repr__


def endless() -> list[Any]:
    inner: list[Any] = []
    inner.append(inner)
    return inner


@pytest.mark.parametrize("value", [Unprintable(), endless(), {1: 2, "a": 3}, "\udcff", float("nan"), b"\xff"])
@pytest.mark.parametrize("as_json", [True, False])
def test_a_field_without_words_costs_its_line_at_most(value: Any, as_json: bool) -> None:
    stream = io.StringIO()
    configure_logging(json=as_json, stream=stream)
    get_logger("node").warning("peer.said", what=value)
    assert "peer.said" in stream.getvalue()


# ------------------------------------------------------------------ descriptors


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_what_is_written_arrives_in_order(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        stream = LogStream(file.fileno())
        for number in range(2000):
            stream.write(f"{number} é \udcff\n")
        assert stream.drain(30)
    assert lines_of(path) == [f"{number} é \\udcff" for number in range(2000)]
    assert stream.lost == 0


def test_a_reader_that_is_gone_costs_lines_only() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = LogStream(writing)
    for number in range(1000):
        stream.write(f"{number}\n")
    assert stream.drain(30)
    assert stream.lost == 1000
    os.close(writing)
    stream.write("closed as well\n")
    assert stream.drain(30)
    assert stream.lost == 1001


def test_a_reader_that_stalls_holds_nobody_up_and_learns_what_it_missed() -> None:
    """Before, the 70,000th byte waited for ever: 4 kB lines, 64 kB in the pipe, 100 kB in the queue."""
    reading, writing = os.pipe()
    stream = LogStream(writing, capacity=100_000)
    configure_logging(json=True, stream=stream)  # type: ignore[arg-type]  # a text stream for all that is used
    log = get_logger("node")
    for number in range(200):
        log.warning(f"event{number}.seen", text="x" * 4000)
    assert stream.lost > 100
    assert stream.drain(0.1) is False
    taken: list[bytes] = []

    def read() -> None:
        while block := os.read(reading, 1 << 16):
            taken.append(block)

    reader = threading.Thread(target=read)
    reader.start()
    assert stream.drain(30)
    log.warning("reader.back")
    assert stream.drain(30)
    os.close(writing)
    reader.join(30)
    os.close(reading)
    told = [json.loads(line) for line in b"".join(taken).splitlines()]
    assert sum(item["lines"] for item in told if item["event"] == "log.lost") == stream.lost
    seen = [item["event"] for item in told if item["event"] != "log.lost"]
    assert len(seen) + stream.lost == 201
    assert seen[-1] == "reader.back"


def test_a_full_disk_is_told_when_there_is_room_again(tmp_path: Path) -> None:
    path, full = tmp_path / "log", os.open("/dev/full", os.O_WRONLY)
    stream = LogStream(full)
    configure_logging(json=True, stream=stream)  # type: ignore[arg-type]
    for number in range(3):
        get_logger("node").warning(f"event{number}.lost")
    assert stream.drain(30)
    file = os.open(path, os.O_CREAT | os.O_WRONLY)
    os.dup2(file, full)
    get_logger("node").warning("room.again")
    assert stream.drain(30)
    os.close(file)
    os.close(full)
    events = [json.loads(line) for line in lines_of(path)]
    assert [item["event"] for item in events] == ["room.again", "log.lost"]
    assert events[1]["lines"] == 3
    assert events[1]["level"] == "warning" and "timestamp" in events[1]


def test_a_line_cut_in_two_does_not_spoil_the_next(tmp_path: Path) -> None:
    """A pipe without room takes half a line, and its reader dies."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    stream = LogStream(writing)
    stream.write("a" * (1 << 20) + "\n")
    os.read(reading, 1000)
    os.close(reading)
    assert stream.drain(30)
    file = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY)
    os.dup2(file, writing)
    stream.write("whole\n")
    assert stream.drain(30)
    assert lines_of(tmp_path / "log")[:2] == ["", "whole"]
    for descriptor in (file, writing):
        os.close(descriptor)


def test_a_destructor_may_log_in_the_middle_of_a_line() -> None:
    reading, writing = os.pipe()
    stream = LogStream(writing)

    class Loud(str):
        def encode(self, *_: Any) -> bytes:
            stream.write("inner\n")
            return b"outer\n"

    with stream._lock:
        stream.write(Loud("outer\n"))
    assert stream.drain(30)
    assert sorted(os.read(reading, 100).splitlines()) == [b"inner", b"outer"]
    os.close(reading)
    os.close(writing)


# ------------------------------------------------------------------ processes

NODE = """
import sys, warnings, logging, traceback
from jepanet.log_stream import make_errors_patient
from jepanet.telemetry import configure_logging, get_logger
make_errors_patient()
configure_logging(json=True)
for number in range(3000):
    get_logger("node").warning(f"event{number}.seen", text="x" * 4000)
    logging.getLogger("asyncio").error("a library's own line %s", "y" * 4000)
    print("z" * 4000, file=sys.stderr)
    warnings.warn("w" * 4000 + str(number))
print("worked on", flush=True)
sys.exit(7)
"""


@pytest.mark.subprocess
@pytest.mark.parametrize("reader", ["stalls", "dies", "is a full disk", "is closed"])
def test_a_process_goes_on_and_ends_whatever_its_log_does(reader: str) -> None:
    reading, writing = os.pipe()
    if reader == "dies":
        os.close(reading)
    redirected = {"is a full disk": "2>/dev/full", "is closed": "2>&-"}.get(reader, "")
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -c "$1" {redirected}', sys.executable, NODE],
        stdout=subprocess.PIPE, stderr=writing, timeout=50,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (7, b"worked on\n")
    os.close(writing)
    if reader != "dies":
        os.close(reading)


@pytest.mark.subprocess
def test_the_last_words_of_a_process_are_printed() -> None:
    program = (
        "from jepanet.log_stream import make_errors_patient; make_errors_patient()\n"
        "from jepanet.telemetry import *; configure_logging(json=True)\n"
        "for n in range(500): get_logger('node').warning(f'event{n}.seen')\n"
        "raise SystemExit('the end')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)
    lines = done.stderr.splitlines()
    assert len(lines) == 501
    assert lines[-1] == "the end"
    assert telemetry.lost_lines() >= 0
