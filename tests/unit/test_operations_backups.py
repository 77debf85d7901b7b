"""Backups: what is in one, what a restored folder is, and what altered archives and kills come to."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import sqlite3
import stat
import tarfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from jepanet.cid import digest_of
from jepanet.errors import Exit, Fatal, Rejected
from jepanet.operations.backups.archive import archive_size
from jepanet.operations.backups.back_up import back_up
from jepanet.operations.backups.manifest import MANIFEST, Entry, Manifest, most_bytes, restored_place
from jepanet.operations.backups.restore import restore
from jepanet.operations.beginning import begin
from jepanet.operations.views.backups import BackedUp
from jepanet.settings.config import Config, load_config
from jepanet.settings.first_config import FirstConfig
from jepanet.settings.paths import Paths
from jepanet.storage.blobs.blob_files import place_of
from jepanet.storage.blobs.store import BlobStore
from jepanet.storage.journal import Journal
from jepanet.types import Role

pytestmark = pytest.mark.unit

ACCOUNT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
SALT, DELTA, MODEL = b"s" * 32, b"a sealed delta" * 99, b"a model of others"
PASSWORD = "correct horse battery"


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """The configuration of a proposer that has sealed a delta and has never had another one's file."""
    home = tmp_path / "home"
    home.mkdir()
    deployment = tmp_path / "network.json"
    deployment.write_text(json.dumps({
        "schema": "jepanet/deployment/2", "chain_id": 31337, "confirmations": 2,
        "block": {"number": 5, "hash": "0x" + "11" * 32, "timestamp": 1},
        "contracts": {"token": ACCOUNT, "rounds": ACCOUNT, "lens": ACCOUNT},
    }))  # fmt: skip
    password = home / "password"
    password.touch(mode=0o600)
    password.write_text(PASSWORD + "\n")
    said = FirstConfig(
        role=Role.PROPOSER, name="p", endpoints=("http://127.0.0.1:8545",), deployment="deployment.json",
        password_file="password", listen="/ip4/127.0.0.1/tcp/4701", allow_isolated=True,
    )  # fmt: skip
    made = begin(home, replace(said, password_file=str(password)), deployment, password=False, light=True)
    sealed = home / "shards" / "sealed"
    sealed.mkdir(parents=True)
    (sealed / "secret.json").write_text('{"seed":"5ec12e7"}')
    (home / "shards" / "public.safetensors").write_bytes(b"public")
    (home / "shards" / "elsewhere").symlink_to("/etc/passwd")
    text = made.config.read_text().replace('# dataset = "dataset" ', 'dataset = "shards" ')
    made.config.write_text(text)
    paths = Paths(home / "data")
    with Journal.open(paths.journal) as journal, BlobStore(paths.blobs, 1 << 20) as blobs:
        journal.bind(f"31337/{ACCOUNT}")
        digest = blobs.put_bytes(DELTA, pin="round/3")
        blobs.put_bytes(MODEL, pin="round/3")
        journal.put_salt(3, ACCOUNT, digest, SALT)
        journal.put_signature("result", 2, "", b"d" * 32, b"x" * 65)
    return made.config


def config_of(path: Path) -> Config:
    return load_config(path, {})


def kept(node: Path, target: Path) -> BackedUp:
    return back_up(config_of(node), node, target)


def names(archive: Path) -> list[str]:
    with tarfile.open(archive) as file:
        return file.getnames()


# ------------------------------------------------------------------ what is kept, and what becomes of it


def test_an_archive_holds_what_cannot_be_made_anew_and_no_password(node: Path, tmp_path: Path) -> None:
    made = kept(node, tmp_path / "a.backup")
    found = names(made.archive)
    assert found[0] == MANIFEST and len(found) == made.files + 1
    assert {"node.toml", "deployment.json", "journal.sqlite", "node.key", "blobs.sqlite",
            f"blobs/{digest_of(DELTA).hex()}", "dataset/sealed/secret.json"} <= set(found)  # fmt: skip
    assert f"blobs/{digest_of(MODEL).hex()}" not in found
    assert sum(name.startswith("wallet/0x") for name in found) == 1
    data = made.archive.read_bytes()
    assert PASSWORD.encode() not in data and SALT in data and b"root:" not in data
    assert stat.S_IMODE(made.archive.stat().st_mode) == 0o600
    assert made.sha256 == hashlib.sha256(data).hexdigest() and made.bytes == len(data)
    assert made.stopped and made.sealed == 1 and made.left_out == ("elsewhere",)
    assert [item.name for item in tmp_path.iterdir() if "partial" in item.name] == []


def test_a_role_that_was_paused_is_paused_elsewhere(node: Path, tmp_path: Path) -> None:
    paused = Paths(config_of(node).node.data_dir).paused
    paused.write_text('{"paused": ["proposer"]}\n')
    made = restore(kept(node, tmp_path / "a.backup").archive, tmp_path / "new")
    assert Paths(config_of(made.config).node.data_dir).paused.read_bytes() == paused.read_bytes()


def test_everything_takes_the_files_that_are_kept_for_others_too(node: Path, tmp_path: Path) -> None:
    made = back_up(config_of(node), node, tmp_path / "a.backup", everything=True)
    assert f"blobs/{digest_of(MODEL).hex()}" in names(made.archive) and made.sealed == 2


def test_a_restored_folder_is_a_node_elsewhere(node: Path, tmp_path: Path) -> None:
    made = restore(kept(node, tmp_path / "a.backup").archive, tmp_path / "new" / "place")
    folder = tmp_path / "new" / "place"
    config = config_of(made.config)
    was = config_of(node)
    assert config.node.data_dir == folder / "data" and config.wallet.directory == folder / "wallet"
    assert config.proposer.dataset == folder / "dataset"
    assert config.wallet.password_file == was.wallet.password_file
    same = replace(config, node=was.node, wallet=was.wallet, proposer=was.proposer,
                   chain=replace(config.chain, deployment=was.chain.deployment))  # fmt: skip
    assert same == was, "every other key is as it was"
    assert (folder / "node.toml.original").read_bytes() == node.read_bytes()
    assert (folder / "dataset/sealed/secret.json").read_text() == '{"seed":"5ec12e7"}'
    assert place_of(folder / "data/blobs", digest_of(DELTA)).read_bytes() == DELTA
    assert (folder / "data/p2p/node.key").read_bytes() == (node.parent / "data/p2p/node.key").read_bytes()
    for path in folder.rglob("*"):
        assert not path.stat().st_mode & 0o077, path
    with Journal.open(folder / "data/journal.sqlite") as journal:
        assert journal.salt(3, ACCOUNT) == (digest_of(DELTA), SALT)
    with BlobStore(folder / "data/blobs", 1 << 20) as blobs:
        assert blobs.pins(digest_of(DELTA)) == {"round/3"}
    assert any("never run again" in step for step in made.next)
    assert any("--moved" in step for step in made.next)


def test_a_folder_restored_where_a_service_had_it_is_the_one_that_its_file_names(
    node: Path, tmp_path: Path
) -> None:
    """The layout of the unit: the file in one place; `data`, `wallet` and `dataset` in another."""
    service, etc = tmp_path / "var/solver", tmp_path / "etc"
    service.mkdir(parents=True)
    etc.mkdir()
    text = node.read_text()
    for key, was, name in (("data_dir", "data", "data"), ("directory", "wallet", "wallet"),
                           ("dataset", "shards", "dataset")):  # fmt: skip
        assert f'{key} = "{was}"' in text
        text = text.replace(f'{key} = "{was}"', f'{key} = "{service / name}"')
        (node.parent / was).rename(service / name)
    (node.parent / "deployment.json").rename(etc / "deployment.json")
    (etc / "node.toml").write_text(text)
    archive = kept(etc / "node.toml", tmp_path / "a.backup").archive
    for folder in (service, etc):
        shutil.rmtree(folder)
    restore(archive, service)
    etc.mkdir()
    for was, name in (("node.toml.original", "node.toml"), ("deployment.json", "deployment.json")):
        shutil.copy(service / was, etc / name)
    config = config_of(etc / "node.toml")
    assert (etc / "node.toml").read_text() == text and config.chain.deployment.is_file()
    assert config.proposer.dataset is not None and (config.proposer.dataset / "sealed").is_dir()
    assert [item.suffix for item in config.wallet.directory.iterdir() if item.name.startswith("0x")]
    assert Journal.is_held(Paths(config.node.data_dir).journal)


def test_a_node_that_runs_is_copied_as_it_is_at_one_moment(node: Path, tmp_path: Path) -> None:
    paths = Paths(config_of(node).node.data_dir)
    with Journal.open(paths.journal) as journal:
        journal.put_salt(4, ACCOUNT, digest_of(b"lost"), SALT)  # in the log alone, and pinned by nobody
        made = kept(node, tmp_path / "a.backup")
        journal.put_salt(5, ACCOUNT, digest_of(b"later"), SALT)
        assert journal.hold() is None, "the journal itself is no copy"
    assert not made.stopped and made.missing == ()
    again = restore(made.archive, tmp_path / "new")
    assert any("--lost (it ran" in step for step in again.next)
    with Journal.open(tmp_path / "new/data/journal.sqlite") as journal:
        assert [item.round_id for item in journal.salts()] == [3, 4]


def test_a_sealed_delta_that_the_store_has_damaged_is_named(node: Path, tmp_path: Path) -> None:
    place = place_of(config_of(node).node.data_dir / "blobs", digest_of(DELTA))
    place.chmod(0o600)
    place.write_bytes(b"rot")
    assert kept(node, tmp_path / "a.backup").missing == (digest_of(DELTA).hex(),)


def test_what_the_environment_said_is_asked_for_where_it_is_missing(node: Path, tmp_path: Path) -> None:
    text = node.read_text().replace('endpoints = ["http://127.0.0.1:8545"]', "")
    node.write_text(text)
    said = {"JEPANET_CHAIN_ENDPOINTS": "http://127.0.0.1:8545"}
    config = load_config(node, said)
    archive = back_up(config, node, tmp_path / "a.backup", variables=tuple(said)).archive
    without = restore(archive, tmp_path / "without")
    assert any("set JEPANET_CHAIN_ENDPOINTS" in step for step in without.next)
    assert not any("set JEPANET" in step for step in restore(archive, tmp_path / "t", environment=said).next)


# ------------------------------------------------------------------ held


def test_a_restored_node_does_not_start_and_signs_nothing_that_it_may_have_signed(
    node: Path, tmp_path: Path
) -> None:
    restore(kept(node, tmp_path / "a.backup").archive, tmp_path / "new")
    path = tmp_path / "new/data/journal.sqlite"
    assert Journal.is_held(path)
    with Journal.open(path) as journal:
        with pytest.raises(Fatal, match="two copies") as caught:
            journal.expect_released()
        assert caught.value.code is Exit.HELD
        journal.release(signs_after=7)
        journal.expect_released()
        journal.release(signs_after=5)  # an older answer of an endpoint takes nothing back
        for kind, subject in (("result", ""), ("score", ACCOUNT)):
            with pytest.raises(Rejected, match="restored from a backup") as refused:
                journal.put_signature(kind, 7, subject, b"e" * 32, b"y" * 65)
            assert refused.value.reason == "restored"
        journal.put_signature("result", 2, "", b"d" * 32, b"x" * 65)  # known from before the backup
        journal.put_signature("result", 8, "", b"e" * 32, b"y" * 65)
    assert not Journal.is_held(path)


def test_the_copy_of_a_copy_stays_that_of_a_node_that_ran(node: Path, tmp_path: Path) -> None:
    paths = Paths(config_of(node).node.data_dir)
    with Journal.open(paths.journal):
        first = kept(node, tmp_path / "a.backup").archive
    again = restore(first, tmp_path / "new").config
    made = back_up(config_of(again), again, tmp_path / "b.backup")
    assert made.stopped, "the copy does not run"
    restore(made.archive, tmp_path / "newer")
    with Journal.open(tmp_path / "newer/data/journal.sqlite") as journal:
        hold = journal.hold()
    assert hold is not None and not hold.stopped


def test_an_unpacked_journal_is_held_too(node: Path, tmp_path: Path) -> None:
    """Whoever unpacks the archive by hand is stopped as well."""
    with tarfile.open(kept(node, tmp_path / "a.backup").archive) as file:
        member = file.extractfile("journal.sqlite")
        assert member is not None
        (tmp_path / "journal.sqlite").write_bytes(member.read())
    assert Journal.is_held(tmp_path / "journal.sqlite")


# ------------------------------------------------------------------ nothing is replaced, nothing is left


def test_nothing_is_replaced(node: Path, tmp_path: Path) -> None:
    archive = kept(node, tmp_path / "a.backup").archive
    before = archive.read_bytes()
    with pytest.raises(Fatal, match="is there already") as caught:
        kept(node, archive)
    assert caught.value.code is Exit.CONFIG and archive.read_bytes() == before
    for kind in ("file", "folder", "link"):
        place = tmp_path / kind
        {"file": place.touch, "folder": place.mkdir, "link": lambda: place.symlink_to("nowhere")}[kind]()  # noqa: B023
        with pytest.raises(Fatal, match="is there already"):
            restore(archive, place)
    assert not (tmp_path / "nowhere").exists()


def test_a_second_call_at_once_is_refused_and_a_stranger_s_link_is_not_followed(
    node: Path, tmp_path: Path
) -> None:
    from jepanet.operations.backups.draft_folder import drafted

    with drafted(tmp_path / "a.backup"), pytest.raises(Fatal, match="another call") as caught:
        kept(node, tmp_path / "a.backup")
    assert caught.value.code is Exit.ALREADY_RUNNING
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "precious").touch()
    (tmp_path / ".b.backup.partial").symlink_to(victim)
    with pytest.raises(Fatal):
        kept(node, tmp_path / "b.backup")
    assert (victim / "precious").exists()


@pytest.mark.subprocess
@pytest.mark.parametrize("what", ["backup", "restore"])
def test_a_kill_at_any_moment_leaves_all_or_nothing(what: str, node: Path, tmp_path: Path) -> None:
    """The process is killed before its first sync, its second, and so on until it gets through."""
    archive = kept(node, tmp_path / "first.backup").archive
    target = tmp_path / "target"

    def call() -> object:
        return kept(node, target) if what == "backup" else restore(archive, target)

    def whole(number: int) -> bool:
        """Whether what stands under the final name, if anything does, is all there; it is taken away."""
        if not target.exists():
            return False
        if what == "backup":
            restore(target, tmp_path / f"whole-{number}")
        else:
            assert config_of(target / "node.toml").node.data_dir == target / "data"
            Journal.open(target / "data/journal.sqlite").close()
        target.rename(tmp_path / f"target-{number}")
        return True

    kills, partial = 0, []
    while killed_at(kills, call):
        partial.append(not whole(kills))
        kills += 1
    assert partial.count(True) >= 3, "it was killed nowhere before it was done"
    assert whole(kills), "what kills left does not stand in its way"
    assert [item for item in tmp_path.iterdir() if "partial" in item.name] == []


def killed_at(count: int, call: Callable[[], object]) -> bool:
    """Whether a process that dies at the sync after `count` others does so before the call is done."""
    child = os.fork()
    if child == 0:
        done, sync = 0, os.fsync

        def dying(descriptor: int) -> None:
            nonlocal done
            if done == count:
                os.kill(os.getpid(), signal.SIGKILL)
            done += 1
            sync(descriptor)

        os.fsync = dying
        try:
            call()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


# ------------------------------------------------------------------ archives of an attacker


def manifest_of(*entries: Entry) -> Manifest:
    return Manifest(
        made=1, client="1", stopped=True, wallet=ACCOUNT, peer="", deployment="31337/x",
        variables=(), files=entries,
    )  # fmt: skip


def archive_of(path: Path, encoded: bytes, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    """As an attacker writes one: any headers with any bytes behind them."""
    file = io.BytesIO()
    head = tarfile.TarInfo(MANIFEST)
    head.size = len(encoded)
    for info, data in [(head, encoded), *members]:
        file.write(info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512))
    file.write(bytes(1024))
    path.write_bytes(file.getvalue())
    return path


def refused(archive: Path, target: Path) -> Fatal:
    with pytest.raises(Fatal) as caught:
        restore(archive, target)
    assert caught.value.code is Exit.DAMAGED, caught.value
    assert not os.path.lexists(target)
    assert sorted(item.name for item in target.parent.iterdir()) == [archive.name], "something was written"
    return caught.value


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    """A folder of its own, so that whatever is written beside the target is seen."""
    folder = tmp_path / "cell"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    "name",
    ["../escaped", "/etc/cron.d/x", "dataset/../../escaped", "dataset/./x", "dataset//x", "dataset/.ssh",
     "dataset/a/b/c/d", "wallet/../node.toml", "data/journal.sqlite", "blobs/../../x", "node.toml/x",
     "journal.sqlite-wal", "password", "rpc/token", "dataset/a\\..\\b", "wallet/0x12.json"],
)  # fmt: skip
def test_no_name_leads_elsewhere(name: str, cell: Path) -> None:
    assert most_bytes(name) is None
    encoded = manifest_of(Entry(name, 1, digest_of(b"x"))).codec.encode(
        manifest_of(Entry(name, 1, digest_of(b"x")))
    )
    info = tarfile.TarInfo(name)
    info.size = 1
    assert "no backup holds" in refused(archive_of(cell / "a", encoded, [(info, b"x")]), cell / "t").message


def test_names_that_are_taken_stay_in_their_folder() -> None:
    for name in ("node.toml", "journal.sqlite", "node.key", "blobs.sqlite", "blobs/" + "a" * 64,
                 "dataset/sealed/secret.json", "dataset/a..b", f"wallet/{ACCOUNT}.json"):  # fmt: skip
        assert most_bytes(name) is not None
        assert ".." not in restored_place(name).parts and not restored_place(name).is_absolute()


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE,
     tarfile.GNUTYPE_SPARSE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE],
)  # fmt: skip
def test_only_plain_files_are_taken(kind: bytes, cell: Path) -> None:
    entry = Entry("node.toml", 0, digest_of(b""))
    info = tarfile.TarInfo("node.toml")
    info.type, info.linkname = kind, "/etc/passwd"
    made = manifest_of(entry)
    refused(archive_of(cell / "a", made.codec.encode(made), [(info, b"")]), cell / "t")


@pytest.mark.parametrize("size", [1 << 20 | 1, 1 << 40, (256 << 30) + 1])
def test_sizes_are_judged_before_anything_is_written(size: int, cell: Path) -> None:
    """A small configuration, or more than there is: neither makes the reader allocate or write."""
    tree = json.loads(manifest_of(Entry("node.toml", 1, digest_of(b"x"))).codec.encode(
        manifest_of(Entry("node.toml", 1, digest_of(b"x")))))  # fmt: skip
    tree["files"][0]["size"] = size
    encoded = json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()
    refused(archive_of(cell / "a", encoded, []), cell / "t")


def test_a_sparse_file_that_is_as_long_as_it_says_is_refused_for_want_of_its_digest(cell: Path) -> None:
    """A hole of a GiB costs the attacker nothing; the room is checked and the digest does not fit."""
    entry = Entry("journal.sqlite", 1 << 20, digest_of(b"x"))
    made = manifest_of(entry)
    info = tarfile.TarInfo("journal.sqlite")
    info.size = entry.size
    archive = archive_of(cell / "a", made.codec.encode(made), [(info, b"")])
    with archive.open("r+b") as file:
        file.truncate(archive_size(made))
    assert "is not what was backed up" in refused(archive, cell / "t").message


def test_more_than_the_disk_holds_is_refused(
    node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = kept(node, tmp_path / "a.backup").archive
    free = type("Usage", (), {"free": archive.stat().st_size - 1})
    monkeypatch.setattr("shutil.disk_usage", lambda _: free)
    for call in (lambda: restore(archive, tmp_path / "t"), lambda: kept(node, tmp_path / "b.backup")):
        with pytest.raises(Fatal, match="of room") as caught:
            call()
        assert caught.value.code is Exit.DISK_FULL
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.backup", "home", "network.json"]


def test_every_cut_and_every_changed_byte_is_seen(node: Path, tmp_path: Path, cell: Path) -> None:
    whole = kept(node, tmp_path / "a.backup").archive.read_bytes()
    archive, step = cell / "a", max(1, len(whole) // 60)
    for cut in (0, 1, 511, 512, *range(600, len(whole), step), len(whole) - 1):
        archive.write_bytes(whole[:cut])
        refused(archive, cell / "t")
    archive.write_bytes(whole + bytes(512))
    refused(archive, cell / "t")
    for place in range(step // 2, len(whole), step):
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        # Owner, time and mode of a header are nobody's: such an archive is as good as the whole one.
        try:
            restore(archive, cell / "t")
        except Fatal as error:
            assert error.code is Exit.DAMAGED
            assert not (cell / "t").exists()
        else:
            assert _same(cell / "t", whole, tmp_path / f"same-{place}")
            (cell / "t").rename(tmp_path / f"was-{place}")


def _same(folder: Path, whole: bytes, reference: Path) -> bool:
    archive = reference.with_suffix(".backup")
    archive.write_bytes(whole)
    restore(archive, reference)
    return all(
        path.read_bytes() == (folder / path.relative_to(reference)).read_bytes()
        for path in reference.rglob("*")
        if path.is_file()
    )


def test_another_archive_than_the_one_that_was_named_is_refused(node: Path, tmp_path: Path) -> None:
    made = kept(node, tmp_path / "a.backup")
    with pytest.raises(Fatal, match="is not the backup") as caught:
        restore(made.archive, tmp_path / "t", sha256="ab" * 32)
    assert caught.value.code is Exit.DAMAGED
    restore(made.archive, tmp_path / "t", sha256=made.sha256.upper())


@pytest.mark.parametrize("kind", ["absent", "folder", "pipe", "device"])
def test_what_is_no_archive_is_refused_at_once(kind: str, cell: Path) -> None:
    place = {"absent": cell / "none", "folder": cell, "pipe": cell / "pipe", "device": Path("/dev/zero")}[
        kind
    ]
    if kind == "pipe":
        os.mkfifo(place)
    with pytest.raises(Fatal) as caught:
        restore(place, cell / "t")
    assert caught.value.code in (Exit.DAMAGED, Exit.NOT_FOUND)
    assert not (cell / "t").exists()


def test_a_journal_that_is_damaged_is_not_backed_up(node: Path, tmp_path: Path) -> None:
    path = config_of(node).node.data_dir / "journal.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(8192))
    with pytest.raises(Fatal, match="cannot be copied") as caught:
        kept(node, tmp_path / "a.backup")
    assert caught.value.code is Exit.DAMAGED
    assert not (tmp_path / "a.backup").exists()
