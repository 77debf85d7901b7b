"""Score sheets for whoever asks a node: lists of many rounds read none twice, and hold none whole."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jepanet.operations.views.rounds import SheetView
from jepanet.protocol.rounds import Recorded
from jepanet.rpc.handles import sheets as module
from jepanet.rpc.handles.sheets import Sheets
from jepanet.types import Digest

pytestmark = pytest.mark.unit

ROUNDS, SOLVERS = 12, 50


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the rounds whose sheets were read, in order."""
    found: list[int] = []

    def sheet(data: bytes, spec: bytes, round_: Any, facts: Any) -> SheetView:
        found.append(round_.id)
        rows: Any = tuple(SimpleNamespace(solver=number) for number in range(SOLVERS))
        return SheetView(rows)

    monkeypatch.setattr(module, "read_sheet", sheet)
    monkeypatch.setattr(module, "judged_facts", lambda state, round_, deployment: "facts")
    return found


def a_node() -> Any:
    state = SimpleNamespace(me=SimpleNamespace(address=3))
    blobs = SimpleNamespace(has=lambda _: True, read=lambda digest, max_bytes: b"")
    return SimpleNamespace(state=state, blobs=blobs, deployment=None)


def a_round(number: int, result: str = "recorded") -> Any:
    recorded = Recorded(b"r", Digest(b"m"), Digest(b"s"), 0, 0, 0, b"", 0) if result else None
    return SimpleNamespace(id=number, recorded=recorded, params=SimpleNamespace(spec=b"p"))


async def test_a_list_of_many_rounds_reads_each_sheet_once(read: list[int]) -> None:
    sheets, rounds = Sheets(a_node()), [a_round(number) for number in range(ROUNDS)]
    for _ in range(3):
        for round_ in rounds:
            found = await sheets.brief(round_)
            assert found is not None and [item.solver for item in found.receipts] == [3]
    assert read == list(range(ROUNDS))
    whole = await sheets.of(rounds[0])
    assert whole is not None and len(whole.receipts) == SOLVERS
    assert read == [*range(ROUNDS), 0], "whole sheets are kept of the last few alone"


async def test_a_round_without_a_result_has_none(read: list[int]) -> None:
    assert await Sheets(a_node()).brief(a_round(1, result="")) is None
    assert read == []
