"""Half a download on disk: what counts after a crash, and what does not."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from jepanet.cid import blake3_of
from jepanet.errors import Exit, Fatal
from jepanet.p2p.transfer.frames import CHUNK_BYTES, Manifest
from jepanet.p2p.transfer.partfile import PartFile
from jepanet.p2p.transfer.server import build_manifest

pytestmark = pytest.mark.unit

CONTENT = os.urandom(2 * CHUNK_BYTES + 77)
DIGEST = hashlib.sha256(CONTENT).digest()
CHUNKS = [CONTENT[start : start + CHUNK_BYTES] for start in range(0, len(CONTENT), CHUNK_BYTES)]


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    (tmp_path / "source").write_bytes(CONTENT)
    built = build_manifest(tmp_path / "source", DIGEST)
    assert built is not None
    return built


def test_chunks_in_any_order_make_the_blob(tmp_path: Path, manifest: Manifest) -> None:
    part = PartFile(tmp_path, DIGEST)
    assert part.finished() is None
    assert part.open(manifest) == set()
    for index in (2, 0, 1):
        assert part.store(manifest, index, CHUNKS[index])
    path = part.complete(manifest)
    assert path == tmp_path / DIGEST.hex()
    assert path.read_bytes() == CONTENT
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([DIGEST.hex(), "source"])
    assert PartFile(tmp_path, DIGEST).finished() == path


def test_a_blob_named_by_blake3_is_served_and_taken(tmp_path: Path, manifest: Manifest) -> None:
    name = blake3_of([CONTENT])
    assert build_manifest(tmp_path / "source", name) == manifest
    part = PartFile(tmp_path, name)
    part.open(manifest)
    for index in range(3):
        part.store(manifest, index, CHUNKS[index])
    path = part.complete(manifest)
    assert path == tmp_path / name.hex() == PartFile(tmp_path, name).finished()
    path.write_bytes(CONTENT[:-1] + b"?")
    assert PartFile(tmp_path, name).finished() is None
    # Attack: whoever serves other content under either kind of name.
    lie = Manifest(3, hashlib.sha256(b"lie").digest())
    for asked in (name, DIGEST):
        part = PartFile(tmp_path, asked)
        part.open(lie)
        assert part.store(lie, 0, b"lie") and part.complete(lie) is None
        (tmp_path / "lie").write_bytes(b"lie")
        assert build_manifest(tmp_path / "lie", asked) is None


def test_a_wrong_chunk_is_not_written(tmp_path: Path, manifest: Manifest) -> None:
    part = PartFile(tmp_path, DIGEST)
    part.open(manifest)
    assert not part.store(manifest, 0, CHUNKS[1])
    assert not part.store(manifest, 2, CHUNKS[2] + b"x")
    part.close()
    assert (tmp_path / f"{DIGEST.hex()}.done").read_bytes() == b""


def test_only_chunks_that_hash_right_count_after_a_crash(tmp_path: Path, manifest: Manifest) -> None:
    part = PartFile(tmp_path, DIGEST)
    part.open(manifest)
    for index in (0, 1):
        part.store(manifest, index, CHUNKS[index])
    part.close()
    # The list reached the disk, the second chunk did not; then a torn entry and a chunk that cannot be.
    with (tmp_path / f"{DIGEST.hex()}.part").open("r+b") as file:
        file.seek(CHUNK_BYTES + 5)
        file.write(b"\0" * 100)
    with (tmp_path / f"{DIGEST.hex()}.done").open("ab") as file:
        file.write((2**31).to_bytes(4, "big") + b"\0\0")
    again = PartFile(tmp_path, DIGEST)
    assert again.open(manifest) == {0}
    again.close()
    assert (tmp_path / f"{DIGEST.hex()}.done").read_bytes() == bytes(4)


def test_a_blob_that_does_not_hash_right_is_discarded(tmp_path: Path) -> None:
    lie = Manifest(3, hashlib.sha256(b"lie").digest())
    part = PartFile(tmp_path, DIGEST)
    part.open(lie)
    assert part.store(lie, 0, b"lie")
    assert part.complete(lie) is None
    assert list(tmp_path.iterdir()) == []


def test_another_manifest_reuses_what_fits(tmp_path: Path, manifest: Manifest) -> None:
    part = PartFile(tmp_path, DIGEST)
    longer = Manifest(4 * CHUNK_BYTES, manifest.hashes[:64] + bytes(64))
    part.open(longer)
    part.store(longer, 0, CHUNKS[0])
    part.close()
    again = PartFile(tmp_path, DIGEST)
    assert again.open(manifest) == {0}
    again.close()
    assert (tmp_path / f"{DIGEST.hex()}.part").stat().st_size == len(CONTENT)


def test_a_damaged_final_file_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / DIGEST.hex()).write_bytes(b"damaged")
    assert PartFile(tmp_path, DIGEST).finished() is None
    assert not (tmp_path / DIGEST.hex()).exists()


def test_an_empty_blob(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"").digest()
    part = PartFile(tmp_path, digest)
    manifest = Manifest(0, b"")
    assert part.open(manifest) == set()
    path = part.complete(manifest)
    assert path is not None
    assert path.read_bytes() == b""


def test_a_link_in_the_way_is_not_written_through(tmp_path: Path, manifest: Manifest) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / f"{DIGEST.hex()}.part").symlink_to(victim)
    with pytest.raises(Fatal):
        PartFile(tmp_path, DIGEST).open(manifest)
    assert victim.read_bytes() == b"precious"


def test_a_full_disk_names_the_remedy(
    tmp_path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = PartFile(tmp_path, DIGEST)
    part.open(manifest)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(Fatal, match="free some disk space") as caught:
        part.store(manifest, 0, CHUNKS[0])
    assert caught.value.code is Exit.DISK_FULL
    monkeypatch.undo()
    part.close()
