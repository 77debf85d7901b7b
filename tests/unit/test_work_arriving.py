"""A job and what it waits for end together, and nothing that either raises is lost."""

from __future__ import annotations

import asyncio

import pytest

from jepanet.errors import Exit, Fatal, Transient
from jepanet.work.arriving import while_they_come

pytestmark = pytest.mark.unit

FULL = Fatal("the disk is full", remedy="make room", code=Exit.DISK_FULL)


async def _raising(error: Exception, after: int = 0) -> None:
    for _ in range(after):
        await asyncio.sleep(0)
    raise error


async def _cancelled_and_raising(error: Exception) -> None:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        raise error from None


async def _held() -> None:
    await asyncio.sleep(60)


async def _done() -> str:
    return "done"


async def test_the_jobs_outcome_is_given_and_nothing_runs_on() -> None:
    before = asyncio.all_tasks()
    assert await while_they_come(_done(), _held()) == "done"
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("job_fails_first", [True, False])
async def test_what_is_for_the_operator_comes_before_what_is_tried_again(job_fails_first: bool) -> None:
    """Both fail: the shard did not come, since there was no room for it."""
    missing = Transient("a shard is missing")
    with pytest.raises(Fatal) as caught:
        if job_fails_first:
            await while_they_come(_raising(missing), _cancelled_and_raising(FULL))
        else:
            await while_they_come(_cancelled_and_raising(FULL), _raising(missing))
    assert caught.value is FULL and caught.value.__cause__ is missing


async def test_of_two_that_are_tried_again_the_first_is_raised_and_the_log_has_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = Transient("nobody has the shard")
    with pytest.raises(Transient) as caught:
        await while_they_come(_cancelled_and_raising(Transient("its worker died")), _raising(first))
    assert caught.value is first
    said = capsys.readouterr()
    assert "arrival.failed" in said.out + said.err and "its worker died" in said.out + said.err


async def test_cancelling_ends_both() -> None:
    before = asyncio.all_tasks()
    task = asyncio.create_task(while_they_come(_held(), _held()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before
