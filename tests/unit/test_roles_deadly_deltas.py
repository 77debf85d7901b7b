"""A delta that workers die of holds up nobody: it is found, left out, and nothing is said of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from jepanet.errors import Exit, Transient
from jepanet.roles.steps.deadly_deltas import DEATHS, Measuring
from jepanet.roles.steps.missing import grace_end
from jepanet.types import Digest
from jepanet.work.requests.request import WorkerDied
from jepanet.work.requests.scoring import ClaimedDelta, ScoreClaims
from round_samples import account, digest

pytestmark = pytest.mark.unit

ROUND: Any = SimpleNamespace(id=7, reveal_end=1000, params=SimpleNamespace(verify_duration=400))
HONEST, DEADLY, OTHER = digest("honest"), digest("deadly"), digest("other")


class Workers:
    """Every one dies of certain deltas, or of more than so many at once, or of the round's own files."""

    def __init__(self, *deadly: Digest, most: int = 9, base: bool = False, code: Exit | None = None) -> None:
        self.deadly, self.most, self.base, self.code = deadly, most, base, code
        self.worked: list[list[str]] = []
        """By job, the digests with their bytes, in words."""

    async def run(self, request: ScoreClaims) -> Any:
        there = [item.digest for item in request.claims if item.path is not None]
        self.worked.append([name for name in NAMES if NAMES[name] in there])
        if self.base or len(there) > self.most or any(item in there for item in self.deadly):
            if self.code is not None:
                raise Transient("no memory", code=self.code)
            raise WorkerDied("the worker ended with status -9")
        return request


NAMES = {"honest": HONEST, "deadly": DEADLY, "other": OTHER}


def asked() -> ScoreClaims:
    claims = [ClaimedDelta(account("solver", i), i, item, Path("x")) for i, item in enumerate(NAMES.values())]
    missing = ClaimedDelta(account("solver", 3), 3, digest("missing"), None, "too-large")
    files: Any = None
    return ScoreClaims(files, files, (*claims, missing))


def measuring(workers: Workers, now: int) -> tuple[Measuring, SimpleNamespace]:
    clock = SimpleNamespace(now=now)
    context: Any = SimpleNamespace(jobs=workers, state=lambda: clock)
    return Measuring(context), clock


async def tries(measure: Measuring, times: int) -> None:
    for _ in range(times):
        with pytest.raises(Transient):
            await measure.measure(ROUND, asked())


@pytest.mark.parametrize("code", [None, Exit.OUT_OF_MEMORY])
async def test_attack_a_delta_that_kills_workers_is_left_out_and_all_others_are_measured(
    code: Exit | None,
) -> None:
    workers = Workers(DEADLY, code=code)
    measure, _ = measuring(workers, grace_end(ROUND))
    await tries(measure, DEATHS - 1)
    with capture_logs() as lines:
        measured: Any = await measure.measure(ROUND, asked())
    assert [(item.path is not None, item.fault) for item in measured.claims] == [
        (True, None), (False, "machine-failed"), (True, None), (False, "too-large"),
    ]  # fmt: skip
    assert [(line["event"], line["digest"]) for line in lines] == [("delta.abandoned", DEADLY)]
    assert workers.worked[DEATHS] == [], "the base alone comes first"
    assert workers.worked.count(["deadly"]) == DEATHS
    assert workers.worked[-1] == ["honest", "other"]


async def test_early_in_verify_nothing_is_left_out() -> None:
    """A machine may lack memory for a while."""
    measure, clock = measuring(Workers(DEADLY), grace_end(ROUND) - 1)
    await tries(measure, 3 * DEATHS)
    clock.now += 1
    assert (await measure.measure(ROUND, asked())) is not None


@pytest.mark.parametrize("workers", [Workers(base=True), Workers(most=2)])
async def test_a_machine_that_fails_at_the_round_itself_leaves_nobody_out(workers: Workers) -> None:
    measure, _ = measuring(workers, grace_end(ROUND))
    with capture_logs() as lines:
        await tries(measure, 2 * DEATHS)
    assert lines == []


async def test_another_failure_counts_for_nothing() -> None:
    workers = Workers(DEADLY, code=Exit.DISK_FULL)
    measure, _ = measuring(workers, grace_end(ROUND))
    await tries(measure, 2 * DEATHS)
    assert workers.worked == [["honest", "deadly", "other"]] * 2 * DEATHS
