"""Independent work over the cores of one machine, in fresh processes that end with this one."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from typing import TypeVar

from jepanet.errors import Exit, Fatal
from jepanet.lifetime import follow_parent, signals_held
from jepanet.log_stream import make_errors_patient
from jepanet.telemetry import configure_logging

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(
    tasks: Sequence[T], work: Callable[[T], R], workers: int, finished: Callable[[T, R], None]
) -> None:
    """Runs `work`, a function of a module, on every task; `finished` is called here as each one ends.

    The first failure is raised, and what has not begun by then is dropped: tasks keep their own results.

    Raises:
        Fatal: a process died (`WORKER`). Whatever `work` raises.
    """
    if not tasks:
        return
    context = multiprocessing.get_context("spawn")
    count = max(1, min(workers, len(tasks)))
    with signals_held():
        # The library's own helper; it lets signals through again when it has been started.
        resource_tracker.ensure_running()
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin)
    try:
        with signals_held():
            jobs = {pool.submit(work, task): task for task in tasks}
        for job in as_completed(jobs):
            finished(jobs[job], job.result())
    except BrokenProcessPool:
        raise Fatal(
            "a working process died, most likely for want of memory",
            remedy="run the same command again, with fewer --workers: what is finished is kept",
            code=Exit.WORKER,
        ) from None
    except KeyboardInterrupt:
        # Nobody waits for minutes of training that will be repeated; files are written atomically.
        for process in multiprocessing.active_children():
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    follow_parent()
    make_errors_patient()  # a warning that nobody reads must not hold up hours of work
    configure_logging(level="error")  # to standard error: standard output is the command's own
