"""Pictures of people's own become a shard; what is no picture, or too large, is named."""

from __future__ import annotations

import io
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jepanet.errors import Exit, Fatal
from jepanet.learning.data import pictures
from jepanet.learning.data.pictures import pictures_shard
from jepanet.learning.data.shards import check_shard

pytestmark = pytest.mark.unit


def png(colour: tuple[int, int, int], width: int = 20, height: int = 12) -> bytes:
    """Grey but for the square in the middle."""
    array = np.full((height, width, 3), 127, np.uint8)
    edge = min(width, height)
    left, top = (width - edge) // 2, (height - edge) // 2
    array[top : top + edge, left : left + edge] = colour
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def packed(path: Path, **members: bytes) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name.replace("__", "."))
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def refused(source: Path, match: str) -> None:
    with pytest.raises(Fatal, match=match) as caught:
        pictures_shard(source, 8)
    assert caught.value.code == Exit.DATASET and caught.value.remedy


def test_a_folder_has_the_labels_of_its_folders(tmp_path: Path) -> None:
    for name, colour in (("dog/b", (9, 9, 9)), ("cat/a", (200, 0, 0)), ("dog/a", (0, 0, 250))):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png(colour))
    (tmp_path / "dog" / "notes.txt").write_text("no picture")
    shard = pictures_shard(tmp_path, 8)
    check_shard(shard)
    assert shard.array("labels")[:, 0].tolist() == [0, 1, 1] and shard.site == (0, 0, 0)
    assert shard.array("images")[:, :, 0, 0].tolist() == [[200, 0, 0], [0, 0, 250], [9, 9, 9]]
    assert (shard.array("images") == shard.array("images")[:, :, :1, :1]).all(), (
        "not the square in the middle"
    )


def test_a_tar_has_the_labels_of_its_members(tmp_path: Path) -> None:
    one, two = png((1, 2, 3), 12, 20), png((4, 5, 6))
    path = packed(tmp_path / "x.tar", a__cls=b"7", a__png=one, a__json=b"{}", b__png=two, c__cls=b"9")
    shard = pictures_shard(path, 8)
    check_shard(shard)
    assert shard.array("labels")[:, 0].tolist() == [7, 0]
    assert shard.array("images")[:, :, 3, 3].tolist() == [[1, 2, 3], [4, 5, 6]]


def test_nothing_there_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, "holds no picture")
    refused(packed(tmp_path / "x.tar", a__txt=b"a"), "holds no picture")


@pytest.mark.parametrize("data", [b"", b"no picture", png((1, 1, 1))[:60]])
def test_attack_a_file_that_is_no_picture(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "odd.png").write_bytes(data)
    refused(tmp_path, r"odd\.png is no picture")


def test_attack_a_picture_that_unpacks_to_gigabytes(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 9000, 9000, 8, 2, 0, 0, 0))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")))
    refused(tmp_path, "9000 x 9000 pixels")


@pytest.mark.parametrize("label", [b"cat", b"-1", b"99999999999", b"1 2"])
def test_attack_a_label_that_is_none(label: bytes, tmp_path: Path) -> None:
    refused(packed(tmp_path / "x.tar", a__cls=label, a__png=png((1, 1, 1))), "is no label")


def test_attack_a_member_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_FILE_BYTES", 50)
    refused(packed(tmp_path / "x.tar", a__png=png((1, 1, 1))), "is too large")
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "a.png").write_bytes(png((1, 1, 1)))
    refused(tmp_path / "y", "more than 50")


def test_attack_a_picture_that_is_a_link_out_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (tmp_path / "private.png").write_bytes(png((1, 1, 1)))
    (folder / "a.png").symlink_to(Path("..") / "private.png")
    refused(folder, "outside the folder")
    (folder / "a.png").unlink()
    (folder / "b").write_bytes(png((1, 1, 1)))
    (folder / "a.png").symlink_to("b")
    assert pictures_shard(folder, 8).episodes == 1, "a link within it is read"


def test_attack_a_tar_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"no tar" * 100)
    refused(tmp_path / "x.tar", "is no tar")


def test_more_than_a_shard_takes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_EPISODES", 1)
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(png((1, 1, 1)))
    refused(tmp_path, "more than 1 pictures")


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    """A cut-out has any colour where nothing of it is seen."""
    array = np.zeros((8, 8, 4), np.uint8)
    array[:4] = (200, 0, 0, 255)
    Image.fromarray(array).save(tmp_path / "cut.png")
    shown = pictures_shard(tmp_path, 8).array("images")[0]
    assert shown[:, 0, 0].tolist() == [200, 0, 0] and shown[:, 7, 7].tolist() == [255, 255, 255]
