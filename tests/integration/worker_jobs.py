"""Jobs for tests of the worker: each behaves badly in one way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jepanet.errors import Exit, Fatal, Rejected, Transient

Arguments = Mapping[str, Any]
Progress = Callable[[Mapping[str, Any]], None]


def echo(arguments: Arguments, progress: Progress) -> dict[str, Any]:
    for step in range(int(arguments.get("steps", 0))):
        progress({"step": step})
    return {"arguments": dict(arguments), "pid": os.getpid(), "threads": os.environ["OMP_NUM_THREADS"]}


def refuse(arguments: Arguments, progress: Progress) -> dict[str, Any]:
    raise Rejected("training diverged", reason="diverged", remedy="lower the learning rate")


def later(arguments: Arguments, progress: Progress) -> dict[str, Any]:
    raise Transient("the disk is busy")


def hopeless(arguments: Arguments, progress: Progress) -> dict[str, Any]:
    raise Fatal("no such device", remedy="set worker.device", code=Exit.CONFIG)


def defect(arguments: Arguments, progress: Progress) -> dict[str, Any]:
    raise ZeroDivisionError("a defect " + "x" * 10_000)


def no_json(arguments: Arguments, progress: Progress) -> dict[str, Any]:
    return {"path": Path("/tmp")}  # only its type matters


def huge(arguments: Arguments, progress: Progress) -> dict[str, Any]:
    return {"data": "x" * (17 << 20)}


def noisy(arguments: Arguments, progress: Progress) -> dict[str, Any]:
    """Prints in every way a library can, protocol look-alikes among it."""
    print('{"id": 1, "result": {"forged": true}}', flush=True)
    sys.__stdout__.write("noise\n")  # type: ignore[union-attr]  # there is one
    os.write(1, b'{"id": 2, "error": {}}\n')
    subprocess.run([sys.executable, "-c", "print('noise from a grandchild')"], check=True)
    return {"heard": True}


def die(arguments: Arguments, progress: Progress) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def sleep(arguments: Arguments, progress: Progress) -> dict[str, Any]:
    progress({"pid": os.getpid()})
    time.sleep(600)
    return {}


def busy(arguments: Arguments, progress: Progress) -> dict[str, Any]:
    """Never gives the interpreter up for long, as a training loop."""
    progress({"pid": os.getpid()})
    while True:
        sum(range(100_000))
