"""The newest lines of the log, bounded in every direction."""

from __future__ import annotations

import io

import pytest

from jepanet.recent_lines import RecentLines
from jepanet.telemetry import Secret, configure_logging, get_logger, recent_lines

pytestmark = pytest.mark.unit


def test_what_is_logged_can_be_asked_for_without_its_traceback() -> None:
    stream = io.StringIO()
    configure_logging(stream=stream)
    try:
        log = get_logger("room")
        log.info("thing.happened", round=7, size=3, key=Secret("hidden"))
        try:
            raise ValueError("with /some/path")
        except ValueError as error:
            log.error("thing.failed", exc_info=error)
        log.debug("thing.unheard")
        failed, happened = recent_lines().newest()
    finally:
        configure_logging()
    assert (happened.event, happened.level, happened.room, happened.round) == (
        "thing.happened", "info", "room", 7,
    )  # fmt: skip
    assert happened.fields == {"size": "3", "key": "Secret(***)"}
    assert failed.fields == {} and "with /some/path" in stream.getvalue()
    assert (happened.number, failed.number) == (1, 2)


def test_attack_a_flood_is_bounded_in_lines_fields_and_characters() -> None:
    kept = RecentLines(most=3)
    for number in range(10):
        kept(None, "info", {"event": "e" * 5000, "n": number, "a" * 5000: "b" * 5000})
    wide: dict[str, object] = {f"f{number}": number for number in range(1000)}
    kept(None, "info", wide)
    newest = kept.newest()
    assert [item.number for item in newest] == [11, 10, 9] and kept.count == 11
    assert len(newest[0].fields) == 24
    assert all(len(text) <= 400 for line in newest for pair in line.fields.items() for text in pair)
    assert all(len(line.event) <= 400 for line in newest)


def test_what_came_after_a_line_is_told_oldest_first_and_what_was_forgotten_is_not() -> None:
    kept = RecentLines(most=3)
    for number in range(5):
        kept(None, "info", {"event": f"e{number}"})
    assert [item.event for item in kept.after(3)] == ["e3", "e4"]
    assert [item.number for item in kept.after(0)] == [3, 4, 5]
    assert kept.after(5) == () == kept.after(9)
