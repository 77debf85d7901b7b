"""A running node reads one stretch of blocks again at a time, and knows how far it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from jepanet.errors import Rejected
from jepanet.node.rereading import Rereading, Stretch
from jepanet.storage.journal import Journal, StoredBlock
from jepanet.types import BlockRef

pytestmark = pytest.mark.unit


def block_hash(number: int) -> bytes:
    return bytes([number]) * 32


@dataclass
class AFollower:
    """Stands at `position`; `trail` is what it was told to read again behind."""

    position: BlockRef
    rewinding: bool = False
    trail: list[BlockRef] = field(default_factory=list)

    def read_again(self, trail: list[BlockRef]) -> None:
        self.rewinding, self.trail = True, trail

    def at(self, number: int) -> None:
        self.rewinding, self.position = False, BlockRef(number, block_hash(number), number)


@dataclass
class Stand:
    journal: Journal
    follower: AFollower
    caught_up: bool = True

    def __post_init__(self) -> None:
        self.reading = Rereading(self.journal, cast(Any, self.follower), lambda: self.caught_up, 11)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """Blocks 11 to 60 are stored, and followed to the last."""
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        for number in range(11, 61):
            block = StoredBlock(number, block_hash(number), block_hash(number - 1), number)
            journal.apply_step(rewind_to=None, blocks=[(block, [])])
        yield Stand(journal, AFollower(BlockRef(60, block_hash(60), 60)))


def test_it_is_told_how_far_it_is_until_it_is_over(stand: Stand) -> None:
    assert stand.reading.progress is None and stand.reading.stored == (11, 60)
    assert stand.reading.begin(30) == Stretch(30, 29, 60) == stand.reading.progress
    assert stand.follower.trail[-1].number == 29 and stand.follower.trail[0].number == 11
    assert stand.journal.proven_until() == 60, "also after a crash"
    stand.caught_up = False
    for at in (29, 45, 59):
        stand.follower.at(at)
        assert stand.reading.progress == Stretch(30, at, 60)
    stand.follower.at(60)
    assert stand.reading.progress is None
    assert stand.reading.begin(31).first == 31


def test_attack_a_second_stretch_does_not_take_the_place_of_the_first(stand: Stand) -> None:
    stand.reading.begin(20)
    with pytest.raises(Rejected) as refused:
        stand.reading.begin(50)
    assert refused.value.reason == "under-way" and stand.follower.trail[-1].number == 19


@pytest.mark.parametrize("first", [0, 10, 61, 1 << 60])
def test_attack_what_was_never_stored_is_refused(stand: Stand, first: int) -> None:
    with pytest.raises(Rejected) as refused:
        stand.reading.begin(first)
    assert refused.value.reason == "not-stored"
    assert not stand.follower.rewinding and stand.journal.proven_until() == -1


def test_a_chain_that_became_shorter_ends_it_too(stand: Stand) -> None:
    stand.reading.begin(20)
    stand.follower.at(55)
    assert stand.caught_up and stand.reading.progress is None


def test_from_the_first_block_on_nothing_is_left_before_it(stand: Stand) -> None:
    assert stand.reading.begin(11) == Stretch(11, 10, 60) and stand.follower.trail == []


def test_a_journal_without_blocks_has_nothing_to_read_again(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "new.sqlite") as journal:
        reading = Stand(journal, AFollower(BlockRef(10, block_hash(10), 10))).reading
        assert reading.stored is None
        with pytest.raises(Rejected):
            reading.begin(10)
