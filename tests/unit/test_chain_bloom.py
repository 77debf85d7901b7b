"""Which blocks may be passed over without reading their receipts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jepanet.chain.bloom import Blooms, bloom_of
from jepanet.chain.wire import Header, RawLog
from jepanet.types import Address, BlockRef

pytestmark = pytest.mark.unit

OURS = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
LOG = RawLog(OURS, (b"\1" * 32,), b"", 0, b"\2" * 32)
HELD = Header(BlockRef(7, b"\7" * 32, 70), b"\6" * 32, 1, 30_000_000, bloom_of([LOG]), (LOG.tx_hash,))
EMPTIED = replace(HELD, transactions=())
"""The same block as a machine answers it that has the header and not the body yet."""


def test_a_block_said_to_be_empty_is_read_where_its_bloom_names_a_watched_address() -> None:
    blooms = Blooms([OURS])
    assert blooms.may_hold(EMPTIED)
    assert not blooms.accepts(EMPTIED, ()), "asked again: no logs do not give this bloom"
    assert blooms.accepts(HELD, [LOG]) and blooms.proven
    assert blooms.may_hold(EMPTIED) and not blooms.accepts(EMPTIED, ())


def test_empty_blocks_and_blocks_of_others_cost_nothing() -> None:
    blooms = Blooms([OURS])
    nothing = replace(EMPTIED, bloom=0)
    assert not blooms.may_hold(nothing)
    assert blooms.may_hold(replace(HELD, bloom=0)), "no bloom is believed before one was proven"
    assert blooms.accepts(HELD, [LOG])
    assert not blooms.may_hold(replace(HELD, bloom=0)) and not blooms.may_hold(nothing)
