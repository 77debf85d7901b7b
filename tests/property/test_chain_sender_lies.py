"""Each intent takes effect exactly once, whatever endpoints leave out, through forks, crashes and rivals."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain_backends import BLOCK_SECONDS, GWEI, Balancer, Endpoint, Lies, Store, World, blocks, foreign, run
from jepanet.chain.contracts.abi import UnsignedCall
from jepanet.chain.contracts.reverts import ErrorDecoder
from jepanet.chain.keys.wallet import Wallet
from jepanet.chain.sending.fees import FeePolicy
from jepanet.chain.sending.sender import Sender
from jepanet.errors import Transient
from jepanet.telemetry import Secret
from jepanet.types import Address

pytestmark = pytest.mark.property

TARGET = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
WALLET = Wallet.from_key(Secret(b"\x07" * 32))
BURIAL = 6
FORKS = BURIAL - 1
POLICY = FeePolicy(replace_after=20.0)


def sender_of(rpc: Balancer, store: Store, timeout: float) -> Sender:
    return Sender(
        cast(Any, rpc), WALLET, store, POLICY, 1, ErrorDecoder([]), burial=BURIAL, poll=0.5, timeout=timeout
    )


def wish(number: int) -> UnsignedCall:
    return UnsignedCall(to=TARGET, data=b"wish" + bytes([number]))


def lives(world: World) -> Counter[bytes]:
    return Counter(data for data in world.effects() if data != b"foreign")


async def _insist(sender: Sender, number: int) -> None:
    """As a duty or a person would: again and again, until it is done."""
    while True:
        try:
            await sender.send(f"wish-{number}", wish(number))
            return
        except Transient:
            await asyncio.sleep(1.0)


async def _episode(chance: random.Random, wishes: int, lies: list[Lies]) -> None:
    world = World(chance, least_tip=chance.choice([1, 1, 30 * GWEI]))
    for _ in range(chance.randint(0, 40)):
        world.mine()
    endpoints = [Endpoint(world, item) for item in lies]
    rpc, store = Balancer(*endpoints), Store()

    async def time_passes() -> None:
        while True:
            await asyncio.sleep(BLOCK_SECONDS)
            world.mine()
            assert not [data for data, times in lives(world).items() if times > 1]
            if chance.random() < 0.05:
                world.fork(chance.randint(1, FORKS), forgets=chance.random() < 0.5)
            if chance.random() < 0.05 and world.least_tip < 10 * GWEI:
                world.pool |= {(item := foreign(WALLET, world.pending(WALLET.address), TARGET)).hash: item}

    clock = asyncio.create_task(time_passes())
    try:
        left = set(range(wishes))
        for _ in range(chance.randint(1, 3)):  # and then the process is killed
            sender = sender_of(rpc, store, timeout=chance.choice([10.0, 60.0]))
            tasks = {number: asyncio.create_task(_insist(sender, number)) for number in left}
            await asyncio.wait([*tasks.values(), clock], timeout=chance.uniform(1.0, 90.0))
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
        # In the end the endpoints are healthy, one of them keeps old state, and forks are over: all is found.
        for endpoint in endpoints:
            endpoint.lies = replace(Lies(), kept=endpoint.lies.kept)
        endpoints[-1].lies = Lies()
        clock.cancel()
        sender = sender_of(rpc, store, timeout=600.0)
        clock = asyncio.create_task(blocks(world))
        async with asyncio.timeout(3000):
            await asyncio.gather(*(_insist(sender, number) for number in range(wishes)))
        assert lives(world) == Counter({bytes(wish(number).data): 1 for number in range(wishes)})
        assert sender.pending == ()
    finally:
        clock.cancel()


chances = st.sampled_from([0.0, 0.0, 0.2, 0.6])
lying = st.builds(
    Lies,
    lag=st.sampled_from([0.0, 0.3, 1.0]),
    lag_blocks=st.sampled_from([1, 4, 40]),
    hides=st.sampled_from([0.0, 0.5, 1.0]),
    fails=st.sampled_from([0.0, 0.0, 0.3]),
    silent_sends=chances,
    false_refusals=chances,
    drops=chances,
    no_advice=chances,
    kept=st.sampled_from([4, 64, 10**9]),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), wishes=st.integers(1, 4), lies=st.lists(lying, min_size=1, max_size=3))
def test_every_wish_takes_effect_once_whatever_the_endpoints_omit(
    seed: int, wishes: int, lies: list[Lies]
) -> None:
    run(_episode(random.Random(seed), wishes, lies))
