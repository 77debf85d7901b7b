"""What a node says of its chain's surroundings: whether any endpoint answers, and how its clock stands."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from jepanet.chain.endpoints import failover
from jepanet.chain.endpoints.failover import Rpc, RpcError
from jepanet.chain.following.stall_alarm import StallAlarm
from jepanet.errors import Transient
from jepanet.types import BlockRef

pytestmark = pytest.mark.unit


def header(number: int, timestamp: float) -> Any:
    return SimpleNamespace(ref=BlockRef(number, bytes(32), int(timestamp)))


@pytest.fixture
def rpc(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two endpoints; `asked` counts, `says` is what asking comes to."""
    made: Any = Rpc(["http://127.0.0.1:1", "http://127.0.0.1:2"], 1)
    seen = SimpleNamespace(rpc=made, asked=0, says=None)

    async def ask(*_: object) -> int:
        seen.asked += 1
        if seen.says == "nothing":
            await asyncio.sleep(60)
        if isinstance(seen.says, Exception):
            raise seen.says
        return 7

    monkeypatch.setattr(made, "ask", ask)
    monkeypatch.setattr(failover, "_LISTENS", 0.05)
    return seen


async def test_endpoints_are_asked_where_none_has_just_answered(rpc: Any) -> None:
    assert not await rpc.rpc.is_silent() and rpc.asked == 1
    for says, silent in (
        (Transient("no chain endpoint answers"), True),
        ("nothing", True),
        (RpcError("eth_blockNumber", -32000, "no", None), False),
    ):
        rpc.says = says
        assert await rpc.rpc.is_silent() is silent, says
    asked, rpc.says = rpc.asked, Transient("down")
    rpc.rpc.endpoints[1].health.answered_at = time.monotonic()
    assert not await rpc.rpc.is_silent() and rpc.asked == asked, "one has just answered"
    rpc.rpc.endpoints[1].health.answered_at -= 5
    assert await rpc.rpc.is_silent() and rpc.asked == asked + 1


def test_the_clock_is_held_beside_blocks_that_are_new() -> None:
    alarm = StallAlarm(60, 60)
    alarm.saw(header(7, time.time() - 9000))
    assert alarm.clock_ahead is None, "the first block that is seen may have been there for hours"
    alarm.saw(header(8, time.time() - 500))
    assert alarm.clock_ahead == pytest.approx(500, abs=5)
    alarm.saw(header(8, time.time()))
    alarm.saw(None)
    assert alarm.clock_ahead == pytest.approx(500, abs=5), "no new block: nothing is learnt"
    alarm.saw(header(9, time.time() + 7200))
    assert alarm.clock_ahead == pytest.approx(-7200, abs=5)
