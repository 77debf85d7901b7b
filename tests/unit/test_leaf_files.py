"""Files are written whole or not at all, and what is kept is believed only with its digest."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from jepanet.cid import digest_of
from jepanet.errors import Exit, Fatal, Rejected
from jepanet.files import (
    check_writable,
    keep,
    kept,
    kept_digest,
    read_capped,
    write_atomically,
    write_new,
)

pytestmark = pytest.mark.unit


def _refuse(number: int) -> Callable[..., None]:
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return refused


def test_a_file_is_replaced_whole_with_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(b"old")
    write_atomically(path, b"new", mode=0o640)
    assert path.read_bytes() == b"new" and stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [item.name for item in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, Exit.DISK_FULL), (errno.EROFS, Exit.DATASET), (errno.EIO, Exit.DATASET)],
)
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: Exit
) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", _refuse(number))
    with pytest.raises(Fatal) as refused:
        write_atomically(path, b"new", code=Exit.DATASET)
    assert refused.value.code is code and refused.value.remedy and str(path) in refused.value.message
    assert path.read_bytes() == b"old" and [item.name for item in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize("number", [None, errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_a_new_file_never_replaces_one_also_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int | None
) -> None:
    if number is not None:
        monkeypatch.setattr(os, "link", _refuse(number))
    path = tmp_path / "wallet.json"
    write_new(path, b"first")
    with pytest.raises(FileExistsError):
        write_new(path, b"second")
    assert path.read_bytes() == b"first" and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in tmp_path.iterdir()] == ["wallet.json"]


def test_a_folder_that_cannot_be_written_is_known_before_the_work(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(Fatal) as refused:
            check_writable(folder, code=Exit.DATASET)
        assert refused.value.code is Exit.DATASET and refused.value.remedy


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "start.safetensors"
    with capture_logs() as lines:
        assert kept(path, 100) is None and kept_digest(path) is None
        digest = keep(path, b"content")
        assert kept(path, 100) == b"content" and kept_digest(path) == digest == digest_of(b"content")
    assert lines == []
    said = (tmp_path / "start.safetensors.sha256").read_text()
    assert said == f"{digest.hex()}  start.safetensors\n", "as sha256sum --check reads it"


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"c0ntent"),
        lambda path: path.write_bytes(b"cont"),
        lambda path: path.write_bytes(b""),
        lambda path: path.with_name(path.name + ".sha256").unlink(),
        lambda path: path.with_name(path.name + ".sha256").write_bytes(b""),
        lambda path: path.with_name(path.name + ".sha256").write_bytes(b"\xff" * 80),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["flipped", "cut", "empty", "no digest", "empty digest", "bad digest", "a folder"],
)
def test_what_is_damaged_counts_as_absent_and_is_named(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    path = tmp_path / "run.json"
    keep(path, b"content")
    damage(path)
    for read in (lambda: kept(path, 100), lambda: kept_digest(path)):
        with capture_logs() as lines:
            assert read() is None
        assert [(item["event"], item["path"]) for item in lines] == [("file.damaged", str(path))]


def test_a_kept_file_beyond_its_cap_is_not_read(tmp_path: Path) -> None:
    keep(tmp_path / "big", b"content")
    with capture_logs() as lines:
        assert kept(tmp_path / "big", 6) is None
    assert "more than 6 bytes" in lines[0]["why"]
    with pytest.raises(Rejected, match="more than 6 bytes"):
        read_capped(tmp_path / "big", 6, "file")
