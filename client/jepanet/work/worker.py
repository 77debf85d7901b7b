"""Heavy work in a child process: only the child imports torch.

The node starts fast, its event loop stays free, and a job that dies (out of memory, a lost CUDA context, a
kill) costs one job. Parent and child speak JSON lines over pipes (`work/lines.py`): files cross by path,
never as bytes. The child ends when its standard input does: a node that is killed leaves no trainer running.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jepanet.errors import Exit, Fatal, JepanetError, Rejected, Transient
from jepanet.lifetime import signals_held
from jepanet.telemetry import get_logger
from jepanet.work.backbone_places import told
from jepanet.work.lines import Failure, call_line, error_of, read_reply
from jepanet.work.log_form import LogForm
from jepanet.work.pace import Pace
from jepanet.work.requests.request import OnProgress, Progress, R, Request, WorkerDied

log = get_logger("node")

JOBS = "jepanet.work.jobs"
DERIVATIONS = "jepanet.work.derivations"
"""Table of a worker that derives models and does nothing else: it imports no torch."""
_LINE_LIMIT = 16 << 20
_AS_TEXT = LogForm()
_OVERRUNS = 2
"""With so many a job is given up that got no further than before."""
_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class _Overran:
    """What is remembered of a job that took too long."""

    times: int = 0
    """In a row, without getting further."""
    step: int = 0
    """The furthest it got."""


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that a worker is doing now."""

    job: str
    seconds: int
    """Since it began."""
    progress: Progress | None
    """The last progress it reported."""
    rate: float | None = None
    """Steps a second."""
    curve: tuple[tuple[int, float], ...] = ()
    """Steps so far with their loss, thinned out."""


class Worker:
    """One child process that does one job at a time; jobs queue up.

    The child does the requests in the table `JOBS` of `module`, and no others.
    """

    def __init__(
        self,
        *,
        threads: int = 1,
        job_timeout: float | None = 3600.0,
        module: str = JOBS,
        log_form: LogForm = _AS_TEXT,
        backbones: Sequence[Path] = (),
    ) -> None:
        """`backbones`: folders in which jobs look for them, before those that JEPANET_BACKBONES names."""
        self._threads = threads
        self._timeout = job_timeout
        self._module = module
        self._log_form = log_form
        self._backbones = tuple(backbones)
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._number = 0
        self._job: str | None = None
        self._begun = 0.0
        self._progress: Progress | None = None
        self._pace = Pace()
        self.starts = 0
        """Child processes started."""
        self.deaths = 0
        """Those that ended in the middle of a job, or were ended because it took too long."""
        self._overran: OrderedDict[str, _Overran] = OrderedDict()
        """The newest jobs that took too long."""

    @property
    def pid(self) -> int | None:
        """Process id of the living child, if any."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def running(self) -> RunningJob | None:
        """The job that is being done, None without one."""
        if self._job is None:
            return None
        seconds = int(time.monotonic() - self._begun)
        return RunningJob(self._job, seconds, self._progress, self._pace.rate, self._pace.curve)

    async def start(self) -> None:
        """Starts the child ahead of its first job, so that importing torch overlaps with waiting."""
        if self.pid is not None:
            return
        # What chooses how products are summed is the build's alone: else two equal builds would differ.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MKL_", "ONEDNN_", "DNNL_", "ATEN_"))
        }
        threads = str(self._threads)
        environment.update(
            OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads,
            PYTHONHASHSEED="0", CUBLAS_WORKSPACE_CONFIG=":4096:8", **self._log_form.environment(),
            **told(self._backbones),
        )  # fmt: skip
        with signals_held():  # a service manager's signal to the whole group is the node's to act upon
            self._process = await asyncio.create_subprocess_exec(
                # -P: nothing in the working directory, which may be a stranger's, is taken for a module.
                sys.executable, "-P", "-m", "jepanet.work.child", self._module,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                limit=_LINE_LIMIT, env=environment, start_new_session=True,
            )  # fmt: skip
        self.starts += 1
        log.info("worker.started", pid=self._process.pid)

    async def run(self, request: Request[R], on_progress: OnProgress | None = None) -> R:
        """Does one job and returns its result.

        Raises:
            WorkerDied: the child did; a fresh one does the next job.
            Transient: it overran its time.
            Rejected: the job overran its time once more (`took-too-long`) and got no further than before: one
                that is taken up where it was left is repeated as long as it makes steps.
            Rejected, Fatal: raised by the job itself.
            Fatal: the child cannot even load its jobs (exit code `WORKER`).
        """
        async with self._turn:
            await self.start()
            self._job, self._begun, self._progress = request.job, time.monotonic(), None
            self._pace = Pace()
            try:
                async with asyncio.timeout(self._timeout):
                    return await self._exchange(request, on_progress)
            except TimeoutError as error:
                self.deaths += 1
                await self.stop()
                raise self._too_long(request) from error
            except asyncio.CancelledError:
                await self.stop()  # the child is in the middle of a job nobody waits for
                raise
            finally:
                self._job = None

    def _too_long(self, request: Request[R]) -> JepanetError:
        told = f"job {request.job} took longer than {self._timeout} s"
        key, step = repr(request), self._progress.step if self._progress else 0
        before = self._overran.pop(key, _Overran())
        resumed = getattr(request, "checkpoints", None) is not None
        times = 0 if resumed and step > before.step else before.times + 1
        if times >= _OVERRUNS:
            return Rejected(
                f"{told}, {times} times",
                reason="took-too-long",
                remedy="raise worker.job_timeout_seconds, or leave such projects out of projects.follow",
            )
        self._overran[key] = _Overran(times, max(step, before.step))
        while len(self._overran) > _REMEMBERED:
            self._overran.popitem(last=False)
        return Transient(told)

    async def _exchange(self, request: Request[R], on_progress: OnProgress | None) -> R:
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        self._number += 1
        try:
            process.stdin.write(call_line(self._number, request))
            await process.stdin.drain()
            while line := await process.stdout.readline():
                match read_reply(line, self._number, request):
                    case None:
                        continue
                    case Progress() as progress:
                        self._progress = progress
                        self._pace.note(progress, time.monotonic())
                        if on_progress:
                            on_progress(progress)
                    case Failure() as failure:
                        raise error_of(failure)
                    case result:
                        return result
        except (BrokenPipeError, ConnectionResetError):
            pass  # the child is gone; what follows says so
        except ValueError as error:  # a reply longer than a line may be, or none at all
            await self.stop()
            raise Rejected(f"{request.job} gave no usable answer: {error}", reason="worker-error") from error
        code = await process.wait()
        self._process = None
        self.deaths += 1
        if code == Exit.WORKER:
            raise Fatal(
                f"the worker cannot load {self._module}",
                remedy="the reason stands above in the log; install the package with everything it requires",
                code=Exit.WORKER,
            )
        raise WorkerDied(f"the worker ended with status {code} during {request.job}")

    async def stop(self) -> None:
        """Kills the child. Its files are written atomically, so nothing half done is left to trust."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
