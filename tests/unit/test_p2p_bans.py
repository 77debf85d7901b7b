"""Bans outlive connections and restarts, offences fade."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from jepanet.p2p.peers import bans
from jepanet.p2p.peers.bans import BAN_POINTS, FIRST_BAN, HALF_LIFE, LONGEST_BAN, BanList

pytestmark = pytest.mark.unit


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_ban_survives_a_restart_and_ends(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "bans.json"
    BanList(path, clock).ban("peer", "corrupt chunk")
    assert path.stat().st_mode & 0o777 == 0o600
    again = BanList(path, clock)
    assert again.is_banned("peer")
    assert again.active()["peer"].reason == "corrupt chunk"
    assert not again.is_banned("other")
    clock.now += FIRST_BAN + 1
    assert not again.is_banned("peer")
    assert again.active() == {}


def test_each_ban_is_twice_as_long_and_never_shortens(tmp_path: Path, clock: Clock) -> None:
    listed = BanList(tmp_path / "bans.json", clock)
    assert listed.ban("peer", "one").until == clock.now + FIRST_BAN
    assert listed.ban("peer", "two").until == clock.now + 2 * FIRST_BAN
    assert listed.ban("peer", "short", seconds=1).until == clock.now + 2 * FIRST_BAN
    for _ in range(20):
        last = listed.ban("peer", "again")
    assert last.until == clock.now + LONGEST_BAN
    assert last.times == 23


def test_offences_add_up_to_a_ban(tmp_path: Path, clock: Clock) -> None:
    listed = BanList(tmp_path / "bans.json", clock)
    assert not listed.offence("peer", BAN_POINTS / 2, "bad message")
    assert listed.offence("peer", BAN_POINTS / 2, "bad message")
    assert listed.is_banned("peer")
    assert not listed.offence("peer", BAN_POINTS, "already banned")


def test_offences_fade(tmp_path: Path, clock: Clock) -> None:
    listed = BanList(tmp_path / "bans.json", clock)
    for _ in range(100):
        assert not listed.offence("peer", BAN_POINTS / 3, "bad message")
        clock.now += HALF_LIFE
    assert not listed.is_banned("peer")


def test_a_ban_can_be_lifted(tmp_path: Path, clock: Clock) -> None:
    listed = BanList(tmp_path / "bans.json", clock)
    listed.ban("peer", "mistake")
    assert listed.lift("peer")
    assert not listed.lift("peer")
    assert not BanList(tmp_path / "bans.json", clock).is_banned("peer")


def test_the_list_is_bounded(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bans, "_MAX_ENTRIES", 10)
    listed = BanList(tmp_path / "bans.json", clock)
    for number in range(30):
        listed.ban(f"peer{number}", "x" * 10_000)
    assert len(listed.active()) == 10
    assert listed.is_banned("peer29")
    assert (tmp_path / "bans.json").stat().st_size < 10_000


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"bans": 3}', b'{"bans": {"p": {"seconds": "x"}}}', b"\xff\xfe", b'{"bans": [1]}'],
)
def test_a_damaged_list_is_set_aside(tmp_path: Path, clock: Clock, content: bytes) -> None:
    path = tmp_path / "bans.json"
    path.write_bytes(content)
    assert BanList(path, clock).active() == {}
    assert (tmp_path / "bans.damaged").read_bytes() == content


@pytest.mark.parametrize("hours", [-1, 1])
def test_no_clock_shortens_or_stretches_a_ban(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """What is left of it is kept, not a date; the other process counts from another moment."""
    path, real = tmp_path / "bans.json", time.time
    listed = BanList(path, clock)
    listed.ban("peer", "corrupt chunk")
    clock.now += FIRST_BAN / 4
    listed.store()
    monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)
    later = Clock()
    later.now = 17.0
    again = BanList(path, later)
    assert again.active()["peer"].until == pytest.approx(17.0 + FIRST_BAN * 3 / 4)
    later.now += FIRST_BAN * 3 / 4 + 1
    assert not again.is_banned("peer")
    again.store()
    assert BanList(path, later).ban("peer", "again").times == 2


def test_old_and_endless_entries_are_dropped(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "bans.json"
    entry = {"reason": "r", "times": 1}
    path.write_text(
        json.dumps(
            {
                "bans": {
                    "old": entry | {"seconds": -32.0 * 24 * 3600},
                    "endless": entry | {"seconds": float("nan")},
                    "long": entry | {"seconds": 1e300},
                }
            }
        )
    )
    listed = BanList(path, clock)
    assert {peer: ban.until for peer, ban in listed.active().items()} == {"long": clock.now + LONGEST_BAN}
