"""Independent work over the cores of one machine, in fresh processes."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from jepanet.errors import Fatal

T = TypeVar("T")


def in_parallel(
    tasks: Sequence[T], work: Callable[[T], None], workers: int, finished: Callable[[T], None]
) -> None:
    """Runs `work`, a function of a module, on every task; `finished` is called here as each one ends.

    The first failure is raised, and what has not begun by then is dropped: tasks keep their own results.

    Raises:
        Fatal: a process died. Whatever `work` raises.
    """
    if not tasks:
        return
    context = multiprocessing.get_context("spawn")
    count = max(1, min(workers, len(tasks)))
    with ProcessPoolExecutor(count, mp_context=context, initializer=_leave_interrupts_to_the_parent) as pool:
        jobs = {pool.submit(work, task): task for task in tasks}
        try:
            for job in as_completed(jobs):
                job.result()
                finished(jobs[job])
        except KeyboardInterrupt:
            # Nobody waits for minutes of training that will be repeated; files are written atomically.
            for process in multiprocessing.active_children():
                process.terminate()
            raise
        except BrokenProcessPool:
            raise Fatal(
                "a working process died, most likely for want of memory",
                remedy="run the same command again, with fewer --workers: what is finished is kept",
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
