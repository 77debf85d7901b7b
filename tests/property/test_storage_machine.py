"""The stores against models kept in memory, reopened at any point: what a model knows, the disk knows."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jepanet.cid import digest_of
from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.storage.blobs.store import BlobStore
from jepanet.storage.journal import (
    Journal,
    OutboxRow,
    Place,
    StoredBlock,
    StoredDuty,
    StoredEvent,
    StoredFact,
)

pytestmark = pytest.mark.property

SMALL = settings(max_examples=40, stateful_step_count=30, deadline=None)
KEYS = st.sampled_from(["commit:1", "reveal:1", "fetch:1", "claim:2"])
TAGS = {"commit:1": "SendCommit", "reveal:1": "SendReveal", "fetch:1": "FetchBlob", "claim:2": "SendClaim"}
REOFFERED = ("SendCommit", "SendReveal", "SendClaim")
SOLVERS = st.sampled_from(["0xAa", "0xaA", "0xBb"])
DIGESTS = st.sampled_from([sha256(bytes([n])).digest() for n in range(3)])


def named(*parts: object) -> bytes:
    return sha256(repr(parts).encode()).digest()


@dataclass
class Model:
    """What the journal must say."""

    blocks: dict[int, StoredBlock] = field(default_factory=dict)
    events: dict[int, list[StoredEvent]] = field(default_factory=dict)
    facts: dict[int, StoredFact | Place] = field(default_factory=dict)
    sequence: int = 0
    cursor: int | None = None
    rewind: int | None = None
    snapshots: dict[int, bytes] = field(default_factory=dict)
    outbox: dict[str, OutboxRow] = field(default_factory=dict)
    salts: dict[tuple[int, str], tuple[bytes, bytes]] = field(default_factory=dict)
    signatures: dict[tuple[str, int, str], tuple[bytes, bytes]] = field(default_factory=dict)
    notes: dict[tuple[int, str], str] = field(default_factory=dict)
    forgotten: int = 0
    """Of blocks with lower numbers, those without events are gone."""

    def take_back(self, number: int) -> None:
        """What the machine was fed from blocks above `number` goes, and every snapshot that had seen it."""
        gone = [
            seq for seq, item in self.facts.items() if isinstance(item, Place) and item.block_number > number
        ]
        for seq in gone:
            del self.facts[seq]
        if gone:
            self.snapshots = {seq: s for seq, s in self.snapshots.items() if seq < min(gone)}

    def forget(self, kept: int, at_once: int) -> int:
        """Old blocks without events go, but for what a snapshot has not seen; how many."""
        if self.cursor is None or not self.snapshots or self.rewind is not None:
            return 0
        seen = min(self.snapshots)
        unseen = [s.block_number for q, s in self.facts.items() if q > seen and isinstance(s, Place)]
        last = min([self.cursor - kept, *(number - 1 for number in unseen)])
        looked = sorted(number for number in self.blocks if self.forgotten <= number <= last)[:at_once]
        if not looked:
            return 0
        gone = {number for number in looked if not self.events[number]}
        for number in gone:
            del self.blocks[number], self.events[number]
        self.facts = {
            seq: item
            for seq, item in self.facts.items()
            if not (isinstance(item, Place) and item.block_number in gone)
        }
        self.forgotten = looked[-1] + 1
        return len(gone)

    def told(self) -> list[tuple[int, StoredFact | StoredBlock]]:
        """Facts in order, with what the places refer to."""
        return [(seq, self._resolved(item)) for seq, item in sorted(self.facts.items())]

    def _resolved(self, item: StoredFact | Place) -> StoredFact | StoredBlock:
        if isinstance(item, StoredFact):
            return item
        if item.log_index is None:
            return self.blocks[item.block_number]
        event = self.events[item.block_number][item.log_index]
        return StoredFact(event.tag, event.payload)

    def record(
        self, facts: Sequence[StoredFact | Place], keys: list[str], cursor: int | None, done: list[str]
    ) -> None:
        for item in facts:
            self.sequence += 1
            self.facts[self.sequence] = item
        for key in keys:
            fresh = OutboxRow(key, TAGS[key], "{}", int(key[-1]), "pending", 0, None)
            known = self.outbox.get(key)
            if known is None or known.state == "done":
                self.outbox[key] = fresh
        for key in done:
            self.outbox[key] = replace(self.outbox[key], state="done", error=None)
        if cursor is not None:
            self.cursor = cursor


class JournalMachine(RuleBasedStateMachine):
    """Chain steps, forks, facts, duties and secrets in any order."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        self._path = Path(self._directory.name) / "journal.sqlite"
        self.journal = Journal.open(self._path)
        self.model = Model()
        self._forks = 0

    def teardown(self) -> None:
        self.journal.close()
        self._directory.cleanup()

    def _head(self) -> int:
        return max(self.model.blocks, default=0)

    @rule()
    def reopen(self) -> None:
        self.journal.close()
        self.journal = Journal.open(self._path)

    @rule(back=st.integers(0, 4), counts=st.lists(st.integers(0, 2), max_size=3), twice=st.booleans())
    def step(self, back: int, counts: list[int], twice: bool) -> None:
        """A fork `back` blocks deep (0: none), then one block for each count of logs."""
        model, rewind_to = self.model, None
        if back:
            rewind_to = max(0, self._head() - back)
            model.take_back(rewind_to)
            for number in [n for n in model.blocks if n > rewind_to]:
                del model.blocks[number], model.events[number]
            model.forgotten = min(model.forgotten, rewind_to)
            if model.cursor is not None and rewind_to < model.cursor:
                model.rewind = rewind_to if model.rewind is None else min(model.rewind, rewind_to)
        self._forks += 1
        added = []
        for count in counts:
            number = self._head() + 1
            parent = model.blocks.get(number - 1)
            block = StoredBlock(
                number, named(self._forks, number), parent.hash if parent else named("root"), number * 12
            )
            events = [StoredEvent(number, index, f"Event{index}", f"{self._forks}") for index in range(count)]
            model.blocks[number], model.events[number] = block, events
            added.append((block, events))
        for _ in range(1 + twice):
            self.journal.apply_step(rewind_to=rewind_to, blocks=added)

    @precondition(lambda self: self.model.blocks)
    @rule(back=st.integers(1, 3))
    def contradict(self, back: int) -> None:
        """A step whose last block is of another fork leaves nothing, its good blocks included."""
        head = self.model.blocks[self._head()]
        good = StoredBlock(head.number + 1, named("good"), head.hash, 0)
        bad = StoredBlock(max(1, head.number + 1 - back), named("bad"), named("nowhere"), 0)
        with pytest.raises(Fatal):
            self.journal.apply_step(rewind_to=None, blocks=[(good, []), (bad, [])])

    @precondition(lambda self: self.model.rewind is None and self.model.blocks)
    @rule(keys=st.lists(KEYS, max_size=2), ahead=st.integers(0, 2))
    def feed(self, keys: list[str], ahead: int) -> None:
        cursor = min(self._head(), (self.model.cursor or 0) + ahead)
        if self.model.cursor is not None and cursor < self.model.cursor:
            return
        numbers = [n for n in sorted(self.model.blocks) if (self.model.cursor or 0) < n <= cursor]
        facts = [Place(n, index) for n in numbers for index in (*range(len(self.model.events[n])), None)]
        self.journal.record(facts, [StoredDuty(k, TAGS[k], "{}", int(k[-1])) for k in keys], cursor=cursor)
        self.model.record(facts, keys, cursor, [])

    @rule(keys=st.lists(KEYS, max_size=2), done=st.lists(KEYS, max_size=2))
    def learn(self, keys: list[str], done: list[str]) -> None:
        facts = [StoredFact("Local", "{}")]
        duties = [StoredDuty(k, TAGS[k], "{}", int(k[-1])) for k in keys]
        if set(done) <= {*self.model.outbox, *keys}:
            self.journal.record(facts, duties, done=done)
            self.model.record(facts, keys, None, done)
        else:
            with pytest.raises(ValueError, match="no duty"):
                self.journal.record(facts, duties, done=done)

    @rule(back=st.integers(0, 5))
    def rewind(self, back: int) -> None:
        model = self.model
        target = max(0, (model.cursor or 0) - back)
        if model.rewind is not None and target > model.rewind:
            with pytest.raises(ValueError, match="rewound"):
                self.journal.rewind_facts(target, reoffer=REOFFERED)
            return
        self.journal.rewind_facts(target, reoffer=REOFFERED)
        model.take_back(target)
        if model.cursor is not None:
            model.cursor = min(model.cursor, target)
        model.rewind = None
        for key, row in model.outbox.items():
            if row.state == "done" and row.tag in REOFFERED:
                model.outbox[key] = replace(row, state="pending", attempts=0, error=None)

    @rule(state=st.binary(max_size=20))
    def snapshot(self, state: bytes) -> None:
        self.journal.snapshot(self.model.sequence, state)
        if self.model.rewind is not None:
            return
        self.model.snapshots[self.model.sequence] = state
        self.model.snapshots = dict(sorted(self.model.snapshots.items())[-3:])

    @rule(kept=st.integers(3, 5), at_once=st.integers(1, 4))
    def forget(self, kept: int, at_once: int) -> None:
        """No snapshot is replayed to anything else than before."""
        replayed = [list(self.journal.facts(seq)) for seq in self.model.snapshots]
        assert self.journal.forget_empty_blocks(kept=kept, at_once=at_once) == self.model.forget(
            kept, at_once
        )
        assert [list(self.journal.facts(seq)) for seq in self.model.snapshots] == replayed

    @rule(key=KEYS, reject=st.booleans())
    def fail(self, key: str, reject: bool) -> None:
        row = self.model.outbox.get(key)
        if row is None:
            with pytest.raises(ValueError, match="no duty"):
                self.journal.reject(key, "why")
            return
        if reject:
            self.journal.reject(key, "why")
        else:
            self.journal.postpone(key, "why")
        if row.state == "pending":
            row = replace(row, attempts=row.attempts + 1, error="why")
            self.model.outbox[key] = replace(row, state="rejected") if reject else row

    @rule(round_id=st.integers(1, 2), solver=SOLVERS, digest=DIGESTS, salt=DIGESTS)
    def seal(self, round_id: int, solver: str, digest: bytes, salt: bytes) -> None:
        stored = self.model.salts.setdefault((round_id, solver.lower()), (digest, salt))
        if stored == (digest, salt):
            self.journal.put_salt(round_id, solver, digest, salt)
        else:
            with pytest.raises(Fatal):
                self.journal.put_salt(round_id, solver, digest, salt)

    @rule(
        kind=st.sampled_from(["score", "result"]),
        subject=SOLVERS,
        digest=DIGESTS,
        nonce=st.binary(max_size=2),
    )
    def sign(self, kind: str, subject: str, digest: bytes, nonce: bytes) -> None:
        stored = self.model.signatures.setdefault((kind, 1, subject.lower()), (digest, nonce))
        if stored[0] == digest:
            self.journal.put_signature(kind, 1, subject, digest, nonce)
        else:
            with pytest.raises(Rejected):
                self.journal.put_signature(kind, 1, subject, digest, nonce)

    @rule(name=st.sampled_from(["receipt", "base"]), payload=st.text(max_size=5))
    def note(self, name: str, payload: str) -> None:
        self.journal.put_note(1, name, payload)
        self.model.notes[1, name] = payload

    @invariant()
    def the_disk_agrees(self) -> None:
        journal, model = self.journal, self.model
        numbers = sorted(model.blocks)
        assert journal.trail() == [model.blocks[n] for n in numbers]
        assert journal.events() == [event for n in numbers for event in model.events[n]]
        assert list(journal.facts()) == model.told()
        assert journal.last_sequence() == model.sequence
        assert (journal.cursor(), journal.rewind_due()) == (model.cursor, model.rewind)
        assert journal.latest_snapshot() == max(model.snapshots.items(), default=None)
        assert journal.outbox() == list(model.outbox.values())
        pending = [row for row in model.outbox.values() if row.state == "pending"]
        assert journal.pending() == pending
        assert {(s.round_id, s.solver.lower()): (s.digest, s.salt) for s in journal.salts()} == model.salts
        for key, signature in model.signatures.items():
            assert journal.signature(*key) == signature
        assert journal.notes(1) == {name: text for (_, name), text in model.notes.items()}


class BlobMachine(RuleBasedStateMachine):
    """Blobs put, used, published, pinned, damaged and collected in any order."""

    BUDGET = 40
    BLOBS = st.integers(0, 5).map(lambda n: bytes([n]) * (4 + 3 * n))
    OWNERS = st.sampled_from(["round 1", "round 2"])

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        self._root = Path(self._directory.name) / "blobs"
        self.store = BlobStore(self._root, self.BUDGET)
        self.stored: dict[bytes, bytes] = {}
        """Content by digest, least recently used first."""
        self.public: set[bytes] = set()
        self.pins: set[tuple[bytes, str]] = set()
        self.damaged: set[bytes] = set()

    def teardown(self) -> None:
        self.store.close()
        self._directory.cleanup()

    def _pinned(self) -> set[bytes]:
        return {digest for digest, _ in self.pins}

    def _used(self) -> int:
        return sum(map(len, self.stored.values()))

    def _use(self, digest: bytes) -> None:
        self.stored[digest] = self.stored.pop(digest)

    def _evict(self, wanted: int) -> None:
        for digest in [d for d in self.stored if d not in self._pinned()]:
            if self._used() + wanted <= self.BUDGET:
                break
            del self.stored[digest]
            self.damaged.discard(digest)

    @rule()
    def reopen(self) -> None:
        self.store.close()
        (self._root / "partial" / "torn").write_bytes(b"torn")
        self.store = BlobStore(self._root, self.BUDGET)

    @rule(data=BLOBS, as_file=st.booleans(), move=st.booleans())
    def put(self, data: bytes, as_file: bool, move: bool) -> None:
        digest = digest_of(data)
        source = self._root.parent / "source"
        source.write_bytes(data)
        before = copy.copy(self.stored)
        fits = sum(len(d) for k, d in self.stored.items() if k in self._pinned()) + len(data) <= self.BUDGET
        known = digest in self.stored
        try:
            if as_file:
                self.store.put_file(source, digest, move=move)
                assert source.exists() == (not move)
            else:
                self.store.put_bytes(data)
        except Transient as error:
            assert error.code is Exit.DISK_FULL
            assert not fits
            assert not known
            self.stored = before
            return
        if not known:
            assert fits
            self._evict(len(data))
            self.stored[digest] = data
        self._use(digest)

    @rule(data=BLOBS)
    def read(self, data: bytes) -> None:
        digest = digest_of(data)
        if digest in self.stored and digest not in self.damaged:
            assert self.store.read(digest, max_bytes=100) == data
            self._use(digest)
        else:
            with pytest.raises(Transient):
                self.store.read(digest, max_bytes=100)
            self.stored.pop(digest, None)
            self.damaged.discard(digest)

    @precondition(lambda self: self.stored)
    @rule(choice=st.randoms(use_true_random=False))
    def damage(self, choice: object) -> None:
        digest = choice.choice(sorted(self.stored))  # type: ignore[attr-defined]  # Hypothesis hides the class
        name = digest.hex()
        place = self._root / name[:2] / name[2:4] / name
        times = place.stat().st_mtime_ns
        place.chmod(0o600)
        place.write_bytes(b"\xff" * len(self.stored[digest]))
        os.utime(place, ns=(times, times))
        self.damaged.add(digest)

    @rule(data=BLOBS, public=st.booleans())
    def publish(self, data: bytes, public: bool) -> None:
        digest = digest_of(data)
        if not public:
            self.store.unpublish(digest)
            self.public.discard(digest)
        elif digest in self.stored:
            self.store.publish(digest)
            self.public.add(digest)
        else:
            with pytest.raises(Rejected):
                self.store.publish(digest)

    @rule(data=BLOBS, owner=OWNERS, pinned=st.booleans())
    def pin(self, data: bytes, owner: str, pinned: bool) -> None:
        digest = digest_of(data)
        if pinned:
            self.store.pin(digest, owner)
            self.pins.add((digest, owner))
        else:
            self.store.unpin(digest, owner)
            self.pins.discard((digest, owner))

    @rule(owner=OWNERS)
    def unpin_owner(self, owner: str) -> None:
        self.store.unpin_owner(owner)
        self.pins = {(digest, by) for digest, by in self.pins if by != owner}

    @rule()
    def collect(self) -> None:
        report = self.store.collect()
        assert (report.deleted, report.freed) == ((), 0)  # putting keeps within the budget
        assert report.used == self._used()
        assert report.pinned == sum(len(d) for k, d in self.stored.items() if k in self._pinned())

    @invariant()
    def the_disk_agrees(self) -> None:
        assert self.store.used() == self._used() <= self.BUDGET
        on_disk = {path.name for path in self._root.glob("??/??/*")}
        assert on_disk == {digest.hex() for digest in self.stored}
        assert list((self._root / "partial").iterdir()) == []
        for data in (bytes([n]) * (4 + 3 * n) for n in range(6)):
            digest = digest_of(data)
            assert self.store.size(digest) == (len(data) if digest in self.stored else None)
            assert self.store.is_public(digest) == (digest in self.public)
            assert self.store.pins(digest) == {by for pinned, by in self.pins if pinned == digest}
            if digest not in self.public or digest not in self.stored:
                assert self.store.open_public(digest) is None


TestJournal = JournalMachine.TestCase
TestJournal.settings = SMALL
TestBlobs = BlobMachine.TestCase
TestBlobs.settings = SMALL
