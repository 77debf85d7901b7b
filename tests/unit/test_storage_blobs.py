"""The blob store: content by digest, private by default, within its budget."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jepanet.cid import blake3_of, digest_of
from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.storage.blobs.blob_files import inspect_source
from jepanet.storage.blobs.store import BlobStore
from jepanet.types import Digest

pytestmark = pytest.mark.unit

ABSENT = digest_of(b"never stored")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def store(root: Path) -> Iterator[BlobStore]:
    with BlobStore(root, 1_000) as opened:
        yield opened


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def leftovers(root: Path) -> list[Path]:
    return list((root / "partial").iterdir())


# ------------------------------------------------------------------ putting and reading


def test_bytes_come_back_by_digest(root: Path, store: BlobStore) -> None:
    digest = store.put_bytes(b"weights")
    assert digest == digest_of(b"weights")
    assert store.put_bytes(b"weights") == digest
    assert store.read(digest, max_bytes=7) == b"weights"
    assert (store.has(digest), store.size(digest), store.used()) == (True, 7, 7)
    assert (store.has(ABSENT), store.size(ABSENT), store.path(ABSENT)) == (False, None, None)
    name = digest.hex()
    assert store.path(digest) == root / name[:2] / name[2:4] / name
    assert store.put_bytes(b"") == digest_of(b"")
    assert store.read(digest_of(b""), max_bytes=0) == b""


@pytest.mark.parametrize("move", [True, False])
@pytest.mark.parametrize("fast", [True, False])
def test_a_state_is_kept_under_its_blake3(
    tmp_path: Path, root: Path, store: BlobStore, move: bool, fast: bool
) -> None:
    name = blake3_of([b"a state"])
    assert (
        store.put_file(written(tmp_path / "file", b"a state"), name, move=move, pin="round/1", fast=fast)
        == name
    )
    assert store.read(name, max_bytes=7) == b"a state" and store.sound(name)
    assert not store.has(digest_of(b"a state")) and store.pins(name) == {"round/1"}
    place = store.path(name)
    assert place is not None
    place.chmod(0o600)
    place.write_bytes(b"A state")
    assert not store.sound(name) and not store.has(name)
    for other in (b"", b"a state ", name):
        with pytest.raises(Rejected) as refused:
            store.put_file(written(tmp_path / "other", other), name, fast=fast)
        assert refused.value.reason == "wrong-digest" and (tmp_path / "other").read_bytes() == other
    assert not leftovers(root)


def test_everything_is_private_on_disk(root: Path, store: BlobStore) -> None:
    place = store.path(store.put_bytes(b"weights"))
    assert place is not None
    assert stat.S_IMODE(place.stat().st_mode) == 0o400
    for directory in (root, root / "incoming", root / "partial", place.parent, place.parent.parent):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700, directory


def test_loose_directory_modes_are_tightened(root: Path) -> None:
    root.mkdir(mode=0o755)
    BlobStore(root, 10).close()
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_a_file_is_moved_or_copied(tmp_path: Path, store: BlobStore) -> None:
    moved = written(store.incoming / "part", b"moved")
    inode = moved.stat().st_ino
    digest = store.put_file(moved, digest_of(b"moved"))
    place = store.path(digest)
    assert place is not None
    assert place.stat().st_ino == inode
    assert not moved.exists()

    kept = written(tmp_path / "kept", b"kept")
    digest = store.put_file(kept, move=False)
    kept.write_bytes(b"changed later")
    assert store.read(digest, max_bytes=10) == b"kept"
    assert kept.exists()

    again = written(tmp_path / "again", b"kept")
    assert store.put_file(again) == digest
    assert not again.exists()
    assert leftovers(store.root) == []


def test_a_file_from_another_file_system_is_copied(
    tmp_path: Path, store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "jepanet.storage.blobs.store.inspect_source",
        lambda path, same_disk_as: inspect_source(path, same_disk_as=Path("/proc")),
    )
    source = written(tmp_path / "far", b"far away")
    digest = store.put_file(source, digest_of(b"far away"))
    assert store.read(digest, max_bytes=100) == b"far away"
    assert not source.exists()
    assert leftovers(store.root) == []


def test_a_file_with_another_name_is_copied_so_that_the_name_cannot_change_the_blob(
    tmp_path: Path, store: BlobStore
) -> None:
    source = written(tmp_path / "one", b"content")
    os.link(source, tmp_path / "two")
    digest = store.put_file(source)
    (tmp_path / "two").write_bytes(b"hostile")
    assert store.read(digest, max_bytes=100) == b"content"
    assert not source.exists()


def test_a_wrong_digest_is_refused_and_the_file_stays(tmp_path: Path, store: BlobStore) -> None:
    source = written(tmp_path / "file", b"other")
    for move in (True, False):
        with pytest.raises(Rejected) as refused:
            store.put_file(source, digest_of(b"expected"), move=move)
        assert refused.value.reason == "wrong-digest"
    assert source.read_bytes() == b"other"
    assert store.used() == 0
    assert leftovers(store.root) == []


def test_a_known_digest_does_not_excuse_wrong_content(tmp_path: Path, store: BlobStore) -> None:
    digest = store.put_bytes(b"right")
    with pytest.raises(Rejected):
        store.put_file(written(tmp_path / "file", b"wrong"), digest)
    assert store.read(digest, max_bytes=10) == b"right"


def test_only_regular_files_are_stored(tmp_path: Path, store: BlobStore) -> None:
    secret = written(tmp_path / "secret", b"private key")
    (tmp_path / "link").symlink_to(secret)
    os.mkfifo(tmp_path / "pipe")
    for odd in (tmp_path / "link", tmp_path / "pipe", tmp_path, tmp_path / "absent"):
        with pytest.raises(Rejected) as refused:
            store.put_file(odd)
        assert refused.value.reason == "not-a-file"
    assert secret.exists()


def test_a_read_is_capped_before_it_is_made(store: BlobStore) -> None:
    digest = store.put_bytes(b"x" * 100)
    with pytest.raises(Rejected) as refused:
        store.read(digest, max_bytes=99)
    assert refused.value.reason == "too-large"
    with pytest.raises(Transient, match="not stored"):
        store.read(ABSENT, max_bytes=10)


@pytest.mark.parametrize("damage", [b"Weights", b"weight", b"weights and more", b""])
def test_damage_is_set_aside_and_can_be_fetched_again(store: BlobStore, damage: bytes) -> None:
    digest = store.put_bytes(b"weights")
    store.publish(digest)
    place = store.path(digest)
    assert place is not None
    place.chmod(0o600)
    place.write_bytes(damage)
    with pytest.raises(Transient, match="damaged"):
        store.read(digest, max_bytes=100)
    assert not store.has(digest)
    assert store.open_public(digest) is None
    assert (store.root / "quarantine" / digest.hex()).read_bytes() == damage
    store.put_bytes(b"weights")
    assert store.read(digest, max_bytes=100) == b"weights"
    assert store.open_public(digest) is not None  # the flag belongs to the content


def test_the_quarantine_does_not_grow(store: BlobStore) -> None:
    for n in range(12):
        place = store.path(store.put_bytes(b"%d" % n))
        assert place is not None
        place.chmod(0o600)
        place.write_bytes(b"?")
        with pytest.raises(Transient):
            store.read(digest_of(b"%d" % n), max_bytes=10)
    assert len(list((store.root / "quarantine").iterdir())) == 8


def test_a_blob_removed_by_hand_is_missed(store: BlobStore) -> None:
    for ask in (store.has, store.path, store.size):
        digest = store.put_bytes(b"gone")
        place = store.path(digest)
        assert place is not None
        place.unlink()
        assert not ask(digest)
    assert store.used() == 0


@pytest.mark.parametrize("bad", [b"", b"x" * 31, b"../../../../etc/passwd".ljust(33, b"x")])
def test_only_32_bytes_name_a_blob(store: BlobStore, bad: bytes) -> None:
    for call in (store.path, lambda d: store.pin(d, "me")):
        with pytest.raises(ValueError):
            call(bad)
    assert store.open_public(bad) is None
    assert not store.is_public(bad)


# ------------------------------------------------------------------ opening


def test_one_owner_at_a_time(root: Path, store: BlobStore) -> None:
    written(root / "partial" / "live", b"being written by the owner")
    with pytest.raises(Fatal) as refused:
        BlobStore(root, 10)
    assert refused.value.code is Exit.ALREADY_RUNNING
    assert len(leftovers(root)) == 1  # the refused one touched nothing
    store.close()
    BlobStore(root, 10).close()


def test_leftovers_of_a_crash_go_and_downloads_stay(root: Path) -> None:
    with BlobStore(root, 1_000) as store:
        digest = store.put_bytes(b"whole")
        written(root / "partial" / "torn", b"half")
        written(store.incoming / "download.part", b"half")
        stray = next(name for name in ("ab", "cd") if not (root / name).exists())
        written(root / stray, b"not a directory of blobs")
    with BlobStore(root, 1_000) as store:
        assert leftovers(root) == []
        assert (store.incoming / "download.part").exists()
        assert store.read(digest, max_bytes=10) == b"whole"
        assert store.used() == 5


def test_links_in_the_store_are_not_blobs(root: Path, tmp_path: Path) -> None:
    secret = written(tmp_path / "secret", b"private key")
    name = digest_of(b"private key").hex()
    place = root / name[:2] / name[2:4] / name
    place.parent.mkdir(parents=True)
    place.symlink_to(secret)
    with BlobStore(root, 1_000) as store:
        assert not store.has(digest_of(b"private key"))


# ------------------------------------------------------------------ publishing


def test_a_blob_is_private_until_it_is_published(root: Path) -> None:
    with BlobStore(root, 1_000) as store:
        digest, other = store.put_bytes(b"delta"), store.put_bytes(b"other")
        assert not store.is_public(digest)
        assert store.open_public(digest) is None
        store.publish(digest)
        store.publish(digest)
        assert store.open_public(digest) == store.path(digest)
        assert store.open_public(other) is None
    with BlobStore(root, 1_000) as store:
        assert store.is_public(digest)
        assert store.open_public(other) is None
        store.unpublish(digest)
        assert store.open_public(digest) is None
    with BlobStore(root, 1_000) as store:
        assert not store.is_public(digest)


def test_what_is_not_stored_is_not_published(store: BlobStore) -> None:
    with pytest.raises(Rejected) as refused:
        store.publish(ABSENT)
    assert refused.value.reason == "not-stored"
    assert not store.is_public(ABSENT)


def test_privacy_survives_a_lost_index(root: Path) -> None:
    with BlobStore(root, 1_000) as store:
        digest = store.put_bytes(b"delta")
        store.publish(digest)
    for file in root.glob("index.sqlite*"):
        file.unlink()
    with BlobStore(root, 1_000) as store:
        assert store.has(digest)
        assert store.open_public(digest) is None


# ------------------------------------------------------------------ budget


def blob(store: BlobStore, name: str, size: int = 100) -> Digest:
    return store.put_bytes(name.encode().ljust(size, b"."))


def test_the_least_recently_used_goes_first(root: Path) -> None:
    with BlobStore(root, 300) as store:
        a, b, c = (blob(store, name) for name in "abc")
        assert store.path(a) is not None  # used again
    with BlobStore(root, 300) as store:  # the order survives a restart
        d = blob(store, "d")
        assert [store.has(x) for x in (a, b, c, d)] == [True, False, True, True]
        store.budget = 150
        report = store.collect()
        assert report.deleted == (c, a)
        assert (report.freed, report.used, report.pinned) == (200, 100, 0)
        assert store.collect().deleted == ()


def test_a_pinned_blob_is_never_collected(root: Path) -> None:
    with BlobStore(root, 300) as store:
        a, b = blob(store, "a"), blob(store, "b")
        store.pin(a, "round 1")
        store.pin(a, "round 2")
        store.unpin(a, "round 1")
        assert store.pins(a) == {"round 2"}
    with BlobStore(root, 300) as store:
        assert store.pins(a) == {"round 2"}
        blob(store, "c")
        blob(store, "d")
        assert (store.has(a), store.has(b)) == (True, False)
        store.unpin(a, "round 2")
        blob(store, "e")
        assert not store.has(a)


def test_a_pin_may_come_before_its_blob(store: BlobStore) -> None:
    store.pin(digest_of(b"a".ljust(100, b".")), "fetch")
    a = blob(store, "a")
    blob(store, "b", 900)
    blob(store, "c", 800)
    assert store.has(a)
    store.unpin_owner("fetch")
    assert store.pins(a) == frozenset()
    blob(store, "d", 900)
    assert not store.has(a)


def test_a_blob_can_be_pinned_as_it_is_put(root: Path, tmp_path: Path) -> None:
    with BlobStore(root, 300) as store:
        a = store.put_bytes(b"a" * 100, pin="round 1")
        b = store.put_file(written(tmp_path / "b", b"b" * 100), pin="round 1")
        c = blob(store, "c")
        blob(store, "d")
        assert [store.has(x) for x in (a, b, c)] == [True, True, False]
        assert store.put_bytes(b"a" * 100, pin="round 2") == a
        assert store.pins(a) == {"round 1", "round 2"}


def test_attack_pins_that_fill_the_budget_end_no_node_and_cost_nothing(root: Path, tmp_path: Path) -> None:
    with BlobStore(root, 300) as store:
        a, b = blob(store, "a", 200), blob(store, "b", 50)
        store.pin(a, "round 1")
        source = written(tmp_path / "big", b"x" * 101)
        puts: list[Callable[[], object]] = [lambda: store.put_file(source), lambda: blob(store, "c", 101)]
        for put in puts:
            with pytest.raises(Transient, match="200 are pinned") as full:
                put()
            assert full.value.code is Exit.DISK_FULL
            assert "storage_gb" in (full.value.remedy or "")
        assert store.has(b)  # nothing was deleted in vain
        assert source.exists()
        blob(store, "c", 100)
        assert store.used() == 300
    with BlobStore(root, 150) as store:
        with pytest.raises(Fatal, match="pinned"):
            store.collect()
        assert store.has(a)


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(
    store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    source = written(tmp_path / "file", b"content")
    monkeypatch.setattr("os.fsync", full)
    puts: list[Callable[[], object]] = [
        lambda: store.put_bytes(b"data"),
        lambda: store.put_file(source, move=False),
        lambda: store.put_file(source),
    ]
    for put in puts:
        with pytest.raises(Fatal) as refused:
            put()
        assert refused.value.code is Exit.DISK_FULL
        assert leftovers(store.root) == []
        assert store.used() == 0
    monkeypatch.undo()
    assert store.used() == 0
    store.put_bytes(b"x" * 1_000)  # the reservation was given back


def test_many_threads_may_put_the_same_and_other_blobs(store: BlobStore) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for n in range(10):
                digest = store.put_bytes(b"shared %d" % n)
                store.put_bytes(b"own %d" % number)
                assert store.read(digest, max_bytes=100) == b"shared %d" % n
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.used() == sum(len(b"shared %d" % n) for n in range(10)) + 6 * len(b"own 0")
    assert leftovers(store.root) == []
