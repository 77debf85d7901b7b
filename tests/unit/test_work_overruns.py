"""Which jobs are repeated that overran their time: those that get on, and no others."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

import pytest

from jepanet.errors import Rejected, Transient
from jepanet.work.requests.request import OnProgress, Progress, R, Request
from jepanet.work.worker import Worker

pytestmark = pytest.mark.unit


@dataclass(frozen=True, slots=True)
class Resumed(Request[None]):
    job: ClassVar[str] = "resumed"

    checkpoints: str | None = "here"


class Slow(Worker):
    """Its jobs never end; each run gets as far as the next of `reached`, 0: it makes no step."""

    def __init__(self, *reached: int) -> None:
        super().__init__(job_timeout=0.001)
        self._reached = iter(reached)

    async def start(self) -> None:
        """Without a child."""

    async def _exchange(self, request: Request[R], on_progress: OnProgress | None) -> R:
        if step := next(self._reached):
            self._progress = Progress(step, 1000)
        await asyncio.Event().wait()
        raise AssertionError


async def ends(worker: Worker, request: Request[None], transient: int) -> None:
    """The job is repeated so many times, and then no more."""
    for _ in range(transient):
        with pytest.raises(Transient, match="took longer"):
            await worker.run(request)
    with pytest.raises(Rejected, match="2 times") as caught:
        await worker.run(request)
    assert caught.value.reason == "took-too-long"


async def test_attack_a_training_that_never_makes_a_step_is_not_repeated_without_end() -> None:
    await ends(Slow(0, 0), Resumed(), 1)


async def test_a_training_that_gets_on_is_repeated_as_long_as_it_does() -> None:
    await ends(Slow(5, 9, 9, 12, 12, 12), Resumed(), 5)


async def test_one_that_falls_back_does_not_get_on() -> None:
    await ends(Slow(9, 3, 8), Resumed(), 2)


async def test_without_checkpoints_steps_count_for_nothing() -> None:
    await ends(Slow(5, 9), Resumed(None), 1)
