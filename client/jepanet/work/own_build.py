"""What this machine computes trainings by, for processes without torch: asked once of a worker of its own, so
that nobody waits for a training to end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from jepanet.work.requests.machine import ON_CPU
from jepanet.work.requests.measuring import ProbeDevice
from jepanet.work.worker import Worker

_SECONDS = 120.0


class OwnBuildAsked:
    """Asks when it is first called, and remembers. Raises as `Worker.run`."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._build: Mapping[str, str] | None = None

    async def __call__(self) -> Mapping[str, str]:
        async with self._turn:
            if self._build is None:
                worker = Worker(job_timeout=_SECONDS)
                try:
                    self._build = (await worker.run(ProbeDevice(ON_CPU.device))).build
                finally:
                    await worker.stop()
            return self._build
