"""What a running node lets go of: pins of rounds that ended long ago, whether it saw them end or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from protocol_facts import digest

from jepanet.node.upkeep import release_ended
from jepanet.protocol.models.keeping import ROUNDS_KEPT, kept_rounds
from jepanet.protocol.state import Identity
from jepanet.protocol.transition import genesis
from jepanet.roles.steps.obtain import pinning_round, round_pin
from jepanet.storage.blobs.store import BlobStore
from jepanet.types import Address, RoundId

pytestmark = pytest.mark.unit


class Ended:
    """As much of a round as says that it ended, and who has a part in it."""

    verifier_set = 1

    def __init__(self, ended_at: int, proposer: str = "0x" + "1" * 40) -> None:
        self.ended_at = ended_at
        self.proposer = proposer

    def committed(self, solver: Address) -> bool:
        return False


def held(blobs: BlobStore, *owners: str) -> None:
    for owner in owners:
        blobs.put_bytes(owner.encode(), pin=owner)


@pytest.mark.parametrize("first", [1, 40, 900])
def test_pins_of_rounds_that_ended_are_released_also_where_the_state_has_forgotten_them(
    tmp_path: Path, first: int
) -> None:
    """A node that was down for a hundred rounds never saw the end of those that it had files of."""
    rounds: Any = {RoundId(key): Ended(key if key < 1000 else 0) for key in range(first, 1002)}
    state = replace(genesis(Identity(Address("0x" + "0" * 40), frozenset())), rounds=rounds)
    others = ("project/3", "project/3/newest", "dataset", "round/", "round/x", "round/7/way")
    with BlobStore(tmp_path / "blobs", 1 << 20) as blobs:
        held(
            blobs,
            *others,
            *(round_pin(RoundId(key)) for key in (7, 39, 900, 991, 992, 999, 1000, 1001, 1002)),
        )
        release_ended(state, blobs)
        newest = range(1000 - ROUNDS_KEPT, 1000)
        assert 991 not in newest and 992 in newest
        assert blobs.owners() == {*others, *(f"round/{key}" for key in (992, 999, 1000, 1001, 1002))}
        assert blobs.pins(digest("never stored")) == frozenset()


def test_attack_empty_rounds_of_strangers_let_no_file_of_an_own_round_go() -> None:
    """What a claim is shown by may lie with few, of whom its proposer may be no friend."""
    me = Address("0x" + "2" * 40)
    rounds: Any = {RoundId(key): Ended(key, me if key < 20 else "0x" + "1" * 40) for key in range(1, 120)}
    kept = kept_rounds(replace(genesis(Identity(me, frozenset())), rounds=rounds))
    assert kept == {*range(20 - ROUNDS_KEPT, 20), *range(120 - ROUNDS_KEPT, 120)}, "and no more"


def test_nothing_is_released_before_anything_is_known(tmp_path: Path) -> None:
    state = genesis(Identity(Address("0x" + "0" * 40), frozenset()))
    with BlobStore(tmp_path / "blobs", 1 << 20) as blobs:
        held(blobs, "round/5")
        release_ended(state, blobs)
        assert blobs.owners() == {"round/5"}


def test_a_rounds_pin_names_its_round() -> None:
    assert pinning_round(round_pin(RoundId(12))) == 12
    assert [pinning_round(name) for name in ("project/12", "round/", "12", "round/12/way", "")] == [None] * 5
