"""Several programs as one: a process each, one log with a prefix, one stop.

The end of one is told and the others go on: each is somebody of its own, with its own stake to lose.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from jepanet.lifetime import die_with_parent, heeded

_CHUNK = 1 << 16
_LONGEST_LINE = 1 << 20
"""Bytes; a longer line is told in pieces."""
_ENOUGH = 60.0
"""Seconds that one may take to stop before it is killed, which loses nothing that is on disk."""


@dataclass(frozen=True, slots=True)
class Program:
    """What is started, and by which name its lines are told."""

    name: str
    line: tuple[str, ...]


async def run_together(programs: Sequence[Program]) -> int:
    """Runs all of them until each has ended. A signal stops them one after the other, the last one first, so
    that the first, through which the others meet, is there to the end.

    Returns the exit code of the first that ended with another than 0 without being told to; 0 if none did.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in heeded():
        loop.add_signal_handler(number, stop.set)
    width = max(len(program.name) for program in programs)
    running: list[_Running] = []
    failed: list[int] = []
    try:
        for program in programs:  # one by one: what was started is known where the next cannot be
            running += [await _started(program, width)]
        ends = [asyncio.create_task(one.told(failed)) for one in running]
        stopping = asyncio.create_task(stop.wait())
        everybody = asyncio.gather(*ends)
        await asyncio.wait((everybody, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        for one, end in reversed(list(zip(running, ends, strict=True))):
            await one.stop(end)
    finally:
        for one in running:
            if one.process.returncode is None:
                one.process.kill()
    return failed[0] if failed else 0


@dataclass(slots=True)
class _Running:
    name: str
    prefix: str
    process: asyncio.subprocess.Process
    told_to_stop: bool = False

    async def told(self, failed: list[int]) -> None:
        """Tells its lines until it ends, and then that. If it failed by itself its exit code, as a shell has
        it, is appended."""
        output = self.process.stderr
        if output is None:
            raise RuntimeError(f"{self.name} was started without a pipe")
        rest = b""
        while chunk := await output.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            _tell(self.prefix, lines)
        if rest:
            _tell(self.prefix, [rest])
        code = await self.process.wait()
        how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        if code and not self.told_to_stop:
            failed.append(128 - code if code < 0 else code)
        _tell(self.prefix, [how.encode() if self.told_to_stop else f"{how}; the others go on".encode()])

    async def stop(self, end: asyncio.Task[None]) -> None:
        """Asks it to end and waits until that was told; kills it where that takes too long."""
        if self.process.returncode is None:
            self.told_to_stop = True
            self.process.terminate()
        await asyncio.wait((end,), timeout=_ENOUGH)
        if self.process.returncode is None:
            self.process.kill()
        await end


async def _started(program: Program, width: int) -> _Running:
    process = await asyncio.create_subprocess_exec(
        *program.line,
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # a terminal's Ctrl-C reaches this process alone, which stops them in order
        preexec_fn=partial(die_with_parent, os.getpid()),
    )
    return _Running(program.name, f"{program.name:<{width}} | ", process)


def _tell(prefix: str, lines: Sequence[bytes]) -> None:
    sys.stderr.write("".join(f"{prefix}{line.decode(errors='replace')}\n" for line in lines))
    sys.stderr.flush()
