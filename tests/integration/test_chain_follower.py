"""After any storm the follower's copy equals what the chain itself says."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from chain_fixtures import Chain, Pinger, deploy_pinger, running_chain

from jepanet.chain.devchain.anvil import AnvilProcess, free_port
from jepanet.chain.endpoints.answers import RawLog
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.following.follower import Follower, FollowerStep
from jepanet.types import BlockRef

pytestmark = pytest.mark.integration

LogId = tuple[int, bytes, int, bytes]


class Copy:
    """A consumer: applies each step at once, as a store does in one transaction, and checks every promise."""

    def __init__(self, anchor: BlockRef) -> None:
        self.anchor = anchor
        self.blocks: dict[int, tuple[BlockRef, bytes, tuple[LogId, ...]]] = {}
        self.rewinds: list[int] = []
        self.resets = 0
        self.steps = 0

    def apply(self, step: FollowerStep[RawLog]) -> None:
        self.steps += 1
        if step.reset:
            assert step.rewind_to is not None
            self.resets += 1
            self.blocks.clear()
            self.anchor = step.rewind_to
        elif step.rewind_to is not None:
            known = {self.anchor.number: self.anchor.hash, **{n: b[0].hash for n, b in self.blocks.items()}}
            assert known[step.rewind_to.number] == step.rewind_to.hash, "rewound to a block never delivered"
            self.rewinds.append(step.rewind_to.number)
            for number in [number for number in self.blocks if number > step.rewind_to.number]:
                del self.blocks[number]
        for block in step.blocks:
            top = max(self.blocks, default=self.anchor.number)
            assert block.ref.number > top, "blocks must ascend"
            if block.ref.number == top + 1:
                previous = self.blocks[top][0].hash if self.blocks else self.anchor.hash
                assert block.parent == previous, "a block does not continue the one before"
            indexes = [log.index for log in block.facts]
            assert indexes == sorted(set(indexes))
            logs = tuple((block.ref.number, block.ref.hash, log.index, log.data) for log in block.facts)
            self.blocks[block.ref.number] = (block.ref, block.parent, logs)

    @property
    def trail(self) -> list[BlockRef]:
        return [self.blocks[number][0] for number in sorted(self.blocks)][-256:]

    @property
    def logs(self) -> list[LogId]:
        return [log for number in sorted(self.blocks) for log in self.blocks[number][2]]

    @property
    def top(self) -> bytes:
        return self.trail[-1].hash if self.blocks else self.anchor.hash


async def canonical(rpc: Rpc, pinger: Pinger) -> list[LogId]:
    head = await rpc.head()
    placed = await rpc.logs([pinger.address], pinger.born.number, head.ref.number)
    found = [(log.number, log.block_hash, log.log.index, log.log.data) for log in placed]
    return sorted(found, key=lambda item: (item[0], item[2]))


def undecoded(log: RawLog, block: BlockRef) -> RawLog:
    """The pinger's events are no facts of the protocol."""
    return log


def follower_of(rpc: Rpc, pinger: Pinger, copy: Copy, **options: Any) -> Follower[RawLog]:
    options = {"poll": 0.05, "shrink_patience": 0.3, **options}
    return Follower(rpc, [pinger.address], copy.anchor, undecoded, copy.trail, **options)


async def consume(
    make: Callable[[], Follower[RawLog]],
    copy: Copy,
    *,
    crash_every: int = 0,
    randomness: random.Random | None = None,
) -> None:
    """Applies steps for ever. Every few steps it dies, before or after storing, and starts from the copy."""
    while True:
        until_crash = randomness.randint(1, 2 * crash_every) if randomness and crash_every else -1
        steps = make().steps()
        async for step in steps:
            until_crash -= 1
            if until_crash == 0 and randomness and randomness.random() < 0.5:
                break
            copy.apply(step)
            if until_crash == 0:
                break
        await steps.aclose()  # type: ignore[attr-defined]  # an async generator, typed as an iterator


async def settle(rpc: Rpc, copy: Copy, within: float = 30.0) -> None:
    """Waits until the copy has reached the head."""
    async with asyncio.timeout(within):
        while (await rpc.head()).ref.hash != copy.top:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


class Running:
    """A consumer in the background."""

    def __init__(self, make: Callable[[], Follower[RawLog]], copy: Copy, **options: Any) -> None:
        self.task = asyncio.create_task(consume(make, copy, **options))

    async def __aenter__(self) -> Running:
        return self

    async def __aexit__(self, *_: object) -> None:
        failed = self.task.done()
        self.task.cancel()
        results = await asyncio.gather(self.task, return_exceptions=True)
        if failed and isinstance(results[0], Exception):
            raise results[0]


@pytest.fixture
async def chain() -> AsyncIterator[Chain]:
    async with running_chain() as running:
        yield running


@pytest.fixture
async def pinger(chain: Chain) -> Pinger:
    return await deploy_pinger(chain)


async def test_delivers_every_block_near_the_head(chain: Chain, pinger: Pinger) -> None:
    copy = Copy(pinger.born)
    async with Running(lambda: follower_of(chain.rpc, pinger, copy), copy):
        sender = chain.sender()
        for number in range(5):
            await sender.send(f"k{number}", pinger.ping(number, 3))
            await chain.mine(2)
        await settle(chain.rpc, copy)
    head = await chain.block()
    assert sorted(copy.blocks) == list(range(pinger.born.number + 1, head.number + 1))
    assert copy.logs == await canonical(chain.rpc, pinger)
    assert len(copy.logs) == 15


async def test_backfill_is_in_order_and_complete(chain: Chain, pinger: Pinger) -> None:
    sender = chain.sender()
    for number in range(6):
        await sender.send(f"k{number}", pinger.ping(number, number + 1))
        await chain.mine(60)
    copy = Copy(pinger.born)
    async with Running(lambda: follower_of(chain.rpc, pinger, copy, range_from=64), copy):
        await settle(chain.rpc, copy)
    assert copy.logs == await canonical(chain.rpc, pinger)
    finalized = await chain.block("finalized")
    above = [number for number in copy.blocks if number > finalized.number]
    assert len(above) == (await chain.block()).number - finalized.number, "every block near the head"
    assert len(copy.blocks) < 200, "ranges below finalized leave out empty blocks"


async def test_who_has_reached_the_head_waits_before_it_looks_again(chain: Chain, pinger: Pinger) -> None:
    await chain.mine(3)
    copy = Copy(pinger.born)
    follower = follower_of(chain.rpc, pinger, copy, poll=60.0)
    look, looks = follower._look, []

    async def counted() -> FollowerStep[RawLog] | None:
        looks.append(follower.position.number)
        return await look()

    follower._look = counted  # type: ignore[method-assign]
    steps = follower.steps()
    copy.apply(await anext(steps))
    after = asyncio.create_task(anext(steps))  # type: ignore[arg-type]
    await asyncio.sleep(0.3)
    assert copy.top == (await chain.block()).hash and len(looks) == 1
    after.cancel()
    await asyncio.gather(after, return_exceptions=True)


@pytest.mark.parametrize("hint", [False, True])
async def test_wakes_up(chain: Chain, pinger: Pinger, hint: bool) -> None:
    copy = Copy(pinger.born)
    options = {"hint": chain.anvil.ws_url, "poll": 20.0} if hint else {"poll": 0.05}
    async with Running(lambda: follower_of(chain.rpc, pinger, copy, **options), copy):
        await asyncio.sleep(1.0)
        await chain.sender().send("one", pinger.ping(1))
        await settle(chain.rpc, copy, within=8.0)
    assert len(copy.logs) == 1


async def test_a_replaced_deployment_block_resets(chain: Chain, pinger: Pinger) -> None:
    await chain.sender().send("one", pinger.ping(1))
    await chain.mine(3)
    wrong = BlockRef(pinger.born.number, bytes(32), pinger.born.timestamp)
    copy = Copy(wrong)
    async with Running(lambda: follower_of(chain.rpc, pinger, copy), copy):
        await settle(chain.rpc, copy)
    assert copy.resets == 1
    assert copy.anchor == pinger.born
    assert copy.logs == await canonical(chain.rpc, pinger)


async def test_a_fork_deeper_than_the_trail_rewinds_to_the_anchor(chain: Chain, pinger: Pinger) -> None:
    await chain.mine(3)
    copy = Copy(pinger.born)
    number = pinger.born.number + 2
    copy.blocks[number] = (BlockRef(number, b"\1" * 32, 1), bytes(32), ((number, b"\1" * 32, 0, b""),))
    async with Running(lambda: follower_of(chain.rpc, pinger, copy), copy):
        await settle(chain.rpc, copy)
    assert copy.rewinds == [pinger.born.number]
    assert copy.resets == 0
    assert copy.logs == await canonical(chain.rpc, pinger)


async def test_a_lagging_node_is_not_a_fork(chain: Chain, pinger: Pinger) -> None:
    """After a failover to a node that is behind, nothing is thrown away."""
    await chain.mine(5)
    copy = Copy(pinger.born)
    ahead = Copy(pinger.born)
    async with Running(lambda: follower_of(chain.rpc, pinger, ahead), ahead):
        await settle(chain.rpc, ahead)
    copy.blocks = dict(ahead.blocks)
    head = await chain.block()
    fake = BlockRef(head.number + 1, b"\2" * 32, head.timestamp + 1)
    copy.blocks[fake.number] = (fake, head.hash, ())
    async with Running(lambda: follower_of(chain.rpc, pinger, copy, shrink_patience=60.0), copy):
        await asyncio.sleep(0.5)
    assert copy.steps == 0, "waits for the node to catch up"
    async with Running(lambda: follower_of(chain.rpc, pinger, copy, shrink_patience=0.2), copy):
        await settle(chain.rpc, copy)
    assert copy.rewinds == [head.number], "but not for ever"


# ------------------------------------------------------------------ storms


async def _ping_burst(chain: Chain, pinger: Pinger, randomness: random.Random, state: dict[str, int]) -> None:
    sender = chain.sender(randomness.randrange(3))
    calls = []
    for _ in range(randomness.choice((1, 1, 1, 2, 8))):
        state["n"] += 1
        calls.append(sender.send(f"k{state['n']}", pinger.ping(state["n"], randomness.randint(1, 4))))
    await asyncio.gather(*calls)


async def _reorg(chain: Chain, pinger: Pinger, randomness: random.Random) -> None:
    head = await chain.block()
    depth = min(randomness.randint(1, 5), head.number - pinger.born.number - 1)
    if depth < 1:
        return
    replacements = []
    if randomness.random() < 0.5:
        wallet = chain.wallets[3]
        data = "0x" + pinger.ping(randomness.randrange(10**6)).data.hex()
        transaction = {"from": wallet.address, "to": pinger.address, "data": data, "gas": hex(200_000)}
        replacements = [[transaction, randomness.randrange(depth)]]
    await chain.reorg(depth, replacements)
    await chain.rpc.request("anvil_dropAllTransactions", [])


async def _reorg_storm(rounds: int, seed: int) -> None:
    randomness = random.Random(seed)
    async with running_chain() as chain:
        pinger = await deploy_pinger(chain)
        await chain.mine(8)
        polled, hinted = Copy(pinger.born), Copy(pinger.born)
        state = {"n": 0}
        async with (
            Running(
                lambda: follower_of(chain.rpc, pinger, polled), polled, crash_every=5, randomness=randomness
            ),
            Running(
                lambda: follower_of(chain.rpc, pinger, hinted, hint=chain.anvil.ws_url, poll=0.5), hinted
            ),
        ):
            for _ in range(rounds):
                if randomness.random() < 0.3:
                    await _reorg(chain, pinger, randomness)
                elif randomness.random() < 0.2:
                    await chain.mine(randomness.randint(1, 6))
                else:
                    await _ping_burst(chain, pinger, randomness, state)
                if randomness.random() < 0.3:
                    await asyncio.sleep(randomness.random() * 0.1)
            await chain.mine()
            await settle(chain.rpc, polled)
            await settle(chain.rpc, hinted)
        truth = await canonical(chain.rpc, pinger)
        assert truth
        assert polled.logs == truth
        assert hinted.logs == truth
        assert polled.resets == hinted.resets == 0
        assert polled.rewinds or hinted.rewinds


async def _revert_storm(rounds: int, seed: int) -> None:
    """`evm_revert` only: mixed with `anvil_reorg` it breaks anvil itself."""
    randomness = random.Random(seed)
    async with running_chain() as chain:
        pinger = await deploy_pinger(chain)
        await chain.mine(8)
        copy = Copy(pinger.born)
        state = {"n": 0}
        snapshots: list[str] = []
        async with Running(
            lambda: follower_of(chain.rpc, pinger, copy), copy, crash_every=5, randomness=randomness
        ):
            for _ in range(rounds):
                draw = randomness.random()
                if draw < 0.2 or not snapshots:
                    snapshots.append(await chain.rpc.request("evm_snapshot", []))
                elif draw < 0.35:
                    index = randomness.randrange(len(snapshots))
                    assert await chain.rpc.request("evm_revert", [snapshots[index]])
                    del snapshots[index:]
                else:
                    await _ping_burst(chain, pinger, randomness, state)
                if randomness.random() < 0.3:
                    await asyncio.sleep(randomness.random() * 0.1)
            await settle(chain.rpc, copy)
        assert copy.logs == await canonical(chain.rpc, pinger)
        assert copy.resets == 0


async def _restart_storm(restarts: int, folder: Path) -> None:
    port = free_port()
    options: dict[str, Any] = {"port": port, "state": folder / "state.json"}
    async with running_chain(**options) as chain:
        pinger = await deploy_pinger(chain)
        copy = Copy(pinger.born)
        make = lambda: follower_of(chain.rpc, pinger, copy, hint=chain.anvil.ws_url, poll=0.2)  # noqa: E731
        state = {"n": 0}
        randomness = random.Random(restarts)
        async with Running(make, copy):
            for restart in range(restarts + 1):
                if restart:
                    await chain.anvil.stop()
                    await asyncio.sleep(0.3)
                    await AnvilProcess.start(chain.anvil)
                for _ in range(4):
                    await _ping_burst(chain, pinger, randomness, state)
            await settle(chain.rpc, copy)
        assert copy.logs == await canonical(chain.rpc, pinger)
        assert copy.resets == 0


async def test_reorganisations() -> None:
    await _reorg_storm(rounds=40, seed=1)


async def test_reverts() -> None:
    await _revert_storm(rounds=40, seed=2)


async def test_restarts(tmp_path: Path) -> None:
    await _restart_storm(2, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(10, 16))
async def test_reorganisations_at_length(seed: int) -> None:
    await _reorg_storm(rounds=400, seed=seed)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(20, 24))
async def test_reverts_at_length(seed: int) -> None:
    await _revert_storm(rounds=300, seed=seed)


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_restarts_at_length(tmp_path: Path) -> None:
    await _restart_storm(8, tmp_path)
