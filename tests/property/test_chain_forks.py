"""The follower against a chain that forks between any two requests and a node that fails and lies.

The fake node is a `ChainReader` in memory: no sockets, and a fork can be placed exactly between two requests,
which no real node allows.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepanet.chain.endpoints.answers import Header, PlacedLog, RawLog, Receipt
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.endpoints.header_forms import HeaderForms
from jepanet.chain.endpoints.requests import BlockId, ChainReader, Moved, RpcError
from jepanet.chain.following.bloom import bloom_of
from jepanet.chain.following.follower import TRAIL, Follower, FollowerStep
from jepanet.errors import Transient
from jepanet.types import Address, BlockRef

pytestmark = pytest.mark.property

WATCHED = Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
STRANGER = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")


class FakeChain(ChainReader):
    """Blocks and logs in memory. `before` runs ahead of every request and may change the chain or fail."""

    def __init__(self) -> None:
        self.blocks: list[tuple[Header, tuple[RawLog, ...]]] = []
        self.ever: dict[bytes, tuple[Header, tuple[RawLog, ...]]] = {}
        self.salt = 0
        self.finality: int | None = 64
        self.log_limit: int | None = None
        self.before: Callable[[str], None] = lambda _: None
        self.bend: Callable[[list[PlacedLog]], list[PlacedLog]] = lambda logs: logs
        self.bend_receipts: Callable[[tuple[RawLog, ...]], tuple[RawLog, ...]] = lambda logs: logs
        self.bloom: Callable[[tuple[RawLog, ...]], int | None] = bloom_of
        self.requests: list[str] = []
        self.forms = HeaderForms()
        self.extend(0)

    def pinned(self) -> ChainReader:
        return self

    def readers(self) -> list[ChainReader]:
        return [self]

    def survey(self, block: float) -> None:
        pass

    def rest(self, reader: ChainReader, why: str) -> None:
        pass

    async def confirm_chain(self, reader: ChainReader) -> None:
        pass

    def extend(self, logs: int) -> None:
        number = len(self.blocks)
        self.salt += 1
        block_hash = hashlib.sha256(f"{number}/{self.salt}".encode()).digest()
        parent = self.blocks[-1][0].ref.hash if self.blocks else bytes(32)
        made = tuple(
            RawLog(WATCHED, (b"\x01" * 32,), block_hash[:4] + bytes([index]), index * 2, block_hash)
            for index in range(logs)
        )
        ref = BlockRef(number, block_hash, number)
        transactions = (block_hash,) if made else ()
        header = Header(ref, parent, 7, 30_000_000, self.bloom(made), transactions)
        self.blocks.append((header, made))
        self.ever[block_hash] = self.blocks[-1]

    def reorg(self, depth: int, logs: Sequence[int]) -> None:
        del self.blocks[max(2, len(self.blocks) - depth) :]
        for count in logs:
            self.extend(count)

    @property
    def top(self) -> BlockRef:
        return self.blocks[-1][0].ref

    def _request(self, name: str) -> None:
        self.requests.append(name)
        self.before(name)

    async def ask(self, method: str, params: Sequence[Any], parse: Callable[[Any], Any]) -> Any:
        raise AssertionError(f"the follower does not use {method}")

    async def block_receipts(self, header: Header) -> list[Receipt]:
        self._request("receipts")
        await asyncio.sleep(0)
        number, block_hash = header.ref.number, header.ref.hash
        if number >= len(self.blocks) or self.blocks[number][0].ref.hash != block_hash:
            raise Moved("of another fork")
        logs = self.bend_receipts(self.blocks[number][1])
        return (
            [Receipt(block_hash, number, block_hash, True, 1, 1, None, logs)] if header.transactions else []
        )

    async def head(self) -> Header:
        header = await self.header("latest")
        assert header is not None
        return header

    async def header(self, block: BlockId) -> Header | None:
        self._request(f"header {block if isinstance(block, int | str) else 'hash'}")
        await asyncio.sleep(0)
        if block == "latest":
            return self.blocks[-1][0]
        if block == "finalized":
            if self.finality is None:
                raise RpcError("eth_getBlockByNumber", -32602, "unknown tag", None)
            if self.finality < 0:  # names a block it does not have
                missing = BlockRef(self.top.number - self.finality, b"\x77" * 32, 0)
                return Header(missing, bytes(32), 7, 30_000_000)
            return self.blocks[max(0, len(self.blocks) - 1 - self.finality)][0]
        assert isinstance(block, int)
        return self.blocks[block][0] if block < len(self.blocks) else None

    async def logs(self, addresses: Sequence[Address], first: int, last: int) -> list[PlacedLog]:
        self._request("logs")
        await asyncio.sleep(0)
        if self.log_limit is not None and last - first + 1 > self.log_limit:
            raise RpcError("eth_getLogs", -32005, "query exceeds limit", None)
        found = [
            PlacedLog(header.ref.number, header.ref.hash, log)
            for header, logs in self.blocks[first : last + 1]
            for log in logs
        ]
        return self.bend(found)


class Copy:
    """Applies steps and checks every promise the follower makes, also of blocks replaced since."""

    def __init__(self, anchor: BlockRef, chain: FakeChain) -> None:
        self.anchor = anchor
        self.chain = chain
        self.blocks: dict[int, tuple[BlockRef, tuple[RawLog, ...]]] = {}
        self.resets = 0
        self.rewinds: list[int] = []

    def apply(self, step: FollowerStep[RawLog]) -> None:
        if step.rewind_to is not None:
            if step.reset:
                self.resets += 1
                self.anchor = step.rewind_to
                self.blocks.clear()
            else:
                self.rewinds.append(step.rewind_to.number)
            for number in [number for number in self.blocks if number > step.rewind_to.number]:
                del self.blocks[number]
        for block in step.blocks:
            top = max(self.blocks, default=self.anchor.number)
            above = self.blocks[top][0].hash if self.blocks else self.anchor.hash
            header, logs = self.chain.ever[block.ref.hash]
            assert (header.ref, header.parent, logs) == (block.ref, block.parent, block.facts)
            # Back to what was delivered before: the same fork, and nothing left out that had logs.
            while header.ref.number > top + 1:
                header, logs = self.chain.ever[header.parent]
                assert logs == (), "a block with logs was left out"
            assert header.parent == above, "another fork"
            self.blocks[block.ref.number] = (block.ref, block.facts)

    @property
    def trail(self) -> list[BlockRef]:
        return [self.blocks[number][0] for number in sorted(self.blocks)]

    def equals(self, chain: FakeChain) -> bool:
        mine = [(ref, log) for ref, logs in (self.blocks[n] for n in sorted(self.blocks)) for log in logs]
        start = self.anchor.number + 1
        theirs = [(header.ref, log) for header, logs in chain.blocks[start:] for log in logs]
        return mine == theirs and (self.trail[-1] if self.blocks else self.anchor) == chain.top


def undecoded(log: RawLog, block: BlockRef) -> RawLog:
    return log


def follower_of(chain: FakeChain, copy: Copy, **options: Any) -> Follower[RawLog]:
    rpc = cast(Rpc, chain)  # all a follower asks of an Rpc is `pinned`
    options = {"poll": 0.0, "shrink_patience": 0.0, "range_from": 16, **options}
    return Follower(rpc, [WATCHED], copy.anchor, undecoded, copy.trail, **options)


async def follow(
    chain: FakeChain, copy: Copy, *, until: Callable[[], bool], **options: Any
) -> Follower[RawLog]:
    """Applies steps until the condition holds; at most a few seconds."""
    follower = follower_of(chain, copy, **options)
    steps = follower.steps()
    async with asyncio.timeout(10):
        pending = asyncio.ensure_future(anext(steps))
        while not until():
            done, _ = await asyncio.wait([pending], timeout=0.001)
            if done:
                copy.apply(pending.result())
                pending = asyncio.ensure_future(anext(steps))
        pending.cancel()
        await asyncio.gather(pending, return_exceptions=True)
    return follower


def started(blocks: int = 3, logs: int = 1) -> tuple[FakeChain, Copy]:
    chain = FakeChain()
    chain.extend(0)
    anchor = chain.top
    for _ in range(blocks):
        chain.extend(logs)
    return chain, Copy(anchor, chain)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), finality=st.sampled_from([None, 2, 64]), crash=st.booleans())
def test_any_interleaving_of_forks_and_requests_ends_in_the_canonical_logs(
    seed: int, finality: int | None, crash: bool
) -> None:
    randomness = random.Random(seed)

    async def storm() -> None:
        chain, copy = started(blocks=randomness.choice((1, 5, 30, 120)))
        chain.finality = finality
        changes = randomness.randint(1, 150)

        density = randomness.choice((0.03, 0.1, 0.3))

        def disturb(name: str) -> None:
            nonlocal changes
            # Mostly where it hurts: between headers and logs.
            if changes == 0 or randomness.random() > (density if name.startswith("header") else 0.6):
                return
            changes -= 1
            draw = randomness.random()
            depth = randomness.choice((1, 1, 1, 2, 3, 7, 30))
            if draw < 0.45:
                chain.extend(randomness.choice((0, 0, 1, 3)))
            elif draw < 0.85:
                grow = depth + randomness.randint(-2, 2)
                chain.reorg(depth, [randomness.choice((0, 0, 0, 2)) for _ in range(max(0, grow))])
            elif draw < 0.95:
                raise Transient("down")
            else:
                raise RpcError("eth_getLogs", -32000, "unknown block", None)

        chain.before = disturb
        if crash:
            for _ in range(3):
                seen = len(chain.requests)
                await follow(chain, copy, until=lambda seen=seen: len(chain.requests) > seen + 5)  # type: ignore[misc]
        await follow(chain, copy, until=lambda: changes == 0 and copy.equals(chain))
        assert copy.resets == 0

    asyncio.run(storm())


@pytest.mark.parametrize("length", [1, 12, 80])
@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("after", [0, 2])
async def test_a_fork_at_any_request_never_mixes(length: int, before: int, after: int) -> None:
    """One fork of every depth, at every request of the first steps; with logs on one side or on both.

    A block that loses all its logs in the fork is the worst case: nothing but the header read again tells.
    """
    for depth in {1, 2, length // 2 + 1, length}:
        for moment in range(14):
            chain, copy = started(blocks=length, logs=before)
            # Half of it is followed beforehand, so that the fork may hit what was delivered.
            tail = chain.blocks[2 + length // 2 :]
            del chain.blocks[2 + length // 2 :]
            await follow(chain, copy, until=lambda c=chain, d=copy: d.equals(c))  # type: ignore[misc]
            chain.blocks += tail
            chain.requests.clear()

            def fork(_: str, chain: FakeChain = chain, depth: int = depth, moment: int = moment) -> None:
                if len(chain.requests) == moment + 1:
                    chain.reorg(depth, [after] * (depth + 1))

            chain.before = fork
            await follow(
                chain,
                copy,
                until=lambda c=chain, d=copy, m=moment: len(c.requests) > m + 1 and d.equals(c),  # type: ignore[misc]
            )


async def test_finalized_beyond_the_head_is_clamped() -> None:
    chain, copy = started(blocks=40)
    chain.finality = -10
    await follow(chain, copy, until=lambda: copy.equals(chain))
    chain.reorg(35, [1] * 36)
    await follow(chain, copy, until=lambda: copy.equals(chain))


async def test_nodes_that_limit_log_queries_are_asked_for_less() -> None:
    chain, copy = started(blocks=300)
    chain.log_limit = 20
    await follow(chain, copy, until=lambda: copy.equals(chain))
    assert copy.rewinds == []


@pytest.mark.parametrize(
    "bend",
    [
        lambda logs: [*logs, *logs],
        lambda logs: [replace(item, log=replace(item.log, address=STRANGER)) for item in logs],
        lambda logs: [replace(item, number=item.number + 50) for item in logs],
        lambda logs: [replace(item, number=0) for item in logs],
        lambda logs: [replace(item, block_hash=b"\x66" * 32) for item in logs],
    ],
    ids=["twice", "other-address", "above", "below", "other-fork"],
)
async def test_a_lying_node_gets_nothing_delivered(
    bend: Callable[[list[PlacedLog]], list[PlacedLog]],
) -> None:
    chain, copy = started(blocks=200)
    chain.bend = bend
    await follow(chain, copy, until=lambda: chain.requests.count("logs") > 5)
    assert copy.blocks == {}
    chain.bend = lambda logs: logs
    await follow(chain, copy, until=lambda: copy.equals(chain))


@pytest.mark.parametrize(
    "bend",
    [
        lambda logs: (*logs, *logs),
        lambda logs: (),
        lambda logs: logs[:1],
        lambda logs: tuple(replace(item, address=STRANGER) for item in logs),
    ],
    ids=["twice", "none", "some", "other-address"],
)
async def test_receipts_that_do_not_give_the_bloom_are_not_believed(
    bend: Callable[[tuple[RawLog, ...]], tuple[RawLog, ...]],
) -> None:
    chain, copy = started(blocks=2)
    await follow(chain, copy, until=lambda: copy.equals(chain))
    follower = follower_of(chain, copy)
    follower._blooms.proven = True
    chain.extend(1)
    # A second log of another topic: leaving it out leaves bits of the header's bloom unexplained.
    header, (log,) = chain.blocks[-1]
    logs = (log, replace(log, topics=(b"\x02" * 32,), index=1))
    chain.blocks[-1] = chain.ever[header.ref.hash] = (replace(header, bloom=bloom_of(logs)), logs)
    chain.bend_receipts = bend
    for _ in range(5):
        assert await follower._look() is None
    chain.bend_receipts = lambda logs: logs
    step = await follower._look()
    assert step is not None
    assert step.blocks[-1].facts == logs


@pytest.mark.parametrize("bloom", [lambda logs: 0, lambda logs: (1 << 2048) - 1, lambda logs: None])
async def test_a_chain_with_useless_blooms_loses_no_log(
    bloom: Callable[[tuple[RawLog, ...]], int | None],
) -> None:
    chain = FakeChain()
    chain.bloom = bloom
    chain.extend(0)
    copy = Copy(chain.top, chain)
    for logs in (1, 0, 2, 1, 1):
        chain.extend(logs)
    follower = await follow(chain, copy, until=lambda: copy.equals(chain))
    assert follower._blooms.useless
    assert "logs" not in chain.requests, "a log query can prove nothing here"


async def test_an_empty_answer_about_logs_is_not_believed_near_the_head() -> None:
    chain, copy = started(blocks=15)
    chain.bend = lambda logs: []
    await follow(chain, copy, until=lambda: copy.equals(chain))


async def test_reading_again_delivers_what_a_range_left_out() -> None:
    chain, copy = started(blocks=200)
    chain.bend = lambda logs: []
    follower = follower_of(chain, copy)
    missing = 0
    for _ in range(100):
        step = await follower._look()
        if step is not None:
            missing += not step.proven
        if follower.position == chain.top:
            break
    assert missing, "the stretch was read by log queries, and nothing was found"
    follower.read_again([])
    steps = follower.steps()
    first = await anext(steps)
    assert first.rewind_to == copy.anchor
    while not copy.equals(chain):
        copy.apply(await anext(steps))
    assert all(name != "logs" for name in chain.requests[-20:])


async def test_a_missing_block_is_no_fork() -> None:
    chain, copy = started(blocks=40)
    await follow(chain, copy, until=lambda: copy.equals(chain))
    chain.extend(1)
    whole = list(chain.blocks)

    async def header(block: BlockId) -> Header | None:
        chain.requests.append("header")
        await asyncio.sleep(0)
        return whole[-1][0] if block == "latest" else None

    chain.header = header  # type: ignore[method-assign]
    follower = follower_of(chain, copy)
    follower._trail.pop()  # so that the head does not continue what was delivered
    for _ in range(5):
        assert await follower._look() is None


async def test_a_node_behind_the_deployment_resets_nothing() -> None:
    chain, copy = started(blocks=5)
    await follow(chain, copy, until=lambda: copy.equals(chain))
    blocks, chain.blocks = chain.blocks, chain.blocks[:1]
    seen = len(chain.requests)
    await follow(chain, copy, until=lambda: len(chain.requests) > seen + 5)
    assert copy.resets == 0
    assert copy.rewinds == []
    chain.blocks = blocks
    await follow(chain, copy, until=lambda: copy.equals(chain))


async def test_a_lagging_node_throws_nothing_away_until_patience_ends() -> None:
    chain, copy = started(blocks=9)
    await follow(chain, copy, until=lambda: copy.equals(chain))
    blocks, chain.blocks = chain.blocks, chain.blocks[:-4]
    seen = len(chain.requests)
    await follow(chain, copy, until=lambda: len(chain.requests) > seen + 10, shrink_patience=60.0)
    assert copy.rewinds == []
    await follow(chain, copy, until=lambda: copy.equals(chain))
    assert copy.rewinds == [chain.top.number]
    chain.blocks = blocks
    await follow(chain, copy, until=lambda: copy.equals(chain))


async def test_a_stall_is_told_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    chain, copy = started(blocks=2)
    broken = True

    def fail(name: str) -> None:
        chain.extend(0)
        if broken and name != "header latest":
            raise RpcError("eth_getBlockByNumber", -32000, "unknown block", None)

    chain.before = fail
    clock = 0.0

    def monotonic() -> float:
        nonlocal clock
        clock += 1.0
        return clock

    monkeypatch.setattr("jepanet.chain.following.stall_alarm.time.monotonic", monotonic)
    follower = follower_of(chain, copy, stall_after=30.0)
    for _ in range(40):
        assert await follower._look() is None
    assert follower.stalled
    broken = False
    step = await follower._look()
    assert step is not None
    assert step.blocks
    assert not follower.stalled


async def test_an_idle_chain_is_no_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    chain, copy = started(blocks=2)
    await follow(chain, copy, until=lambda: copy.equals(chain))
    clock = 0.0
    monkeypatch.setattr("jepanet.chain.following.stall_alarm.time.monotonic", lambda: clock)
    follower = follower_of(chain, copy, stall_after=30.0)
    assert await follower._look() is None
    clock = 10_000.0
    assert await follower._look() is None
    chain.extend(1)

    def fail(name: str) -> None:
        if name == "receipts":
            raise Transient("down")

    chain.before = fail
    assert await follower._look() is None
    assert not follower.stalled


async def test_only_the_newest_part_of_the_trail_counts() -> None:
    chain, copy = started(blocks=600, logs=0)
    chain.finality = None
    await follow(chain, copy, until=lambda: copy.equals(chain))
    follower = follower_of(chain, copy)
    assert len(follower._trail) == TRAIL
    assert follower.position == chain.top


async def test_a_fork_below_the_trail_rewinds_to_the_anchor_only() -> None:
    chain, copy = started(blocks=20)
    await follow(chain, copy, until=lambda: copy.equals(chain))
    chain.reorg(20, [2] * 25)
    await follow(chain, copy, until=lambda: copy.equals(chain))
    assert copy.rewinds == [copy.anchor.number]
    assert copy.resets == 0


async def test_a_replaced_deployment_block_is_a_reset() -> None:
    chain, copy = started(blocks=5)
    await follow(chain, copy, until=lambda: copy.equals(chain))
    del chain.blocks[1:]
    for _ in range(8):
        chain.extend(1)
    await follow(chain, copy, until=lambda: copy.equals(chain))
    assert copy.resets == 1
    assert copy.anchor == chain.blocks[1][0].ref
