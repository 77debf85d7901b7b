"""The journal: what each call promises, and what it refuses."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.storage.journal import (
    Journal,
    Place,
    StoredBlock,
    StoredDuty,
    StoredEvent,
    StoredFact,
    StoredResidual,
)
from jepanet.storage.schema import journal_schema

pytestmark = pytest.mark.unit

SOLVER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def digest(text: object) -> bytes:
    return sha256(str(text).encode()).digest()


def block(number: int, fork: str = "a", parent_fork: str | None = None) -> StoredBlock:
    parent = digest(f"{parent_fork or fork}{number - 1}")
    return StoredBlock(number, digest(f"{fork}{number}"), parent, 1_700_000_000 + 12 * number)


def event(of: StoredBlock, index: int) -> StoredEvent:
    return StoredEvent(of.number, index, "ChainCommitted", f'{{"in":"{of.hash.hex()}"}}')


def local(text: str = "{}") -> StoredFact:
    return StoredFact("Local", text)


def hold(journal: Journal, *numbers: int) -> None:
    """Stores these blocks, each with an event 0."""
    blocks = [block(number) for number in numbers]
    journal.apply_step(rewind_to=None, blocks=[(item, [event(item, 0)]) for item in blocks])


def duty(key: str, tag: str = "SendCommit", round_id: int | None = 1) -> StoredDuty:
    return StoredDuty(key, tag, "{}", round_id)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node" / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal.open(path) as opened:
        yield opened


# ------------------------------------------------------------------ opening


def test_the_file_is_durable_and_private(path: Path, journal: Journal) -> None:
    journal.put_salt(1, SOLVER, digest("d"), digest("s"))
    assert journal.database.row("PRAGMA journal_mode") == ("wal",)
    assert journal.database.row("PRAGMA synchronous") == (2,)  # FULL
    assert journal.database.row("PRAGMA foreign_keys") == (1,)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    for file in (path, path.with_name("journal.sqlite-wal"), path.with_name("journal.sqlite-shm")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_second_owner_is_refused_until_the_first_leaves(path: Path, journal: Journal) -> None:
    with pytest.raises(Fatal) as refused:
        Journal.open(path)
    assert refused.value.code is Exit.ALREADY_RUNNING
    assert refused.value.remedy
    journal.close()
    journal.close()  # harmless
    Journal.open(path).close()


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    Journal.open(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute(f"PRAGMA user_version = {len(journal_schema(None).migrations) + 1}")
    raw.close()
    for _ in range(2):  # the refusal does not keep the lock
        with pytest.raises(Fatal, match="schema") as refused:
            Journal.open(path)
        assert refused.value.code is Exit.INCOMPATIBLE


def test_another_programs_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE recipes (name TEXT)")
    raw.close()
    with pytest.raises(Fatal, match="another program") as refused:
        Journal.open(path)
    assert refused.value.code is Exit.INCOMPATIBLE


def test_a_file_that_is_no_database_is_refused_with_a_remedy(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"\x00 not a database " * 500)
    with pytest.raises(Fatal, match="damaged") as refused:
        Journal.open(path)
    assert "backup" in (refused.value.remedy or "")


def test_a_damaged_page_is_found_at_open(path: Path) -> None:
    with Journal.open(path) as journal:
        for n in range(200):
            journal.put_note(n, "receipt", "x" * 400)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    with pytest.raises(Fatal, match="damaged"):
        Journal.open(path)


def test_a_place_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Fatal) as refused:
        Journal.open(tmp_path / "file" / "journal.sqlite")
    assert refused.value.code is Exit.CONFIG


def test_a_failed_migration_leaves_the_old_schema(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal.open(path) as journal:
        journal.put_note(1, "kept", "1")
    today = journal_schema(None)
    further = (
        *today.migrations,
        ("CREATE TABLE extra (a TEXT) STRICT",),
        ("INSERT INTO nowhere VALUES (1)",),
    )
    monkeypatch.setattr(
        "jepanet.storage.journal.journal_schema", lambda _: replace(today, migrations=further)
    )
    with pytest.raises(Fatal):
        Journal.open(path)
    monkeypatch.undo()
    with Journal.open(path) as journal:
        assert journal.notes(1) == {"kept": "1"}
        assert journal.database.row("SELECT count(*) FROM sqlite_schema WHERE name = 'extra'") == (0,)


def test_a_journal_serves_one_deployment(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.bind("31337:0xabc")
    with Journal.open(path) as journal:
        journal.bind("31337:0xabc")
        with pytest.raises(Fatal) as refused:
            journal.bind("1:0xabc")
        assert refused.value.code is Exit.WRONG_CHAIN


def test_a_full_disk_keeps_nothing_of_the_step_and_all_before_it(path: Path) -> None:
    with Journal.open(path) as journal:
        hold(journal, 1, 2)
        journal.record([Place(1, None)], [duty("before")], cursor=1)
        pages = journal.database.row("PRAGMA page_count")
        assert pages is not None
        journal.database.rows(f"PRAGMA max_page_count = {pages[0]}")
        with pytest.raises(Fatal) as full:
            journal.record([local("x" * 100_000), Place(2, None)], [duty("after")], cursor=2)
        assert full.value.code is Exit.DISK_FULL
        assert "free space" in (full.value.remedy or "")
        assert [seq for seq, _ in journal.facts()] == [1]
        assert journal.cursor() == 1
    with Journal.open(path) as journal:
        assert journal.duty_state("before") == "pending"
        assert journal.duty_state("after") is None


# ------------------------------------------------------------------ chain copy


def test_blocks_and_events_come_back_in_order(journal: Journal) -> None:
    blocks = [block(n) for n in range(1, 6)]
    journal.apply_step(rewind_to=None, blocks=[(b, [event(b, 7), event(b, 3)]) for b in blocks])
    assert journal.trail() == blocks
    assert journal.trail(2) == blocks[-2:]
    assert journal.head() == blocks[-1]
    assert journal.blocks_between(2, 3) == blocks[1:3]
    assert [(item.block_number, item.log_index) for item in journal.events(2, 3)] == [
        (2, 3),
        (2, 7),
        (3, 3),
        (3, 7),
    ]
    assert journal.events(5)[1] == event(blocks[4], 7)
    assert journal.events(6) == []


def test_a_repeated_step_changes_nothing(journal: Journal) -> None:
    step = [(b, [event(b, 0), event(b, 1)]) for b in (block(1), block(2))]
    journal.apply_step(rewind_to=None, blocks=step)
    journal.apply_step(rewind_to=None, blocks=step)
    journal.apply_step(rewind_to=0, blocks=step)
    assert len(journal.trail()) == 2
    assert len(journal.events()) == 4


def test_a_fork_replaces_blocks_and_events_together(journal: Journal) -> None:
    journal.apply_step(rewind_to=None, blocks=[(b, [event(b, 0)]) for b in map(block, range(1, 5))])
    fork = [block(3, "b", "a"), block(4, "b")]
    journal.apply_step(rewind_to=2, blocks=[(fork[0], []), (fork[1], [event(fork[1], 2)])])
    assert [b.hash for b in journal.trail()] == [block(1).hash, block(2).hash, fork[0].hash, fork[1].hash]
    assert journal.events(3) == [event(fork[1], 2)]


@pytest.mark.parametrize(
    "wrong", [block(3, "b", "a"), block(4, "b"), StoredBlock(0, digest("b0"), digest("-"), 0)], ids=str
)
def test_a_block_of_another_fork_is_refused_whole(journal: Journal, wrong: StoredBlock) -> None:
    journal.apply_step(rewind_to=None, blocks=[(block(n), []) for n in (1, 2, 3)])
    with pytest.raises(Fatal, match="contradicts"):
        journal.apply_step(rewind_to=None, blocks=[(block(2), [event(block(2), 0)]), (wrong, [])])
    assert journal.events() == []  # the good half of the step is not kept either
    assert journal.head() == block(3)


def test_an_event_of_another_block_is_refused(journal: Journal) -> None:
    with pytest.raises(ValueError, match="another block"):
        journal.apply_step(rewind_to=None, blocks=[(block(1), [event(block(2), 0)])])
    assert journal.head() is None


def test_a_rewind_to_before_everything_empties_the_copy(journal: Journal) -> None:
    journal.apply_step(rewind_to=None, blocks=[(b, [event(b, 0)]) for b in (block(0), block(1))])
    journal.apply_step(rewind_to=-1, blocks=[])
    assert (journal.trail(), journal.events(), journal.head()) == ([], [], None)


def test_blocks_forgotten_on_request_are_read_again_and_proven(path: Path) -> None:
    with Journal.open(path) as journal:
        blocks = [block(number) for number in range(1, 9)]
        journal.apply_step(rewind_to=None, blocks=[(item, [event(item, 0)]) for item in blocks])
        journal.record([Place(7, None)], [], cursor=7)
        assert journal.proven_until() == -1
        assert [item.number for item in journal.trail(below=5)] == [1, 2, 3, 4]
        assert journal.forget_from(5) == (4, 4)
        assert journal.forget_from(5) == (0, 0)
    with Journal.open(path) as journal:
        assert journal.head() == blocks[3]
        assert journal.rewind_due() == 4, "the machine was fed what is gone"
        assert journal.proven_until() == 8
        journal.prove_until(3)
        assert journal.proven_until() == 8
        journal.prove_until(11)
        assert journal.proven_until() == 11


# ------------------------------------------------------------------ the machine


def test_facts_duties_and_cursor_are_one_step(path: Path) -> None:
    with Journal.open(path) as journal:
        assert (journal.cursor(), journal.last_sequence(), journal.latest_snapshot()) == (None, 0, None)
        hold(journal, 5, 6)
        facts = [Place(5, 0), Place(5, None), local()]
        journal.record(facts, [duty("a"), duty("b")], cursor=5)
        with pytest.raises(ValueError, match="no duty"):
            journal.record([Place(6, None)], [duty("c")], cursor=6, done=["a", "unknown"])
    with Journal.open(path) as journal:
        (held, _) = journal.events()
        assert [item for _, item in journal.facts()] == [
            StoredFact(held.tag, held.payload), block(5), local(),
        ]  # fmt: skip
        assert journal.cursor() == 5
        assert journal.last_sequence() == 3
        assert [(row.key, row.state) for row in journal.outbox()] == [("a", "pending"), ("b", "pending")]


def test_a_duty_named_again_after_it_was_done_is_offered_again_unchanged(journal: Journal) -> None:
    journal.record([], [duty("a")], done=["a"])
    journal.record([], [StoredDuty("a", "Other", '{"x":1}', 9), duty("b")])
    (row, _) = journal.outbox()
    assert (row.tag, row.payload, row.round_id, row.state) == ("SendCommit", "{}", 1, "pending")


def test_a_rejected_duty_named_again_stays_rejected(journal: Journal) -> None:
    journal.record([], [duty("a")])
    journal.reject("a", "refused")
    journal.record([], [duty("a")])
    (row,) = journal.outbox()
    assert row.state == "rejected"


def test_the_cursor_only_moves_forward(journal: Journal) -> None:
    journal.record([], [], cursor=5)
    journal.record([], [], cursor=5)
    with pytest.raises(ValueError, match="cursor"):
        journal.record([local()], [], cursor=4)
    assert journal.cursor() == 5
    assert journal.last_sequence() == 0


@pytest.mark.parametrize("place", [Place(6, None), Place(5, 1)], ids=str)
def test_a_fact_that_the_copy_does_not_hold_is_refused(journal: Journal, place: Place) -> None:
    hold(journal, 5)
    with pytest.raises(ValueError, match="FOREIGN KEY"):
        journal.record([place], [], cursor=6)
    assert journal.cursor() is None


def test_facts_are_read_page_by_page(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jepanet.storage.journal._PAGE_OF_FACTS", 7)
    journal.record([local(str(n)) for n in range(100)], [])
    assert [item for _, item in journal.facts()] == [local(str(n)) for n in range(100)]
    assert [seq for seq, _ in journal.facts(after_seq=95)] == [96, 97, 98, 99, 100]
    # Writing between two pages is allowed.
    seen = 0
    for _ in journal.facts():
        seen += 1
        if seen == 10:
            journal.record([local()], [])
    assert seen == 101


def test_the_last_three_snapshots_stay(journal: Journal) -> None:
    journal.record([local()] * 5, [])
    for seq in range(6):
        journal.snapshot(seq, b"state %d" % seq)
    assert journal.latest_snapshot() == (5, b"state 5")
    assert journal.database.rows("SELECT seq FROM snapshots ORDER BY seq") == [(3,), (4,), (5,)]
    journal.snapshot(5, b"again")
    assert journal.latest_snapshot() == (5, b"again")
    with pytest.raises(ValueError, match="newest fact"):
        journal.snapshot(6, b"from the future")


def test_a_deep_reorg_rewinds_facts_snapshots_and_cursor(journal: Journal) -> None:
    hold(journal, 1, 2, 3, 4)
    for n in (1, 2, 3, 4):
        journal.record([Place(n, None), local(f"{n}")], [], cursor=n)
        journal.snapshot(journal.last_sequence(), b"after %d" % n)
    journal.record([], [duty("sent"), duty("seen", tag="FetchBlob")], done=["sent", "seen"])
    journal.record([], [duty("refused")])
    journal.reject("refused", "no")

    journal.rewind_facts(2, reoffer={"SendCommit"})

    assert [item for _, item in journal.facts()] == [
        block(1), local("1"), block(2), local("2"), local("3"), local("4"),
    ]  # fmt: skip
    assert journal.latest_snapshot() == (4, b"after 2")
    assert journal.cursor() == 2
    states = {row.key: (row.state, row.attempts) for row in journal.outbox()}
    assert states == {"sent": ("pending", 0), "seen": ("done", 0), "refused": ("rejected", 1)}
    # Sequence numbers are not used twice, so the older snapshot cannot be mistaken for a newer one.
    journal.record([Place(3, None)], [], cursor=3)
    assert journal.last_sequence() == 9
    journal.rewind_facts(3)
    assert journal.cursor() == 3


def test_a_snapshot_taken_right_after_a_forgotten_block_goes_too(journal: Journal) -> None:
    hold(journal, 1, 2)
    journal.record([Place(1, None)], [], cursor=1)
    journal.snapshot(1, b"after 1")
    journal.record([Place(2, None)], [], cursor=2)
    journal.snapshot(2, b"after 2")
    journal.rewind_facts(1)
    assert journal.latest_snapshot() == (1, b"after 1")


def test_a_crash_between_the_two_halves_of_a_deep_reorg_is_not_forgotten(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.apply_step(rewind_to=None, blocks=[(block(n), []) for n in range(1, 6)])
        for n in range(1, 6):
            journal.record([Place(n, None), local(f"{n}")], [], cursor=n)
            journal.snapshot(journal.last_sequence(), b"after %d" % n)
        assert journal.rewind_due() is None
        journal.apply_step(rewind_to=3, blocks=[(block(4, "b", "a"), [])])
        journal.apply_step(rewind_to=2, blocks=[(block(3, "b", "a"), []), (block(4, "b"), [])])
    with Journal.open(path) as journal:
        assert journal.rewind_due() == 2
        # What the machine was fed from the lost blocks went with them; what this node did stays.
        kept = [block(1), local("1"), block(2), local("2"), local("3"), local("4"), local("5")]
        assert [item for _, item in journal.facts()] == kept
        assert journal.latest_snapshot() is None, "the three newest had all seen a lost block"
        journal.snapshot(journal.last_sequence(), b"of a state that is not rewound yet")
        assert journal.latest_snapshot() is None
        with pytest.raises(ValueError, match="rewind_facts"):
            journal.record([Place(4, None)], [], cursor=6)
        journal.record([local()], [])  # facts of this node are never refused
        with pytest.raises(ValueError, match="rewound to block 2"):
            journal.rewind_facts(3)
        journal.rewind_facts(2)
        assert journal.rewind_due() is None
        assert journal.cursor() == 2
        journal.record([Place(3, None)], [], cursor=3)


def test_a_shallow_reorg_asks_for_no_rewind(journal: Journal) -> None:
    journal.apply_step(rewind_to=None, blocks=[(block(n), []) for n in range(1, 6)])
    journal.record([], [], cursor=3)
    journal.apply_step(rewind_to=3, blocks=[(block(4, "b", "a"), [])])
    assert journal.rewind_due() is None


# ------------------------------------------------------------------ outbox


def test_pending_duties_stay_so_in_order(journal: Journal) -> None:
    assert journal.pending() == []
    journal.record([], [duty("a"), duty("b", round_id=2), duty("c", round_id=None)])
    assert [row.key for row in journal.pending()] == ["a", "b", "c"]
    journal.postpone("a", "endpoint down")
    assert [row.key for row in journal.pending()] == ["a", "b", "c"]
    journal.record([], [], done=["b", "c"])
    (row,) = journal.pending()
    assert (row.attempts, row.error) == (1, "endpoint down")
    assert [row.key for row in journal.outbox(2)] == ["b"]
    assert journal.duty_state("b") == "done"


def test_done_and_rejected_are_final_for_failures(journal: Journal) -> None:
    journal.record([], [duty("a"), duty("b")], done=["a"])
    journal.postpone("a", "late failure")  # a handler that fails after the chain finished its duty
    journal.reject("a", "late failure")
    journal.reject("b", "bond too small")
    journal.postpone("b", "late failure")
    assert [(row.state, row.error) for row in journal.outbox()] == [
        ("done", None),
        ("rejected", "bond too small"),
    ]
    assert journal.pending() == []
    with pytest.raises(ValueError, match="no duty"):
        journal.postpone("x", "e")
    with pytest.raises(ValueError, match="no duty"):
        journal.reject("x", "e")


# ------------------------------------------------------------------ the safe


def test_a_salt_is_kept_for_good(path: Path) -> None:
    with Journal.open(path) as journal:
        assert journal.salt(1, SOLVER) is None
        journal.put_salt(1, SOLVER, digest("delta"), digest("salt"))
        journal.put_salt(1, SOLVER, digest("delta"), digest("salt"))
        for other in ((digest("delta"), digest("other")), (digest("other"), digest("salt"))):
            with pytest.raises(Fatal, match="already sealed"):
                journal.put_salt(1, SOLVER, *other)
        journal.put_salt(2, SOLVER, digest("delta 2"), digest("salt 2"))
    with Journal.open(path) as journal:
        assert journal.salt(1, SOLVER) == (digest("delta"), digest("salt"))
        first, second = journal.salts()
        assert (first.round_id, first.digest, first.salt) == (1, digest("delta"), digest("salt"))
        assert second.round_id == 2


def test_a_salt_is_drawn_once(path: Path) -> None:
    with Journal.open(path) as journal:
        assert journal.draw_salt(1, SOLVER, digest("first")) == digest("first")
        assert journal.salt(1, SOLVER) is None  # nothing is sealed with it yet
    with Journal.open(path) as journal:
        assert journal.draw_salt(1, SOLVER.lower(), digest("second")) == digest("first")
        assert journal.draw_salt(2, SOLVER, digest("second")) == digest("second")
        assert journal.draw_salt(1, "0xAnother", digest("third")) == digest("third")
        with pytest.raises(ValueError, match="journal"):
            journal.draw_salt(3, SOLVER, b"x" * 31)


def test_a_journal_of_the_release_before_keeps_what_it_sealed_and_draws_from_now_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        today = journal_schema(None)
        before.setattr(
            "jepanet.storage.journal.journal_schema",
            lambda _: replace(today, migrations=today.migrations[:2]),
        )
        with Journal.open(path) as journal:
            journal.put_salt(1, SOLVER, digest("delta"), digest("salt"))
    with Journal.open(path) as journal:
        assert journal.salt(1, SOLVER) == (digest("delta"), digest("salt"))
        assert journal.draw_salt(2, SOLVER, digest("drawn")) == digest("drawn")


def test_attack_no_message_names_a_sealed_digest(journal: Journal) -> None:
    """It may end in a log that others read before the reveal."""
    journal.put_salt(1, SOLVER, digest("delta"), digest("salt"))
    with pytest.raises(Fatal) as refused:
        journal.put_salt(1, SOLVER, digest("another"), digest("salt"))
    for name in ("delta", "another"):
        assert digest(name).hex() not in str(refused.value)


def test_a_residual_counts_once_its_delta_is_sealed(path: Path) -> None:
    one, two, three = (digest(f"model {n}") for n in (1, 2, 3))
    first = StoredResidual(4, "topk3", digest("residual 1"), None, one)
    second = StoredResidual(4, "topk3", digest("residual 2"), digest("residual 1"), two)
    with Journal.open(path) as journal:
        journal.put_salt(1, SOLVER, digest("delta"), digest("salt"), first)
        journal.put_salt(3, SOLVER, digest("delta 3"), digest("salt 3"), second)
        for other in (replace(first, digest=digest("another")), replace(first, project_id=5)):
            journal.put_salt(1, SOLVER, digest("delta"), digest("salt"), other)
        with pytest.raises(Fatal, match="already sealed"):
            journal.put_salt(1, SOLVER, digest("other"), digest("salt"), replace(first, project_id=5))
    with Journal.open(path) as journal:
        assert journal.newest_residual(4, SOLVER, 1, three) is None
        assert journal.newest_residual(4, SOLVER.lower(), 3, three) == first
        assert journal.newest_residual(4, SOLVER, 99, three) == second
        assert journal.newest_residual(5, SOLVER, 99, three) is None
        # From the same model again: nothing of the second delta was merged.
        assert journal.newest_residual(4, SOLVER, 99, two) == first
        assert journal.carried_residuals(SOLVER, 8) == {digest("residual 1"), digest("residual 2")}
        assert journal.carried_residuals(SOLVER, 0) == set()


def test_the_same_account_in_other_letters_is_the_same_solver(journal: Journal) -> None:
    journal.put_salt(1, SOLVER, digest("delta"), digest("salt"))
    with pytest.raises(Fatal, match="already sealed"):
        journal.put_salt(1, SOLVER.lower(), digest("delta"), digest("other"))
    assert journal.salt(1, SOLVER.lower()) == (digest("delta"), digest("salt"))


def test_a_salt_does_not_print(journal: Journal) -> None:
    salt = bytes(range(32))
    journal.put_salt(1, SOLVER, digest("delta"), salt)
    with pytest.raises(Fatal) as refused:
        journal.put_salt(1, SOLVER, digest("delta"), bytes(32))
    for text in (repr(journal.salts()), str(refused.value)):
        assert repr(salt)[2:-1] not in text
        assert salt.hex() not in text


@pytest.mark.parametrize("bad", [b"", b"x" * 31, b"x" * 33])
def test_salts_and_digests_have_32_bytes(journal: Journal, bad: bytes) -> None:
    for values in ((bad, digest("s")), (digest("d"), bad)):
        with pytest.raises(ValueError, match="journal"):
            journal.put_salt(1, SOLVER, *values)
    assert journal.salts() == []


def test_an_equivocation_is_refused(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.put_signature("result", 7, "", digest("result"), b"sig")
        journal.put_signature("result", 7, "", digest("result"), b"another encoding")  # first one stays
        journal.put_signature("score", 7, SOLVER, digest("score"), b"score sig")
    with Journal.open(path) as journal:
        for kind, subject in (("result", ""), ("score", SOLVER), ("score", SOLVER.upper())):
            with pytest.raises(Rejected) as refused:
                journal.put_signature(kind, 7, subject, digest("other"), b"sig")
            assert refused.value.reason == "equivocation"
        assert journal.signature("result", 7, "") == (digest("result"), b"sig")
        assert journal.signature("result", 8, "") is None
        journal.put_signature("result", 8, "", digest("other"), b"sig")


@pytest.mark.parametrize("table", ["salts", "signatures", "drawn_salts"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET round_id = 7"])
def test_no_statement_can_alter_the_safe(journal: Journal, table: str, statement: str) -> None:
    journal.draw_salt(1, SOLVER, digest("s"))
    journal.put_salt(1, SOLVER, digest("d"), digest("s"))
    journal.put_signature("result", 1, "", digest("d"), b"sig")
    with pytest.raises(ValueError, match="immutable"), journal.database.transaction() as sql:
        sql.execute(statement.format(table))
    assert journal.salt(1, SOLVER) == (digest("d"), digest("s"))
    assert journal.signature("result", 1, "") == (digest("d"), b"sig")
    assert journal.draw_salt(1, SOLVER, digest("other")) == digest("s")


def test_notes_are_replaced_by_name(journal: Journal) -> None:
    journal.put_note(1, "receipt", "{}")
    journal.put_note(1, "receipt", '{"paid":1}')
    journal.put_note(1, "base", "{}")
    journal.put_note(2, "receipt", "{}")
    assert journal.notes(1) == {"base": "{}", "receipt": '{"paid":1}'}
    assert journal.notes(3) == {}


# ------------------------------------------------------------------ old blocks


def long_chain(journal: Journal, length: int, *, events_at: frozenset[int]) -> None:
    """Blocks 1 to `length`, fed one by one, with a snapshot after each."""
    for number in range(1, length + 1):
        item = block(number)
        journal.apply_step(rewind_to=None, blocks=[(item, [event(item, 0)] if number in events_at else [])])
        places = [Place(number, 0)] if number in events_at else []
        journal.record([*places, Place(number, None)], [], cursor=number)
        journal.snapshot(journal.last_sequence(), b"state")


def test_old_blocks_without_events_are_forgotten_a_few_at_once(journal: Journal) -> None:
    long_chain(journal, 20, events_at=frozenset({3, 9}))
    dropped = [journal.forget_empty_blocks(kept=10, at_once=4) for _ in range(4)]
    assert dropped == [3, 4, 1, 0]
    assert [item.number for item in journal.trail()] == [3, 9, *range(11, 21)]
    assert [item.block_number for item in journal.events()] == [3, 9]
    told = [item for _, item in journal.facts()]
    assert [item.number for item in told if isinstance(item, StoredBlock)] == [3, 9, *range(11, 21)]
    assert journal.database.row("PRAGMA foreign_key_check") is None
    assert journal.cursor() == 20 and journal.trail(below=9)[-1].number == 3


def test_no_block_is_forgotten_that_a_snapshot_has_not_seen(journal: Journal) -> None:
    item = [block(number) for number in range(1, 21)]
    journal.apply_step(rewind_to=None, blocks=[(one, []) for one in item])
    journal.record([Place(number, None) for number in range(1, 6)], [], cursor=5)
    assert journal.forget_empty_blocks(kept=0, at_once=100) == 0  # without a snapshot all is replayed
    journal.snapshot(journal.last_sequence(), b"state")
    journal.record([Place(number, None) for number in range(6, 21)], [], cursor=20)
    assert journal.forget_empty_blocks(kept=0, at_once=100) == 5
    assert [told.number for _, told in journal.facts() if isinstance(told, StoredBlock)] == list(range(6, 21))


def test_what_is_read_again_after_a_fork_is_forgotten_again(journal: Journal) -> None:
    long_chain(journal, 20, events_at=frozenset({3}))
    assert journal.forget_empty_blocks(kept=10, at_once=100) == 9
    journal.forget_from(3)
    journal.rewind_facts(2)
    for number in range(3, 21):
        item = block(number)
        journal.apply_step(rewind_to=None, blocks=[(item, [event(item, 0)] if number == 3 else [])])
        journal.record([Place(number, None)], [], cursor=number)
        journal.snapshot(journal.last_sequence(), b"state")
    assert journal.forget_empty_blocks(kept=10, at_once=100) == 7
    assert [item.number for item in journal.trail()] == [3, *range(11, 21)]
