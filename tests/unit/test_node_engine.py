"""The engine: duties are done at least once and recorded once, whatever handlers raise, wherever it dies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_bench import ME, Bench, Clock
from protocol_facts import COMMIT_END, OPENED, ROUND, SOLVER, committed, prepared, project, prologue

from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.node import engine as engine_module
from jepanet.protocol.duties import Duty, PrepareRound
from jepanet.protocol.facts import Fact, LocalFact, PeerSheet
from jepanet.protocol.state import FailedDuty, Identity, NodeState
from jepanet.protocol.transition import genesis, transition
from jepanet.types import Digest, ProjectId

pytestmark = pytest.mark.unit

PREPARE, TRAIN, COMMIT = f"PrepareRound/{ROUND}", f"TrainShard/{ROUND}", f"SendCommit/{ROUND}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(engine_module, "time", clock)
    yield clock


def replayed(bench: Bench) -> NodeState:
    """What a fresh start would make of the journal."""
    other = engine_module.Engine(bench.journal, ME, {})
    other.restore()
    return other.state


# ------------------------------------------------------------------ by the operator's hand


async def test_a_duty_that_was_given_up_is_tried_again_where_it_is_still_due(path: Path) -> None:
    async with Bench(path) as bench:
        refused = True

        async def once(_: Duty) -> list[LocalFact]:
            if refused:
                raise Rejected("no", reason="no")
            return [prepared()]

        bench.answers["PrepareRound"] = once
        bench.start()
        assert bench.engine.take_up(PrepareRound(ROUND)) is None, "there is no such duty yet"
        bench.open_round()
        await bench.until(lambda: bench.state_of(PREPARE) == "rejected")
        refused = False
        assert bench.engine.take_up(PrepareRound(ROUND)) == "pending"
        await bench.until(lambda: bench.state_of(COMMIT) == "done")
        assert bench.engine.take_up(PrepareRound(ROUND)) != "pending"
        await bench.settle()
        assert bench.calls.count("PrepareRound") == 2


async def test_a_duty_that_waits_is_tried_at_once(path: Path, clock: Clock) -> None:
    async with Bench(path) as bench:
        away = True

        async def when_there(_: Duty) -> list[LocalFact]:
            if away:
                raise Transient("nobody has it")
            return [prepared()]

        bench.answers["PrepareRound"] = when_there
        bench.start()
        bench.open_round()
        await bench.until(lambda: bench.calls)
        await bench.settle()
        away = False
        assert bench.state_of(PREPARE) == "pending" and bench.calls == ["PrepareRound"]
        assert bench.engine.take_up(PrepareRound(ROUND)) == "pending"
        await bench.until(lambda: bench.state_of(PREPARE) == "done")


# ------------------------------------------------------------------ the honest way


async def test_duties_follow_from_each_other_and_run_once(path: Path) -> None:
    async with Bench(path) as bench:
        bench.start()
        bench.open_round()
        await bench.until(lambda: bench.state_of(COMMIT) == "done")
        await bench.settle()
        assert bench.calls == ["PrepareRound", "TrainShard", "SendCommit"]
        assert bench.journal.pending() == []


async def test_nothing_is_dispatched_while_old_blocks_are_replayed(path: Path) -> None:
    async with Bench(path) as bench:
        bench.engine.caught_up = False
        bench.start()
        bench.open_round()
        await bench.settle()
        assert bench.calls == []
        bench.engine.caught_up = True
        bench.engine.notice()
        await bench.until(lambda: bench.calls)


async def test_a_running_duty_is_not_started_again(path: Path) -> None:
    async with Bench(path) as bench:
        gate = asyncio.Event()

        async def slowly(_: Duty) -> list[LocalFact]:
            await gate.wait()
            return [prepared()]

        bench.answers["PrepareRound"] = slowly
        bench.start()
        bench.open_round()
        await bench.until(lambda: bench.calls)
        await bench.settle()
        assert bench.calls == ["PrepareRound"]
        gate.set()
        await bench.until(lambda: bench.state_of(PREPARE) == "done")


async def test_a_slow_duty_holds_up_no_other(path: Path) -> None:
    async with Bench(path) as bench:

        async def never(_: Duty) -> list[LocalFact]:
            await asyncio.Event().wait()
            return []

        bench.answers["PrepareRound"] = never
        bench.start()
        bench.open_round()
        await bench.until(lambda: bench.calls)
        bench.engine.feed([prepared()])
        await bench.until(lambda: bench.state_of(COMMIT) == "done")


async def test_facts_that_change_nothing_are_not_kept(path: Path) -> None:
    async with Bench(path) as bench:
        bench.open_round()
        known = bench.journal.last_sequence()
        bench.engine.feed([PeerSheet(ROUND, SOLVER, Digest(bytes(32)))] * 2)
        bench.engine.feed([prepared()])
        before = bench.journal.last_sequence()
        bench.engine.feed([prepared()])
        assert bench.journal.last_sequence() == before > known
        assert replayed(bench) == bench.engine.state


# ------------------------------------------------------------------ failures


async def test_what_fails_for_now_is_tried_again_ever_more_patiently(path: Path, clock: Clock) -> None:
    async with Bench(path) as bench:

        def not_yet(_: Duty) -> list[LocalFact]:
            raise Transient("no peer serves it")

        bench.answers["PrepareRound"] = not_yet
        bench.start()
        bench.open_round()
        for attempt in range(1, 11):
            await bench.until(lambda attempt=attempt: len(bench.calls) == attempt)
            (row,) = bench.journal.pending()
            assert row.attempts == attempt
            assert row.error == "no peer serves it"
            delay = min(30.0, 0.5 * 2 ** (attempt - 1))
            clock.now += delay - 0.01
            await bench.settle()
            assert len(bench.calls) == attempt, "tried again before its time"
            clock.now += 0.02
            bench.engine.notice()
        bench.answers["PrepareRound"] = lambda _: [prepared()]
        await bench.until(lambda: bench.state_of(COMMIT) == "done")


async def test_a_postponed_duty_is_due_at_the_next_start(path: Path, clock: Clock) -> None:
    def not_yet(_: Duty) -> list[LocalFact]:
        raise Transient("later")

    async with Bench(path) as bench:
        bench.answers["PrepareRound"] = not_yet
        bench.start()
        bench.open_round()
        await bench.until(lambda: bench.journal.pending()[0].attempts)
        await bench.settle()
        assert len(bench.calls) == 1
    async with Bench(path) as bench:
        bench.engine.restore()
        bench.start()
        await bench.until(lambda: bench.state_of(PREPARE) == "done")


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.parametrize("restart", [False, True])
async def test_a_retry_keeps_its_time_when_the_clock_is_set(
    path: Path, monkeypatch: pytest.MonkeyPatch, hours: int, restart: bool
) -> None:
    """The real engine and journal: a retry due in half a second was due in an hour."""
    failed: list[float] = []

    def once(_: Duty) -> list[LocalFact]:
        if failed:
            return [prepared()]
        failed.append(time.monotonic())
        raise Transient("no peer serves it")

    real = time.time
    async with Bench(path) as bench:
        bench.answers["PrepareRound"] = once
        bench.start()
        bench.open_round()
        await bench.until(lambda: bench.journal.pending()[0].attempts)
        monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)
        if not restart:
            await bench.until(lambda: bench.state_of(PREPARE) == "done")
            assert time.monotonic() - failed[0] >= 0.5
            return
    async with Bench(path) as bench:
        bench.engine.restore()
        bench.start()
        await bench.until(lambda: bench.state_of(PREPARE) == "done")


async def test_what_is_refused_for_good_is_recorded_and_never_tried_again(path: Path) -> None:
    def refuse(_: Duty) -> list[LocalFact]:
        raise Rejected("the spec disagrees with the chain", reason="bad-spec")

    async with Bench(path) as bench:
        bench.answers["PrepareRound"] = refuse
        bench.start()
        bench.open_round()
        await bench.until(lambda: bench.state_of(PREPARE) == "rejected")
        await bench.until(lambda: bench.engine.state.own[ROUND].failed)
        bench.chain.at(OPENED + 10)
        bench.feed()
        await bench.settle()
        assert bench.calls == ["PrepareRound"]
        assert bench.engine.state.own[ROUND].failed == (FailedDuty("PrepareRound", "bad-spec"),)
        (row,) = bench.journal.outbox(ROUND)
        assert row.error is not None
        assert "the spec disagrees with the chain" in row.error
    async with Bench(path) as bench:
        bench.engine.restore()
        assert bench.engine.state.own[ROUND].failed == (FailedDuty("PrepareRound", "bad-spec"),)
        bench.start()
        await bench.settle()
        assert bench.calls == []


async def test_a_defect_is_tried_three_times_and_then_given_up(path: Path, clock: Clock) -> None:
    def break_down(_: Duty) -> list[LocalFact]:
        raise ZeroDivisionError("a defect")

    async with Bench(path) as bench:
        bench.answers["PrepareRound"] = break_down
        bench.start()
        bench.open_round()
        for attempt in (1, 2, 3):
            await bench.until(lambda attempt=attempt: len(bench.calls) == attempt)
            await bench.settle()
            clock.now += 1.5
            bench.engine.notice()
        await bench.until(lambda: bench.state_of(PREPARE) == "rejected")
        assert bench.engine.state.own[ROUND].failed == (FailedDuty("PrepareRound", "internal-error"),)
        await bench.settle()
        assert len(bench.calls) == 3


async def test_a_fatal_error_ends_the_engine_and_leaves_the_duty_pending(path: Path) -> None:
    def no_disk(_: Duty) -> list[LocalFact]:
        raise Fatal("the disk is full", remedy="free some space", code=Exit.DISK_FULL)

    async with Bench(path) as bench:
        bench.answers["TrainShard"] = no_disk
        task = bench.start()
        bench.open_round()
        with pytest.raises(Fatal, match="the disk is full") as caught:
            await asyncio.wait_for(task, 20)
        assert caught.value.code is Exit.DISK_FULL
        assert bench.state_of(PREPARE) == "done"
        assert bench.state_of(TRAIN) == "pending"


async def test_a_journal_that_fails_ends_the_engine(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Bench(path) as bench:
        task = bench.start()
        bench.open_round()

        def full(*_: object, **__: object) -> None:
            raise Fatal("the disk is full", code=Exit.DISK_FULL)

        monkeypatch.setattr(bench.journal, "record", full)
        with pytest.raises(Fatal, match="the disk is full"):
            await asyncio.wait_for(task, 20)


async def test_stopping_cancels_handlers_and_their_duties_come_back(path: Path) -> None:
    cancelled = []

    async def never(_: Duty) -> list[LocalFact]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return []

    async with Bench(path) as bench:
        bench.answers["PrepareRound"] = never
        bench.start()
        bench.open_round()
        await bench.until(lambda: bench.calls)
        await bench.stop()
        assert cancelled == [True]
        assert bench.state_of(PREPARE) == "pending"
    async with Bench(path) as bench:
        bench.engine.restore()
        bench.start()
        await bench.until(lambda: bench.state_of(COMMIT) == "done")


# ------------------------------------------------------------------ moot duties


async def test_a_duty_whose_time_is_over_is_closed_without_running(path: Path, clock: Clock) -> None:
    def unreachable(_: Duty) -> list[LocalFact]:
        raise Transient("no endpoint answers")

    async with Bench(path) as bench:
        bench.answers["SendCommit"] = unreachable
        bench.start()
        bench.open_round()
        await bench.until(lambda: bench.calls.count("SendCommit") == 1)
        await bench.until(lambda: any(row.attempts for row in bench.journal.pending()))
        bench.chain.at(COMMIT_END)
        bench.feed()
        clock.now += 60
        await bench.until(lambda: bench.state_of(COMMIT) == "done")
        assert bench.calls.count("SendCommit") == 1


async def test_a_duty_somebody_else_fulfilled_is_closed_without_running(path: Path, clock: Clock) -> None:
    """A commit that was mined although its handler saw no receipt."""

    def lost(_: Duty) -> list[LocalFact]:
        raise Transient("no receipt yet")

    async with Bench(path) as bench:
        bench.answers["SendCommit"] = lost
        bench.start()
        bench.open_round()
        await bench.until(lambda: any(row.attempts for row in bench.journal.pending()))
        bench.chain.add(committed(SOLVER))
        bench.feed()
        clock.now += 60
        await bench.until(lambda: bench.state_of(COMMIT) == "done")
        assert bench.calls.count("SendCommit") == 1


# ------------------------------------------------------------------ crashes


class _Crash(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("step", ["start", "handled"])
@pytest.mark.parametrize("duty", ["PrepareRound", "TrainShard", "SendCommit"])
async def test_a_duty_that_was_not_recorded_is_offered_again(duty: str, step: str, path: Path) -> None:
    def trace(at: str) -> None:
        if at == f"{step}:{duty}":
            raise _Crash

    bench = Bench(path, trace=trace)
    task = bench.start()
    bench.open_round()
    await asyncio.wait({task}, timeout=20)
    assert isinstance(task.exception(), _Crash)
    first = list(bench.calls)
    live = bench.engine.state
    bench.journal.close()
    async with Bench(path) as again:
        again.engine.restore()
        assert again.engine.state == live
        again.start()
        await again.until(lambda: again.state_of(COMMIT) == "done")
        assert (first + again.calls).count(duty) == (1 if step == "start" else 2)
        assert all((first + again.calls).count(name) == 1 for name in ("PrepareRound", "TrainShard",
                   "SendCommit") if name != duty)  # fmt: skip


@pytest.mark.parametrize("snapshot_every", [1, 2, 3, 1000])
async def test_what_is_restored_equals_what_was_live(
    snapshot_every: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_SNAPSHOT_EVERY", snapshot_every)
    async with Bench(path) as bench:
        bench.start()
        bench.open_round()
        await bench.until(lambda: bench.state_of(COMMIT) == "done")
        bench.chain.add(committed(SOLVER)).at(COMMIT_END).at(COMMIT_END + 5)
        bench.feed()
        await bench.settle()
        assert replayed(bench) == bench.engine.state
        assert (bench.journal.latest_snapshot() is None) == (snapshot_every == 1000)


async def test_a_role_that_was_added_since_is_given_its_duties(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replay hands every duty out once: one that the outbox never held would be lost."""
    async with Bench(path, me=Identity(SOLVER, frozenset())) as bench:
        bench.open_round()
        assert bench.journal.outbox() == []
    async with Bench(path) as bench:
        bench.engine.restore()
        assert [row.tag for row in bench.journal.pending()] == ["PrepareRound"]
        before = bench.journal.outbox()
        with monkeypatch.context() as during:
            during.setattr(bench.journal, "outbox", lambda: pytest.fail("a start read the whole outbox"))
            bench.engine.restore()
        assert bench.journal.outbox() == before


async def test_a_replay_that_is_killed_goes_on_where_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal may hold millions of facts, and after an upgrade no snapshot: a start that takes longer than
    its service manager waits would begin anew for ever. No duty may be lost on the way."""
    monkeypatch.setattr(engine_module, "_REPLAYED_BETWEEN_SNAPSHOTS", 4)
    async with Bench(path, me=Identity(SOLVER, frozenset())) as bench:
        bench.open_round()
        for n in range(1, 8):
            bench.chain.at(OPENED + n)
        bench.feed()
        assert bench.journal.latest_snapshot() is None
        total = bench.journal.last_sequence()
    left = 9

    def killed(state: NodeState, fact: Fact) -> tuple[NodeState, tuple[Duty, ...]]:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return transition(state, fact)

    async with Bench(path) as bench:
        with monkeypatch.context() as during, pytest.raises(KeyboardInterrupt):
            during.setattr(engine_module, "transition", killed)
            bench.engine.restore()
    async with Bench(path) as bench:
        assert bench.engine.restore() == total - 8
        assert [row.tag for row in bench.journal.pending()] == ["PrepareRound"]
        whole = genesis(ME)
        for _, stored in bench.journal.facts():
            whole, _ = transition(whole, engine_module.fact_of(stored))
        assert bench.engine.state == whole


async def test_a_snapshot_taken_at_the_end_is_enough(path: Path) -> None:
    async with Bench(path) as bench:
        bench.open_round()
        bench.engine.snapshot()
        other = engine_module.Engine(bench.journal, ME, {})
        assert other.restore() == 0
        assert other.state == bench.engine.state


async def test_many_blocks_are_recorded_in_batches_that_end_with_a_block(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_BATCH", 3)
    async with Bench(path) as bench:
        bench.chain.add(*prologue())  # type: ignore[arg-type]  # chain facts alone
        for n in range(10):
            bench.chain.at(OPENED + n)
        recorded: list[int | None] = []
        record = bench.journal.record

        def spied(*arguments: object, cursor: int | None = None, **named: object) -> None:
            recorded.append(cursor)
            record(*arguments, cursor=cursor, **named)  # type: ignore[arg-type]  # handed through

        monkeypatch.setattr(bench.journal, "record", spied)
        bench.feed()
        assert len(recorded) > 3
        assert recorded[-1] == bench.chain.head == bench.journal.cursor()
        assert replayed(bench) == bench.engine.state


# ------------------------------------------------------------------ deep reorganisations


async def test_after_a_deep_rewind_what_was_sent_is_sent_again(path: Path) -> None:
    async with Bench(path) as bench:
        bench.start()
        bench.open_round()
        await bench.until(lambda: bench.state_of(COMMIT) == "done")
        kept = bench.chain.head
        bench.chain.add(committed(SOLVER))
        bench.feed()
        assert bench.engine.state.rounds[ROUND].committed(SOLVER)
        bench.chain.forget(kept)
        bench.engine.rewind(kept)
        assert not bench.engine.state.rounds[ROUND].committed(SOLVER)
        await bench.until(lambda: bench.calls.count("SendCommit") == 2)
        await bench.settle()
        # Training is not repeated: what was sealed stays sealed.
        assert bench.calls.count("TrainShard") == 1
        assert bench.engine.state.own[ROUND].sealed is not None
        bench.chain.at(OPENED + 20)
        bench.feed()
        assert replayed(bench) == bench.engine.state


async def test_a_round_that_left_the_chain_and_came_back_is_played(path: Path) -> None:
    async with Bench(path) as bench:
        bench.start()
        bench.open_round()
        await bench.until(lambda: bench.state_of(COMMIT) == "done")
        bench.chain.forget(2)
        bench.engine.rewind(2)
        assert ROUND not in bench.engine.state.rounds
        await bench.settle()
        opened = prologue()[2]
        bench.chain.add(opened)  # type: ignore[arg-type]  # a chain fact
        bench.feed()
        await bench.until(lambda: bench.calls.count("SendCommit") == 2)
        assert replayed(bench) == bench.engine.state


async def test_the_rewound_state_is_the_fold_of_what_is_left(path: Path) -> None:
    async with Bench(path) as bench:
        bench.open_round()
        kept = bench.chain.head
        expected = bench.engine.state
        bench.chain.add(project(ProjectId(9))).at(COMMIT_END)
        bench.feed()
        bench.engine.snapshot()
        assert bench.engine.state != expected
        bench.engine.rewind(kept)
        assert bench.engine.state == expected
        assert bench.journal.cursor() == kept


async def test_the_live_state_is_the_fold_of_transition_alone(path: Path) -> None:
    async with Bench(path) as bench:
        bench.open_round()
        state = genesis(ME)
        for _, facts in bench.chain.after(None):
            for fact in facts:
                state, _ = transition(state, fact)
        assert bench.engine.state == state
