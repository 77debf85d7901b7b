"""Reading events back from the journal's copy of the chain."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from protocol_facts import digest, prologue

from jepanet.node.confirmed_facts import ConfirmedFacts
from jepanet.node.engine import Engine
from jepanet.protocol.facts import ChainEvent
from jepanet.protocol.journal_codec import encode_fact
from jepanet.protocol.state import Identity
from jepanet.storage.journal import Journal, StoredBlock, StoredEvent
from jepanet.types import Address

pytestmark = pytest.mark.unit

ME = Identity(Address("0x0000000000000000000000000000000000000001"), frozenset())


def test_a_look_at_the_events_reads_no_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of them are kept, and those that are being caught up with."""
    wanted: dict[int, list[ChainEvent]] = {}
    for fact in prologue():
        if isinstance(fact, ChainEvent):
            wanted.setdefault(fact.block.number, []).append(fact)
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        for number in range(1, max(wanted) + 5):
            found = wanted.get(number, [])
            events = [StoredEvent(number, item.log_index, *encode_fact(item)) for item in found]
            block = StoredBlock(number, digest(f"block {number}"), digest(f"block {number - 1}"), number)
            journal.apply_step(rewind_to=None, blocks=[(block, events)])
        feed = ConfirmedFacts(journal, Engine(journal, ME, {}), 0)

        def never(*_: Any) -> None:
            raise AssertionError("every stored block was read")

        monkeypatch.setattr(journal, "blocks_between", never)
        assert dict(feed.events_up_to(max(wanted))) == wanted
        assert dict(feed.events_up_to(min(wanted) - 1)) == {}


def test_all_events_are_passed_in_order_while_few_are_held(tmp_path: Path) -> None:
    """With all of them at once a node's memory grew by 33 KiB a round, a step every ten minutes."""
    sample = next(fact for fact in prologue() if isinstance(fact, ChainEvent))
    tag, payload = encode_fact(sample)
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        blocks = [
            (
                StoredBlock(number, digest(f"block {number}"), digest(f"block {number - 1}"), number),
                [StoredEvent(number, index, tag, payload) for index in range(number % 7)],
            )
            for number in range(1, 1500)
        ]
        journal.apply_step(rewind_to=None, blocks=blocks)
        feed = ConfirmedFacts(journal, Engine(journal, ME, {}), 0)
        assert [(number, len(facts)) for number, facts in feed.events_up_to(1400)] == [
            (number, number % 7) for number in range(1, 1401) if number % 7
        ]
        assert list(journal.each_event(10**9)) == journal.events()
        tracemalloc.start()
        try:
            passed = sum(len(facts) for _, facts in feed.events_up_to(10**9))
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert passed == sum(number % 7 for number in range(1, 1500)) > 4000
        assert most < 1_000_000, "a page of them takes some hundred kilobytes, all of them many megabytes"
