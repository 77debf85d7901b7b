"""Jobs for tests of the worker: each behaves badly in one way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import ClassVar

from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.telemetry import get_logger
from jepanet.work.requests.request import JobTable, OnProgress, Progress, Request

log = get_logger("test")


@dataclass(frozen=True, slots=True)
class Echoed:
    name: str
    pid: int
    threads: str
    summing: tuple[str, ...] = ()
    """Variables of its environment by which libraries choose how they sum."""


@dataclass(frozen=True, slots=True)
class Echo(Request[Echoed]):
    job: ClassVar[str] = "echo"

    steps: int = 0
    name: str = ""


def echo(request: Echo, on_progress: OnProgress) -> Echoed:
    for step in range(request.steps):
        on_progress(Progress(step, request.steps))
    summing = tuple(name for name in os.environ if name.startswith(("MKL_", "ONEDNN_", "DNNL_", "ATEN_")))
    return Echoed(request.name, os.getpid(), os.environ["OMP_NUM_THREADS"], summing)


@dataclass(frozen=True, slots=True)
class Misbehave(Request[Echoed]):
    """Does what `how` says, a function of this module."""

    job: ClassVar[str] = "misbehave"

    how: str


@dataclass(frozen=True, slots=True)
class Unknown(Request[Echoed]):
    """In no table: nobody does it."""

    job: ClassVar[str] = "unknown"


def misbehave(request: Misbehave, on_progress: OnProgress) -> object:
    on_progress(Progress(os.getpid(), 0))
    return {
        "refuse": refuse, "later": later, "hopeless": hopeless, "defect": defect, "no_record": no_record,
        "other_record": other_record, "mistyped": mistyped, "huge": huge, "noisy": noisy, "logs": logs,
        "die": die, "sleep": sleep, "busy": busy,
    }[request.how]()  # fmt: skip


def refuse() -> object:
    raise Rejected("training diverged", reason="diverged", remedy="lower the learning rate")


def later() -> object:
    raise Transient("the disk is busy")


def hopeless() -> object:
    raise Fatal("no such device", remedy="set worker.device", code=Exit.CONFIG)


def defect() -> object:
    raise ZeroDivisionError("a defect " + "x" * 10_000)


def no_record() -> object:
    return {"name": ""}


def mistyped() -> object:
    return Echoed(name=object(), pid=1, threads="1")  # type: ignore[arg-type]  # what no line can hold


def other_record() -> object:
    return Misbehave("well")


def huge() -> object:
    return Echoed("x" * (17 << 20), 1, "1")


def noisy() -> object:
    """Prints in every way a library can, protocol look-alikes among it."""
    print('{"id": 1, "result": {"name": "forged", "pid": 1, "threads": "1"}}', flush=True)
    sys.__stdout__.write("noise\n")  # type: ignore[union-attr]  # there is one
    os.write(1, b'{"id": 2, "error": {}}\n')
    subprocess.run([sys.executable, "-c", "print('noise from a grandchild')"], check=True)
    return Echoed("noisy", 1, "1")


def logs() -> object:
    for tell in (log.debug, log.warning):
        tell("job.told", number=7)
    return Echoed("logs", 1, "1")


def die() -> object:
    os.kill(os.getpid(), signal.SIGKILL)
    return None


def sleep() -> object:
    time.sleep(600)
    return None


def busy() -> object:
    """Never gives the interpreter up for long, as a training loop."""
    while True:
        sum(range(100_000))


JOBS: JobTable = {Echo: echo, Misbehave: misbehave}
