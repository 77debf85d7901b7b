"""A log file stays within its bound, is its owner's alone; a disk that is full costs lines and no more."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from jepanet.errors import Exit, Fatal
from jepanet.log_file import LogFile
from jepanet.telemetry import Secret, configure_logging, get_logger, lost_lines

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    configure_logging()


def parts_of(path: Path) -> list[Path]:
    """The file and what was put aside, the oldest first."""
    aside = sorted(path.parent.glob(f"{path.name}.*"), key=lambda item: -int(item.suffix[1:]))
    return [*aside, path]


def events_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for item in parts_of(path) for line in item.read_text().splitlines()]


def test_lines_come_as_json_beside_the_stream_whatever_that_has(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "node.log"
    file = LogFile(path, 1 << 20, 3)
    with (tmp_path / "err").open("w") as stream:
        configure_logging(json=False, stream=stream, file=file)
        get_logger("node").info("round.opened", round=7, key=Secret("swordfish"), digest=b"\x01\x02")
    assert file.drain(30)
    (line,) = events_in(path)
    assert (line["event"], line["room"], line["round"], line["level"]) == ("round.opened", "node", 7, "info")
    assert line["digest"] == "0x0102" and line["key"] == "Secret(***)"
    assert "swordfish" not in path.read_text() and "round.opened" in (tmp_path / "err").read_text()


def test_it_is_put_aside_by_size_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    file = LogFile(path, 1000, 3)
    for number in range(100):
        file.write(f'{{"number": {number}, "text": "{"x" * 70}"}}\n')
    assert file.drain(30) and file.lost == 0
    assert [item.name for item in parts_of(path)] == ["node.log.3", "node.log.2", "node.log.1", "node.log"]
    assert all(0 < item.stat().st_size <= 1000 for item in parts_of(path))
    numbers = [item["number"] for item in events_in(path)]
    assert numbers == list(range(numbers[0], 100)), "the newest, without a gap and in order"


def test_with_nothing_kept_there_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    file = LogFile(path, 100, 0)
    for _ in range(10):
        file.write("x" * 59 + "\n")
    assert file.drain(30)
    assert list(tmp_path.iterdir()) == [path] and path.stat().st_size == 60


def test_a_start_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    path.write_text("before\n")
    file = LogFile(path, 1000, 1)
    file.write("after\n")
    assert file.drain(30)
    assert path.read_text() == "before\nafter\n"


def test_attack_only_the_owner_reads_it_also_one_that_others_could(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    path.touch(mode=0o644)
    path.chmod(0o644)
    file = LogFile(path, 100, 5)
    for _ in range(3):
        file.write("x" * 59 + "\n")
    assert file.drain(30)
    assert [item.stat().st_mode & 0o777 for item in parts_of(path)] == [0o600] * 3


def test_attack_a_link_leads_nowhere(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "node.log"
    victim.write_text("theirs")
    path.symlink_to(victim)
    with pytest.raises(Fatal) as refused:
        LogFile(path, 1000, 1)
    assert refused.value.code is Exit.CONFIG and victim.read_text() == "theirs"


def test_two_nodes_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    first = LogFile(path, 100, 1)
    for _ in range(4):
        first.write("x" * 59 + "\n")
    assert first.drain(30)  # also after it was put aside
    with pytest.raises(Fatal) as refused:
        LogFile(path, 100, 1)
    assert refused.value.code is Exit.ALREADY_RUNNING


def test_a_full_disk_drops_lines_counts_them_and_says_so_later(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    file = LogFile(path, 1 << 20, 1)
    with (tmp_path / "err").open("w") as stream:
        configure_logging(json=True, stream=stream, file=file)
        before, kept = lost_lines(), os.dup(file.fileno())
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, file.fileno())
        for number in range(3):
            get_logger("node").warning(f"event{number}.lost")
        assert file.drain(30)
        assert lost_lines() - before == 3
        os.dup2(kept, file.fileno())
        get_logger("node").warning("room.again")
        assert file.drain(30)
    os.close(full)
    os.close(kept)
    assert [item["event"] for item in events_in(path)] == ["room.again", "log.lost"]
    assert events_in(path)[1]["lines"] == 3
    assert len((tmp_path / "err").read_text().splitlines()) == 4, "the stream had them all"


def test_where_no_new_file_can_be_opened_nothing_is_moved_and_the_bound_holds(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    file = LogFile(path, 100, 2)
    (tmp_path / "node.log.new").mkdir()  # stands for whatever keeps a file from being made
    for _ in range(5):
        file.write("x" * 59 + "\n")
    assert file.drain(30)
    assert file.lost == 4 and path.stat().st_size == 60
    (tmp_path / "node.log.new").rmdir()
    file.write("again\n")
    file.write("x" * 59 + "\n")
    assert file.drain(30)
    assert "4 log lines were lost" in "".join(item.read_text() for item in parts_of(path))
