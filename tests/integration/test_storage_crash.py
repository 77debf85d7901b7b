"""Killed at random, or out of room, while writing: what was promised is there, nothing is torn."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from jepanet.cid import digest_file, digest_of
from jepanet.errors import Exit
from jepanet.storage.blobs.store import BlobStore
from jepanet.storage.journal import Journal, StoredFact

pytestmark = pytest.mark.integration

SOURCE = Path(__file__).parents[2] / "client"
KILLS = 12

# Every line a child prints is a promise: the call before it had returned.
PRELUDE = """
import os, sys
from hashlib import sha256
from pathlib import Path
from jepanet.errors import Fatal
from jepanet.storage.blobs.store import BlobStore
from jepanet.storage.journal import Journal, Place, StoredBlock, StoredDuty, StoredEvent, StoredFact
from jepanet.telemetry import configure_logging

configure_logging(level="error")

def digest(text):
    return sha256(str(text).encode()).digest()

def promise(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

root = Path(sys.argv[1])
"""

JOURNAL_WRITER = """
journal = Journal.open(root / "journal.sqlite")
head = journal.head()
n = head.number if head else 0
# What the last run left unfinished between its transactions is finished first.
if n and journal.cursor() != n:
    journal.record([Place(n, 1), Place(n, None), StoredFact("Fact", str(n))],
                   [StoredDuty(f"duty:{n}", "Duty", "x" * 2000, n)], cursor=n)
promise("open", n)
while True:
    n += 1
    block = StoredBlock(n, digest(n), digest(n - 1), n)
    events = [StoredEvent(n, i, "Event", f"{n}/{i}" + "d" * 500) for i in range(3)]
    journal.apply_step(rewind_to=None, blocks=[(block, events)])
    promise("step", n)
    journal.record([Place(n, 1), Place(n, None), StoredFact("Fact", str(n))],
                   [StoredDuty(f"duty:{n}", "Duty", "x" * 2000, n)], cursor=n)
    promise("record", n)
    journal.snapshot(journal.last_sequence(), b"%d" % n * 500)
    journal.put_salt(n, "0xAa", digest(f"delta {n}"), digest(f"salt {n}"))
    promise("salt", n)
    journal.put_signature("result", n, "", digest(f"result {n}"), b"signature")
    promise("sign", n)
"""

BLOB_WRITER = """
store = BlobStore(root / "blobs", 1_000_000)
store.unpin_owner("round")
kept, n = [], 0
promise("open", 0)
while True:
    n += 1
    digest_ = store.put_bytes(os.urandom(8) * (1 + n % 7 * 2_000))
    store.pin(digest_, "round")
    promise("pin", digest_.hex())
    kept.append(digest_)
    if len(kept) > 5:
        promise("unpin", kept[0].hex())
        store.unpin(kept.pop(0), "round")
    source = store.incoming / "download"
    source.write_bytes(os.urandom(8) * (1 + n % 5 * 30_000 // 20))
    digest_ = store.put_file(source, move=bool(n % 2))
    if n % 3 == 0:
        store.publish(digest_)
        promise("publish", digest_.hex())
"""


def start(
    program: str, *arguments: object, limit: Callable[[], None] | None = None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(program), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        preexec_fn=limit,
    )


def kill_soon(child: subprocess.Popen[bytes], dice: random.Random) -> list[list[str]]:
    """The child's promises until it is killed, at a random instant after its store is open."""
    assert child.stdout is not None
    first = child.stdout.readline()
    assert first.startswith(b"open"), child.stderr and child.stderr.read().decode()
    time.sleep(dice.uniform(0.0, 0.15))
    child.send_signal(signal.SIGKILL)
    rest, errors = child.communicate(timeout=30)
    assert child.returncode == -signal.SIGKILL, errors.decode()
    # The last line may be cut off in the middle: then it is no promise.
    return [line.decode().split() for line in (first + rest).split(b"\n")[:-1]]


def promised(lines: list[list[str]], what: str) -> list[int]:
    return [int(value) for word, value in lines if word == what]


def sealed(text: str) -> bytes:
    return sha256(text.encode()).digest()


def test_a_killed_journal_keeps_its_promises_and_is_never_torn(tmp_path: Path) -> None:
    dice = random.Random(20_240_601)
    lines: list[list[str]] = []
    for _ in range(KILLS):
        lines += kill_soon(start(JOURNAL_WRITER, tmp_path), dice)
        with Journal.open(tmp_path / "journal.sqlite") as journal:
            # Promises kept.
            head = journal.head()
            assert head is not None or not promised(lines, "step")
            last = head.number if head else 0
            assert last >= max(promised(lines, "step"), default=0)
            assert (journal.cursor() or 0) >= max(promised(lines, "record"), default=0)
            for n in promised(lines, "salt"):
                assert journal.salt(n, "0xAa") == (sealed(f"delta {n}"), sealed(f"salt {n}"))
            for n in promised(lines, "sign"):
                assert journal.signature("result", n, "") == (sealed(f"result {n}"), b"signature")
            # Nothing torn: a block has all its events; a fact has its block, its duty and the cursor.
            assert [block.number for block in journal.trail(10**6)] == list(range(1, last + 1))
            assert [(item.block_number, item.log_index) for item in journal.events()] == [
                (n, i) for n in range(1, last + 1) for i in range(3)
            ]
            cursor = journal.cursor() or 0
            assert cursor in (last, last - 1)
            told = [fact for _, fact in journal.facts()]
            assert [getattr(fact, "payload", "")[:20] for fact in told[::3]] == [
                f"{n}/1{'d' * 20}"[:20] for n in range(1, cursor + 1)
            ]
            assert [getattr(block, "number", None) for block in told[1::3]] == list(range(1, cursor + 1))
            assert told[2::3] == [StoredFact("Fact", str(n)) for n in range(1, cursor + 1)]
            assert [row.key for row in journal.outbox()] == [f"duty:{n}" for n in range(1, cursor + 1)]
            snapshot = journal.latest_snapshot()
            assert snapshot is None or snapshot[1] == b"%d" % (snapshot[0] // 3) * 500
    assert promised(lines, "salt"), "the writers were killed before they wrote anything"


def test_a_killed_blob_store_has_whole_blobs_only(tmp_path: Path) -> None:
    dice = random.Random(20_240_602)
    lines: list[list[str]] = []
    for _ in range(KILLS):
        latest = kill_soon(start(BLOB_WRITER, tmp_path), dice)
        lines += latest
        for place in (tmp_path / "blobs").glob("??/??/*"):
            assert digest_file(place).hex() == place.name
        with BlobStore(tmp_path / "blobs", 1_000_000) as store:
            assert list((tmp_path / "blobs" / "partial").iterdir()) == []
            kept = {text for word, text in latest if word == "pin"}
            kept -= {text for word, text in latest if word == "unpin"}
            for text in kept:
                assert store.pins(bytes.fromhex(text)) == {"round"}
                assert len(store.read(bytes.fromhex(text), max_bytes=10**7)) > 0
            for word, text in lines:
                if word == "publish":
                    assert store.is_public(bytes.fromhex(text))
    assert any(word == "publish" for word, _ in lines)


def test_the_lock_of_a_killed_owner_is_free(tmp_path: Path) -> None:
    child = start(JOURNAL_WRITER, tmp_path)
    assert child.stdout is not None
    child.stdout.readline()
    assert refusal("Journal.open(root / 'journal.sqlite')", tmp_path) == Exit.ALREADY_RUNNING
    child.kill()
    child.communicate(timeout=30)
    Journal.open(tmp_path / "journal.sqlite").close()


def refusal(program: str, *arguments: object, limit: Callable[[], None] | None = None) -> int:
    """The exit code named by the Fatal that ends a program, 0 without one."""
    body = f"try:\n{textwrap.indent(textwrap.dedent(program), '    ')}\nexcept Fatal as error:\n"
    body += "    assert error.remedy\n    print(error, file=sys.stderr)\n    sys.exit(int(error.code))\n"
    child = start(body, *arguments, limit=limit)
    _, errors = child.communicate(timeout=60)
    assert child.returncode >= 0, errors.decode()
    assert b"Traceback" not in errors, errors.decode()
    return child.returncode


def small_files() -> None:
    # The kernel then refuses to grow any file of the child beyond this size, as a full disk would.
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))


def test_a_journal_out_of_room_stops_and_keeps_what_it_had(tmp_path: Path) -> None:
    program = """
    journal = Journal.open(root / "journal.sqlite")
    n = 0
    while True:
        n += 1
        journal.record([StoredFact("Fact", "x" * 500)], [StoredDuty(f"k{n}", "T", "{}", 1)], cursor=n)
        (root / "promised").write_text(str(n))
    """
    assert refusal(program, tmp_path, limit=small_files) == Exit.DISK_FULL
    kept = int((tmp_path / "promised").read_text())
    assert kept > 10
    with Journal.open(tmp_path / "journal.sqlite") as journal:  # with room again
        assert journal.cursor() == kept
        assert [seq for seq, _ in journal.facts()] == list(range(1, kept + 1))
        assert len(journal.outbox()) == kept
        journal.put_salt(1, "0xAa", sealed("delta"), sealed("salt"))


def test_a_blob_store_out_of_room_stops_and_leaves_no_part(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"s" * 700_000)
    for put in ("store.put_bytes(b'x' * 700_000)", "store.put_file(root / 'source', move=False)"):
        program = f"""
        store = BlobStore(root / "blobs", 10_000_000)
        store.put_bytes(b"small")
        {put}
        """
        assert refusal(program, tmp_path, limit=small_files) == Exit.DISK_FULL
        with BlobStore(tmp_path / "blobs", 10_000_000) as store:
            assert list((tmp_path / "blobs" / "partial").iterdir()) == []
            assert store.used() == 5
            assert store.read(digest_of(b"small"), max_bytes=5) == b"small"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_a_file_from_another_file_system_is_stored_whole(tmp_path: Path) -> None:
    far = Path("/dev/shm") / f"jepanet-test-{os.getpid()}"
    try:
        if Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("the temporary directory is on /dev/shm itself")
        far.write_bytes(b"far" * 1_000_000)
        with BlobStore(tmp_path / "blobs", 10_000_000) as store:
            digest = store.put_file(far, digest_of(b"far" * 1_000_000))
            assert store.size(digest) == 3_000_000
            assert not far.exists()
    finally:
        far.unlink(missing_ok=True)
