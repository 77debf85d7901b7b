"""Score sheets of strangers hold up no duty of a node."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from protocol_facts import ROUND, digest

from jepanet.errors import Rejected
from jepanet.roles.context import Turns
from jepanet.roles.steps import sheets
from jepanet.roles.steps.sheets import obtain_sheet
from jepanet.types import Digest

pytestmark = pytest.mark.unit


async def test_attack_sheets_that_strangers_name_are_read_beside_the_event_loop_and_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each takes a while and is none; one of an own round waits for none of them."""
    under_way: list[Digest] = []
    beside: list[set[Digest]] = []
    mine, own_is_read = digest("mine"), threading.Event()

    async def obtain_bytes(context: Any, name: Digest, **limits: Any) -> bytes:
        return name

    def decode_sheet(data: bytes) -> Any:
        assert threading.current_thread() is not threading.main_thread()
        under_way.append(Digest(data))
        beside.append(set(under_way) - {mine})
        if data == mine:
            own_is_read.set()
        else:
            assert own_is_read.wait(30), "an own round's sheet waits for those of strangers"
        under_way.remove(Digest(data))
        raise Rejected("no sheet", reason="bad-json")

    monkeypatch.setattr(sheets, "obtain_bytes", obtain_bytes)
    monkeypatch.setattr(sheets, "decode_sheet", decode_sheet)
    context: Any = SimpleNamespace(turns=Turns())
    named = [obtain_sheet(context, digest(str(n)), pin="", turn=None) for n in range(4)]
    own = obtain_sheet(context, mine, pin="", turn=ROUND)
    found = await asyncio.gather(*named, own, return_exceptions=True)
    assert all(isinstance(item, Rejected) for item in found)
    assert max(map(len, beside)) == 1
