"""Reading events back from the journal's copy of the chain."""

from __future__ import annotations

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
    """Blocks are never forgotten: after a year of seconds there are thirty million of them."""
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
