"""How long a window must be for a node to act in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

from jepanet.chain.endpoints.requests import ChainReader
from jepanet.chain.following.pace import Pace, measure_pace
from made_up_blocks import made_up_block

pytestmark = pytest.mark.unit

T = TypeVar("T")


class Blocks(ChainReader):
    """A chain of blocks with these timestamps."""

    def __init__(self, *timestamps: int) -> None:
        self._timestamps = timestamps

    async def ask(self, method: str, params: Sequence[object], parse: Callable[[object], T]) -> T:
        number = len(self._timestamps) - 1 if params[0] == "latest" else int(str(params[0]), 16)
        return parse(made_up_block(number=hex(number), timestamp=hex(self._timestamps[number])))


async def test_a_chain_that_slept_once_is_no_slow_chain() -> None:
    pace = await measure_pace(Blocks(0, 12, 24, 36, 90_036, 90_048, 90_060))
    assert pace.block == 12
    assert pace.request >= 0


async def test_only_the_newest_blocks_count() -> None:
    old = range(0, 1000, 100)
    assert (await measure_pace(Blocks(*old, *range(1000, 1016, 2)))).block == 2


async def test_a_chain_of_one_block_has_no_pace_yet() -> None:
    assert (await measure_pace(Blocks(5))).block == 0


def test_a_window_holds_confirmations_mining_polling_and_requests() -> None:
    assert Pace(block=12, request=0.5).shortest_window(confirmations=3, poll=1) == 6 * 12 + 3.75 + 4
    assert Pace(block=0, request=0).shortest_window(confirmations=12, poll=2) == 2
