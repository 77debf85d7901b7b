"""A journal of schema 3 is opened: nothing is lost, a copy is kept, and what fails changes nothing."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections import namedtuple
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from earlier_journal import CONTRACT, EarlierJournal, a_round_before, log_of, number_of, tables
from protocol_facts import ROUND, SOLVER, committed, digest

from jepanet.chain.endpoints.answers import RawLog
from jepanet.chain.following.earlier_logs import read_earlier_log
from jepanet.chain.following.logs_to_facts import decode, topics
from jepanet.errors import Exit, Fatal
from jepanet.node.confirmed_facts import ConfirmedFacts
from jepanet.node.engine import Engine
from jepanet.protocol.facts import ChainBlock, Fact
from jepanet.protocol.journal_codec import encode_fact
from jepanet.protocol.state import Identity, NodeState
from jepanet.protocol.transition import genesis, transition
from jepanet.storage.journal import Journal, StoredBlock, StoredFact
from jepanet.types import BlockRef, Role

pytestmark = pytest.mark.unit

ME = Identity(SOLVER, frozenset({Role.SOLVER}))
SALT = (
    "INSERT INTO salts (round_id, solver, digest, salt) VALUES (7, ?, ?, ?)",
    (SOLVER, bytes(32), bytes(32)),
)
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node" / "journal.sqlite"


def folded(facts: list[Fact]) -> NodeState:
    state = genesis(ME)
    for fact in facts:
        state, _ = transition(state, fact)
    return state


def told(journal: Journal) -> list[tuple[str, str]]:
    """Every fact the machine was fed, as schema 3 stored it."""
    found = []
    for _, item in journal.facts():
        if isinstance(item, StoredBlock):
            found.append(encode_fact(ChainBlock(BlockRef(item.number, item.hash, item.timestamp))))
        else:
            assert isinstance(item, StoredFact)
            found.append((item.tag, item.payload))
    return found


def test_what_the_machine_was_fed_is_told_again_in_the_same_order(path: Path) -> None:
    before = a_round_before(SOLVER)
    before.write(path, [SALT, ("INSERT INTO snapshots VALUES (9, ?)", (b"of another form",))])
    with Journal.open(path, read_earlier_log) as journal:
        assert told(journal) == [encode_fact(fact) for fact in before.inputs]
        assert [seq for seq, _ in journal.facts()] == list(range(1, len(before.inputs) + 1))
        assert journal.last_sequence() == len(before.inputs)
        assert journal.cursor() == 10
        assert journal.latest_snapshot() is None
        assert journal.salt(7, SOLVER) == (bytes(32), bytes(32))
        engine = Engine(journal, ME, {})
        assert engine.restore() == len(before.inputs)
        assert engine.state == folded(before.inputs)


def test_every_event_is_stored_once_and_others_are_dropped(path: Path) -> None:
    before = a_round_before(SOLVER)
    before.write(path)
    facts = [fact for ref, log in before.logs if (fact := decode(log, ref)) is not None]
    assert len(facts) == len(before.logs) - 1
    with Journal.open(path, read_earlier_log) as journal:
        stored = {(item.block_number, item.log_index): (item.tag, item.payload) for item in journal.events()}
        assert stored == {(fact.block.number, fact.log_index): encode_fact(fact) for fact in facts}
        own = journal.database.rows("SELECT tag FROM fed WHERE payload IS NOT NULL")
        assert sorted(own) == [("LocalDeltaSealed",), ("LocalRoundPrepared",), ("PeerScored",)]
        names = {
            row[0] for row in journal.database.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")
        }
        assert names.isdisjoint({"logs", "inputs", "old_blocks"})


def test_blocks_that_were_forgotten_are_there_again(path: Path) -> None:
    before = a_round_before(SOLVER)
    before.write(path)
    with Journal.open(path, read_earlier_log) as journal:
        assert journal.trail() == [
            StoredBlock(ref.number, ref.hash, parent, ref.timestamp) for ref, parent in before.blocks
        ]


def test_what_was_not_confirmed_yet_is_fed_afterwards(path: Path) -> None:
    before = a_round_before(SOLVER)
    before.write(path)
    with Journal.open(path, read_earlier_log) as journal:
        engine = Engine(journal, ME, {})
        engine.restore()
        engine.feed_chain(ConfirmedFacts(journal, engine, 1))
        assert journal.cursor() == 11
        assert engine.state.rounds[ROUND].beacon is not None
        again = Engine(journal, ME, {})
        again.restore()
        assert again.state == engine.state


def test_blocks_lost_in_a_crash_of_the_version_before_are_taken_back(path: Path) -> None:
    """It had deleted blocks from the copy, noted the rewind, and died before it deleted their facts."""
    before = a_round_before(SOLVER)
    left = [ref.number for ref, _ in before.blocks if ref.number <= 5]
    before.write(
        path,
        [
            ("DELETE FROM blocks WHERE number > 5", ()),
            ("INSERT INTO meta (name, value) VALUES ('rewind', '5')", ()),
        ],
    )
    kept = [fact for fact in before.inputs if (number_of(fact) or 0) <= 5]
    with Journal.open(path, read_earlier_log) as journal:
        assert journal.rewind_due() == 5
        assert [item.number for item in journal.trail()] == left
        engine = Engine(journal, ME, {})
        feed = ConfirmedFacts(journal, engine, 1)
        engine.restore()
        feed.settle_rewind()
        assert (journal.rewind_due(), journal.cursor()) == (None, 5)
        assert told(journal) == [encode_fact(fact) for fact in kept]
        assert engine.state == folded(kept)


def test_numbers_of_facts_are_not_used_twice(path: Path) -> None:
    before = a_round_before(SOLVER)
    before.write(path, [("DELETE FROM inputs WHERE block_number > 9", ())])
    with Journal.open(path, read_earlier_log) as journal:
        assert journal.last_sequence() == len(before.inputs)
        journal.record([StoredFact("Local", "{}")], [])
        assert journal.last_sequence() == len(before.inputs) + 1


def test_an_empty_journal_needs_nobody_to_read_logs(path: Path) -> None:
    EarlierJournal().write(path, [SALT])
    with Journal.open(path) as journal:
        assert journal.salt(7, SOLVER) == (bytes(32), bytes(32))
        assert journal.last_sequence() == 0
    assert path.with_name("journal.sqlite.schema-3").exists()


# ------------------------------------------------------------------ the copy


def copies(path: Path) -> list[str]:
    return sorted(item.name for item in path.parent.iterdir() if ".schema-" in item.name)


def test_a_copy_is_kept_that_the_version_before_can_open(path: Path) -> None:
    a_round_before(SOLVER).write(path, [SALT])
    before = tables(path)
    Journal.open(path, read_earlier_log).close()
    Journal.open(path, read_earlier_log).close()
    assert copies(path) == ["journal.sqlite.schema-3"]
    copy = path.with_name("journal.sqlite.schema-3")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600, "it holds the salts"
    assert tables(copy) == before


def test_an_older_copy_is_never_written_over(path: Path) -> None:
    a_round_before(SOLVER).write(path)
    Journal.open(path, read_earlier_log).close()
    first = path.with_name("journal.sqlite.schema-3")
    content = first.read_bytes()
    for number in (2, 3):  # the operator went back, played on, and upgraded again
        path.unlink()
        shutil.copy(first, path)
        with closing(sqlite3.connect(path)) as sql:
            sql.execute("INSERT INTO notes VALUES (?, 'played', 'on')", (number,))
            sql.commit()
        Journal.open(path, read_earlier_log).close()
    assert copies(path) == [f"journal.sqlite.schema-3{end}" for end in ("", ".2", ".3")]
    assert first.read_bytes() == content


def test_a_copy_of_an_interrupted_upgrade_is_used_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_round_before(SOLVER).write(path)
    path.with_name("journal.sqlite.schema-3.partial").write_text("half")

    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            Journal.open(path, interrupted)  # type: ignore[arg-type]  # never answers
    assert copies(path) == ["journal.sqlite.schema-3"]
    Journal.open(path, read_earlier_log).close()
    assert copies(path) == ["journal.sqlite.schema-3"]


@pytest.mark.parametrize("again", [False, True])
def test_without_room_nothing_is_changed(path: Path, monkeypatch: pytest.MonkeyPatch, again: bool) -> None:
    a_round_before(SOLVER).write(path)
    if again:  # a copy is there already
        with pytest.raises(Fatal):
            Journal.open(path)
    before, known = tables(path), copies(path)
    size = path.stat().st_size
    needed = (2 if again else 3) * size
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(0, 0, needed - 1))
    with pytest.raises(Fatal, match=f"takes {needed} bytes") as refused:
        Journal.open(path, read_earlier_log)
    assert refused.value.code is Exit.DISK_FULL
    assert "make 1 bytes of room" in (refused.value.remedy or "")
    assert (tables(path), copies(path)) == (before, known)
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(0, 0, needed))
    Journal.open(path, read_earlier_log).close()


# ------------------------------------------------------------------ refusals


def _garbled(before: EarlierJournal) -> None:
    ref = before.blocks[-1][0]
    before.logs.append((ref, RawLog(CONTRACT, topics()[:1], b"not an event", 5, bytes(32))))


def _other_words(before: EarlierJournal) -> None:
    """The log of a fact that was fed says something else now."""
    at = next(n for n, (_, log) in enumerate(before.logs) if log == log_of(committed_by_me(before)))
    ref = before.logs[at][0]
    changed = replace(committed(SOLVER, 4), block=ref, log_index=3)
    before.logs[at] = (ref, log_of(changed))


def committed_by_me(before: EarlierJournal):  # type: ignore[no-untyped-def]
    return next(fact for fact in before.inputs if getattr(fact, "solver", None) == SOLVER)


def _two_forks(before: EarlierJournal) -> None:
    ref, parent = before.blocks[2]
    before.blocks[2] = (replace(ref, hash=digest("fork")), parent)
    before.logs = [(at, log) for at, log in before.logs if at != ref]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [(_garbled, Exit.INCOMPATIBLE), (_other_words, Exit.DAMAGED), (_two_forks, Exit.DAMAGED)],
)
def test_what_cannot_be_converted_is_refused_and_left_as_it_is(path: Path, spoil, code: Exit) -> None:  # type: ignore[no-untyped-def]
    before = a_round_before(SOLVER)
    spoil(before)
    before.write(path)
    content = tables(path)
    for _ in range(2):
        with pytest.raises(Fatal) as refused:
            Journal.open(path, read_earlier_log)
        assert refused.value.code is code
        assert refused.value.remedy
    assert tables(path) == content
    assert copies(path) == ["journal.sqlite.schema-3"]


def test_logs_that_nobody_can_read_are_refused(path: Path) -> None:
    a_round_before(SOLVER).write(path)
    content = tables(path)
    with pytest.raises(Fatal, match="earlier version") as refused:
        Journal.open(path)
    assert refused.value.code is Exit.INCOMPATIBLE
    assert tables(path) == content
