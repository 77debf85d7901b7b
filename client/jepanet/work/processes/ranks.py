"""Starts the processes that work together, hears the first of them, and says which one failed.

They are torchrun's: the same process manager starts them and ends them all when one fails. Its meeting point,
a port that anybody may connect to, is left out: processes of one machine meet in a file. They end with the
one that started them, however that ends.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jepanet.errors import JepanetError, Rejected, Transient
from jepanet.learning.training.processes.together import LOOPBACK
from jepanet.work.lines import error_of, read_failure

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

RANK = "jepanet.work.processes.rank"
_POLL = 0.1
"""Seconds between two looks at whether one has ended."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def run_ranks(folder: Path, count: int, told: Callable[[bytes], None], module: str = RANK) -> None:
    """Runs `count` processes of a module to their end; `told` hears every line of the named pipe `told`.

    `folder` exists and is theirs alone.

    Raises:
        Transient: one died, for example for want of memory; the message says which.
        Rejected, Fatal: as one of them raised it; a defect is `worker-error`, and says which.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, start_processes

    alive, lines = folder / "alive", folder / "told"
    for pipe in (alive, lines):
        os.mkfifo(pipe, 0o600)
    # Open both ways: neither end of a pipe then depends on whether the other has been opened.
    held, heard = os.open(alive, os.O_RDWR), os.open(lines, os.O_RDWR | os.O_NONBLOCK)
    (folder / "errors").mkdir()
    names = range(count)
    with _handlers_kept():
        processes = start_processes(
            name="training",
            entrypoint=sys.executable,
            args={rank: ("-P", "-m", module, str(folder)) for rank in names},
            envs={rank: _environment(rank, count) for rank in names},
            logs_specs=DefaultLogsSpecs(log_dir=str(folder / "errors")),
        )
    try:
        waiting = b""
        while True:
            ended = processes.wait(timeout=0)
            if ended is None:
                select.select([heard], [], [], _POLL)
            *whole, waiting = (waiting + _available(heard)).split(b"\n")
            for line in whole:
                told(line)
            if ended is not None:
                break
        if ended.is_failed():
            raise _reason(folder, count, ended.failures)
    finally:
        processes.close(signal.SIGKILL)
        os.close(held)
        os.close(heard)


def _environment(rank: int, count: int) -> dict[str, str]:
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    # torch warns of a setting that is meant (`learning/training/processes/several.py`).
    return {name: str(value) for name, value in place.items()} | LOOPBACK | {"TORCH_CPP_LOG_LEVEL": "ERROR"}


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """The process manager installs handlers of signals; what they mean to this process is decided here."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _available(pipe: int) -> bytes:
    found = b""
    while True:
        try:
            found += os.read(pipe, 1 << 16)
        except BlockingIOError:
            return found


def _reason(folder: Path, count: int, failures: Mapping[int, ProcessFailure]) -> JepanetError:
    """Why they failed: what came first. Whoever loses another, or is ended on its account, fails after it."""
    said = {rank: folder / f"failure-{rank}.json" for rank in failures}
    silent = [rank for rank in failures if not said[rank].exists()]
    died = [rank for rank in silent if failures[rank].exitcode != -signal.SIGTERM]
    spoke = sorted(set(failures) - set(silent), key=lambda rank: said[rank].stat().st_mtime_ns)
    rank = (*died, *spoke, *silent)[0]
    named = f"process {rank} of {count}"
    if rank in silent:
        code = failures[rank].exitcode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        return Transient(f"{named} that trained together {how}", remedy="fewer processes need less memory")
    failure = read_failure(said[rank].read_bytes())
    error = error_of(failure)
    if isinstance(error, Rejected) and error.reason == "worker-error":
        return Rejected(f"{named}: {error.message}", reason="worker-error", remedy=error.remedy)
    return error
