"""The look at the wallet's account goes on whatever an endpoint answers."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from jepanet.errors import JepanetError, Rejected, Transient
from jepanet.node.account_watch import AccountWatch
from jepanet.types import Address

pytestmark = pytest.mark.unit

ME = Address("0x" + "1" * 40)


class Answers:
    """An endpoint that fails as it is told to, and then answers."""

    def __init__(self, *failures: JepanetError) -> None:
        self.failures = list(failures)
        self.asked = 0

    async def balance(self, *_: object) -> int:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        return 7

    async def account(self, *_: object) -> Any:
        return SimpleNamespace(free=1, locked=2, debt=0)


async def test_neither_silence_nor_a_refusal_ends_the_looking() -> None:
    endpoint: Any = Answers(Transient("nobody answers"), Rejected("the call reverts", reason="Gone"))
    watch = AccountWatch(endpoint, SimpleNamespace(lens=endpoint), ME, 3)  # type: ignore[arg-type]
    assert watch.seen is None
    looking = asyncio.create_task(watch.watch(0.0))
    async with asyncio.timeout(5):
        while watch.seen is None and not looking.done():  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert not looking.done(), "a look that failed ended it"
    looking.cancel()
    seen = watch.seen
    assert seen is not None and (seen.native, seen.free, seen.locked, seen.minimum) == (7, 1, 2, 3)
    assert endpoint.asked >= 3
