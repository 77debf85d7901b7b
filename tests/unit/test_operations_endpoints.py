"""Endpoints side by side: whom the page follows, and how the others stand to that one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jepanet.chain.endpoints.answers import Header
from jepanet.errors import Exit, Transient
from jepanet.operations.reading.endpoints import compare_endpoints
from jepanet.types import BlockRef

pytestmark = pytest.mark.unit

BEGUN = bytes([1]) * 32
DEPLOYMENT: Any = SimpleNamespace(block_number=10, block_hash=BEGUN)


class Reader:
    """Shows a chain up to `head`, on a fork from block `forked` on."""

    def __init__(self, head: int, *, forked: int = 10**6, begun: bytes = BEGUN) -> None:
        self.newest, self.forked, self.begun = head, forked, begun

    async def head(self) -> Header:
        return self._at(self.newest)

    async def header(self, number: int) -> Header | None:
        return self._at(number) if number <= self.newest else None

    def _at(self, number: int) -> Header:
        own = b"f" if number >= self.forked else b"c"
        mark = self.begun if number == 10 else own + number.to_bytes(31, "big")
        return Header(**{**dict.fromkeys(Header.__slots__), "ref": BlockRef(number, mark, number)})


class Silent(Reader):
    async def head(self) -> Header:
        raise Transient("no answer")


class Elsewhere(Reader):
    async def head(self) -> Header:
        raise Transient("it serves chain 5", code=Exit.WRONG_CHAIN)


async def compared(*readers: Reader, preferred: int = 0) -> list[tuple[str, bool]]:
    rpc: Any = SimpleNamespace(
        by_endpoint=lambda: [(f"http://{n}", item) for n, item in enumerate(readers)], preferred=preferred
    )
    found = await compare_endpoints(rpc, DEPLOYMENT, 3)
    assert [item.endpoint for item in found] == [f"http://{n}" for n in range(len(readers))]
    return [(item.standing, item.followed) for item in found]


async def test_those_of_one_chain_agree_also_where_one_is_a_little_behind() -> None:
    assert await compared(Reader(100), Reader(98)) == [("well", True), ("well", False)]
    assert await compared(Reader(100), Reader(60)) == [("well", True), ("behind", False)]


async def test_attack_one_that_shows_a_fork_is_told_apart_from_the_followed_one() -> None:
    assert await compared(Reader(100), Reader(101, forked=90)) == [("well", True), ("disagrees", False)]
    assert await compared(Reader(100, forked=90), Reader(100)) == [("well", True), ("disagrees", False)]
    assert await compared(Reader(100), Reader(100, forked=99)) == [("well", True), ("well", False)]


async def test_attack_one_that_is_stuck_or_claims_to_be_far_ahead_hides_no_fork() -> None:
    stuck = await compared(Reader(1000, forked=500), Reader(1000), Reader(12))
    assert stuck == [("well", True), ("disagrees", False), ("behind", False)]
    ahead = await compared(Reader(1000, forked=500), Reader(1000), Reader(10**5, forked=500))
    assert ahead == [("behind", True), ("disagrees", False), ("well", False)]


async def test_one_of_another_chain_or_without_an_answer_is_compared_with_nobody() -> None:
    others = (Silent(0), Elsewhere(0), Reader(15, begun=b"x" * 32))
    told = [("well", True), ("silent", False), ("other-chain", False), ("other-chain", False)]
    assert await compared(Reader(100), *others) == told
    assert await compared(Silent(0), preferred=0) == [("silent", True)]
