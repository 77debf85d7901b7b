"""What a node's own wallet loses is told in its log, once, and nothing of what others lose."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_bench import Bench
from protocol_facts import ROUND, SOLVER
from structlog.testing import capture_logs

from jepanet.protocol.facts import ChainBondSlashed
from jepanet.types import Address, BlockRef, SlashCause

pytestmark = pytest.mark.unit

OTHER = Address("0x" + "77" * 20)


async def test_a_bond_that_an_audit_or_an_exclusion_took_is_told_to_whoever_lost_it(tmp_path: Path) -> None:
    async with Bench(tmp_path / "journal.sqlite") as bench:
        bench.open_round()
        number = bench.chain.head + 1
        block = BlockRef(number, number.to_bytes(32), 2_000)
        for who in (SOLVER, OTHER):
            bench.chain.add(ChainBondSlashed(ROUND, who, 10**19, SlashCause.NOT_REVEALED, block, 0))
            number += 1
            block = BlockRef(number, number.to_bytes(32), 2_000)
        with capture_logs() as lines:
            bench.feed()
            bench.feed()
    lost = [line for line in lines if line["event"] == "bond.lost"]
    assert [(line["round"], line["cause"], line["amount"]) for line in lost] == [
        (ROUND, "not-revealed", 10**19)
    ]
    assert lost[0]["log_level"] == "warning" and f"receipt {ROUND} --solver {SOLVER}" in lost[0]["remedy"]
