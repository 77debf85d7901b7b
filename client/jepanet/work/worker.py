"""Heavy work in a child process: only the child imports torch.

The node starts fast, its event loop stays free, and a job that dies (out of memory, a lost CUDA context, a
kill) costs one job. Parent and child speak JSON lines over pipes: files cross by path, never as bytes.

    parent ──{"id","job","arguments"}──▶ child          child ends when its standard input does, so a node
    parent ◀──{"id","progress"|"result"|"error"}── child    that is killed leaves no trainer behind
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from jepanet.errors import Exit, Fatal, JepanetError, Rejected, Transient
from jepanet.lifetime import signals_held
from jepanet.telemetry import get_logger

log = get_logger("node")

JOBS = "jepanet.work.jobs"
_LINE_LIMIT = 16 << 20
Progress = Callable[[Mapping[str, Any]], None]


class Worker:
    """One child process that runs one job at a time; jobs queue up.

    Jobs are named `module:function`; the function takes and returns JSON-able dictionaries. The child runs
    functions of `module` alone.
    """

    def __init__(
        self, *, threads: int = 1, job_timeout: float = 3600.0, device: str = "cpu", module: str = JOBS
    ) -> None:
        self._threads = threads
        self._device = device
        self._timeout = job_timeout
        self._module = module
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._number = 0
        self._work: dict[str, Any] | None = None
        self._begun = 0.0

    @property
    def pid(self) -> int | None:
        """Process id of the living child, if any."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def work(self) -> dict[str, Any] | None:
        """The running job, None without one: `job`, `seconds` since it began, its last progress (`step` of
        `steps`, `loss`)."""
        if self._work is None:
            return None
        return {**self._work, "seconds": int(time.monotonic() - self._begun)}

    async def start(self) -> None:
        """Starts the child ahead of its first job, so that importing torch overlaps with waiting."""
        if self.pid is not None:
            return
        environment = dict(os.environ)
        threads = str(self._threads)
        environment.update(
            OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads,
            JEPANET_DEVICE=self._device, PYTHONHASHSEED="0", CUBLAS_WORKSPACE_CONFIG=":4096:8",
        )  # fmt: skip
        with signals_held():  # a service manager's signal to the whole group is the node's to act upon
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "jepanet.work.child", self._module,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                limit=_LINE_LIMIT, env=environment, start_new_session=True,
            )  # fmt: skip
        log.info("worker.started", pid=self._process.pid)

    async def run(
        self, job: str, arguments: Mapping[str, Any], on_progress: Progress | None = None
    ) -> dict[str, Any]:
        """Runs one job and returns its result.

        Raises:
            Transient: the child died or overran its time; a fresh child runs the next job.
            Rejected, Fatal: raised by the job itself.
            Fatal: the child cannot even load its jobs (exit code `WORKER`).
        """
        async with self._turn:
            await self.start()
            self._work, self._begun = {"job": job.partition(":")[2]}, time.monotonic()
            try:
                async with asyncio.timeout(self._timeout):
                    return await self._exchange(job, arguments, on_progress)
            except TimeoutError as error:
                await self.stop()
                raise Transient(f"job {job} took longer than {self._timeout:g} s") from error
            except asyncio.CancelledError:
                await self.stop()  # the child is in the middle of a job nobody waits for
                raise
            finally:
                self._work = None

    async def _exchange(
        self, job: str, arguments: Mapping[str, Any], on_progress: Progress | None
    ) -> dict[str, Any]:
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        self._number += 1
        line = json.dumps({"id": self._number, "job": job, "arguments": dict(arguments)}) + "\n"
        try:
            process.stdin.write(line.encode())
            await process.stdin.drain()
            while reply := await process.stdout.readline():
                message = json.loads(reply)
                if message["id"] != self._number:
                    continue
                if "progress" in message:
                    if self._work is not None:
                        self._work.update(message["progress"])
                    if on_progress:
                        on_progress(message["progress"])
                elif "error" in message:
                    raise _revived(message["error"])
                else:
                    result: dict[str, Any] = message["result"]
                    return result
        except (BrokenPipeError, ConnectionResetError):
            pass  # the child is gone; what follows says so
        except ValueError as error:  # an answer longer than a line may be, or none at all
            await self.stop()
            raise Rejected(f"{job} gave no usable answer: {error}", reason="worker-error") from error
        code = await process.wait()
        self._process = None
        if code == Exit.WORKER:
            raise Fatal(
                f"the worker cannot load {self._module}",
                remedy="the reason stands above in the log; install the package with everything it requires",
                code=Exit.WORKER,
            )
        raise Transient(f"the worker ended with status {code} during {job}")

    async def stop(self) -> None:
        """Kills the child. Its files are written atomically, so nothing half done is left to trust."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _revived(error: Mapping[str, Any]) -> JepanetError:
    text, remedy = str(error["message"]), error.get("remedy")
    match error["kind"]:
        case "Rejected":
            return Rejected(text, reason=str(error.get("reason", "rejected")), remedy=remedy)
        case "Transient":
            return Transient(text, remedy=remedy)
        case "Fatal":
            return Fatal(text, remedy=remedy, code=Exit(error.get("code", Exit.WORKER)))
        case _:
            # Not raised on purpose: a defect, or input nobody foresaw. The duty is refused, not retried.
            return Rejected(f"{error['kind']}: {text}", reason="worker-error")
