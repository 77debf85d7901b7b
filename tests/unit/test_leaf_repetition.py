"""A cause that goes on is one line in a few minutes, and none of its repetitions goes uncounted."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from jepanet.repetition import EVERY, MOST_OF_ONE_EVENT, Repetition
from jepanet.telemetry import configure_logging, get_logger, tell_repeated

pytestmark = pytest.mark.unit


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limit(clock: Clock) -> Repetition:
    return Repetition(clock)


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def passes(limit: Repetition, method: str = "info", /, **fields: Any) -> dict[str, Any] | None:
    try:
        return dict(limit(None, method, {"room": "node", **fields}))
    except structlog.DropEvent:
        return None


def test_one_cause_is_one_line_in_a_few_minutes(limit: Repetition, clock: Clock) -> None:
    written = []
    for attempt in range(60 * 20):
        why = f"eth_getLogs: block {17_000_000 + attempt} is unknown to 'node-{attempt}'"
        line = passes(limit, event="duty.retried", duty="SendCommit", round=3, attempt=attempt, why=why)
        written += [line] if line else []
        clock.now += 1.0
    assert len(written) == 20 * 60 / EVERY
    assert "repeated" not in written[0]
    assert [line["repeated"] for line in written[1:]] == [EVERY - 1] * (len(written) - 1)


def test_other_causes_are_other_lines(limit: Repetition) -> None:
    assert passes(limit, event="duty.retried", duty="SendCommit", round=3, why="no funds")
    for other in (
        {"duty": "SendReveal"},
        {"round": 4},
        {"why": "no endpoint answers"},
        {"event": "duty.rejected"},
        {"room": "chain"},
        {"peer": "16Uiu2"},
        {"digest": b"\x01"},
    ):
        fields = {"event": "duty.retried", "duty": "SendCommit", "round": 3, "why": "no funds", **other}
        assert passes(limit, **fields), other
        assert not passes(limit, **fields), other


def test_words_of_strangers_do_not_make_another_cause(limit: Repetition) -> None:
    """A peer that is refused chooses the words; the reason is ours."""
    lines = [
        passes(limit, event="message.refused", peer="p", reason="malformed", why=f"field {'x' * i} is odd")
        for i in range(50)
    ]
    assert sum(line is not None for line in lines) == 1


def test_a_flood_of_one_event_is_bounded_whatever_its_words(limit: Repetition, clock: Clock) -> None:
    letters = [chr(97 + i % 26) + chr(97 + i // 26 % 26) + chr(97 + i // 676) for i in range(3000)]
    written = [passes(limit, event="message.refused", why=word) for word in letters]
    assert sum(line is not None for line in written) == MOST_OF_ONE_EVENT
    assert passes(limit, event="node.started"), "other events go on"
    clock.now += EVERY
    held = [line for line in limit.overdue() if line["of"] == "message.refused"]
    assert sum(line["repeated"] for line in held) == len(letters) - MOST_OF_ONE_EVENT


def test_memory_is_bounded_and_every_repetition_counted(limit: Repetition, clock: Clock) -> None:
    written = 0
    for i in range(6000):
        for _ in range(3):
            written += passes(limit, event=f"thing{i % 50}.failed", peer=f"p{i}") is not None
    told = sum(line["repeated"] for line in limit.overdue(everything=True))
    assert written + told == 18000
    assert limit.overdue(everything=True) == []


def test_debug_lines_all_pass(limit: Repetition) -> None:
    assert all(passes(limit, "debug", event="solver.step", round=1, step=i) for i in range(100))


def test_the_same_crash_is_one_line_and_another_crash_another(limit: Repetition) -> None:
    for error in (KeyError("a"), ValueError("b")):
        assert passes(limit, "error", event="duty.crashed", duty="X", exc_info=error)
        assert not passes(limit, "error", event="duty.crashed", duty="X", exc_info=error)


def test_what_stopped_repeating_is_told_once_in_the_log() -> None:
    stream = io.StringIO()
    configure_logging(json=True, stream=stream)
    for attempt in range(40):
        get_logger("chain").warning("endpoint.rested", endpoint="http://a", why=f"HTTP 429 after {attempt} s")
    tell_repeated()
    assert len(stream.getvalue().splitlines()) == 1, "not told before its time"
    tell_repeated(everything=True)
    tell_repeated(everything=True)
    first, last = map(json.loads, stream.getvalue().splitlines())
    assert first["event"] == "endpoint.rested"
    assert last["event"] == "line.repeated" and last["of"] == "endpoint.rested"
    assert last["repeated"] == 39 and last["endpoint"] == "http://a"
