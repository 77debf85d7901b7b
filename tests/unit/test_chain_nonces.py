"""What ends a transaction without a receipt, and what does not."""

from __future__ import annotations

import asyncio
import random
from typing import Any, cast

import pytest

from chain_backends import Balancer, Endpoint, Lies, Store, Transaction, World, blocks, foreign, run
from jepanet.chain.contracts.abi import UnsignedCall
from jepanet.chain.contracts.reverts import ErrorDecoder
from jepanet.chain.keys.wallet import Wallet
from jepanet.chain.sending.delivery import Unresolved
from jepanet.chain.sending.fees import FeePolicy
from jepanet.chain.sending.nonce_evidence import Evidence, find_use
from jepanet.chain.sending.sender import Sender
from jepanet.errors import Exit, Transient
from jepanet.intents import IntentState
from jepanet.telemetry import Secret
from jepanet.types import Address

pytestmark = pytest.mark.unit

TARGET = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
WALLET = Wallet.from_key(Secret(b"\x07" * 32))
WISH = UnsignedCall(to=TARGET, data=b"wish")
BURIAL = 6


class Stage:
    """A world with one endpoint, and a wish that was signed and that the endpoint lost."""

    def __init__(self) -> None:
        self.world = World(random.Random(1))
        self.endpoint = Endpoint(self.world, Lies(drops=1.0))
        self.store = Store()

    def sender(self, timeout: float = 600.0) -> Sender:
        return Sender(
            cast(Any, Balancer(self.endpoint)), WALLET, self.store, FeePolicy(replace_after=1000.0), 1,
            ErrorDecoder([]), burial=BURIAL, poll=0.5, timeout=timeout,
        )  # fmt: skip

    async def lose(self) -> Transaction:
        with pytest.raises(Unresolved):
            await self.sender(timeout=5.0).send("duty", WISH)
        return Transaction.of(self.store.rows["duty"].raws[0])

    def include(self, item: Transaction) -> None:
        self.world.pool = {item.hash: item}
        self.world.mine()

    @property
    def wishes(self) -> int:
        return self.world.effects().count(WISH.data)


def test_a_foreign_transaction_counts_once_it_is_deep() -> None:
    async def episode() -> None:
        stage = Stage()
        await stage.lose()
        stage.include(foreign(WALLET, 0, TARGET))
        stage.endpoint.lies = Lies()
        for _ in range(BURIAL - 2):
            stage.world.mine()
        with pytest.raises(Unresolved, match="a fork could still undo"):
            await stage.sender(timeout=10.0).send("duty", WISH)
        assert stage.store.rows["duty"].nonce == 0
        stage.world.mine()
        mining = asyncio.create_task(blocks(stage.world))
        await stage.sender().send("duty", WISH)
        mining.cancel()
        assert stage.store.rows["duty"].nonce == 1
        assert stage.wishes == 1

    run(episode())


def test_a_fork_that_gives_the_nonce_back_finds_one_wish_in_the_air() -> None:
    async def episode() -> None:
        stage = Stage()
        lost = await stage.lose()
        stage.include(foreign(WALLET, 0, TARGET))
        stage.endpoint.lies = Lies()
        sending = asyncio.create_task(stage.sender().send("duty", WISH))
        await asyncio.sleep(30.0)
        stage.world.fork(1, forgets=True)
        stage.include(lost)
        mining = asyncio.create_task(blocks(stage.world))
        assert (await sending).tx_hash == lost.hash
        mining.cancel()
        assert stage.wishes == 1

    run(episode())


def test_the_same_call_signed_elsewhere_is_the_wish() -> None:
    """A wallet's "speed up"."""

    async def episode() -> None:
        stage = Stage()
        await stage.lose()
        faster = foreign(WALLET, 0, TARGET, WISH.data)
        stage.include(faster)
        stage.endpoint.lies = Lies()
        for _ in range(2):  # and it is remembered
            assert (await stage.sender().send("duty", WISH)).tx_hash == faster.hash
        assert stage.store.rows["duty"].state is IntentState.MINED
        assert stage.wishes == 1

    run(episode())


@pytest.mark.parametrize(
    "said",
    ["nonce too low", "insufficient funds", "internal error", "exceeds block gas limit", "underpriced"],
)
def test_a_refusal_of_what_was_taken_ends_nothing(said: str) -> None:
    async def episode() -> None:
        stage = Stage()
        lost = await stage.lose()
        stage.endpoint.lies = Lies()
        stage.endpoint.says = said
        with pytest.raises(Unresolved, match="0x") as caught:
            await stage.sender(timeout=30.0).send("duty", WISH)
        assert caught.value.code is Exit.UNRESOLVED
        stage.include(lost)
        assert (await stage.sender().send("duty", WISH)).tx_hash == lost.hash
        assert stage.wishes == 1

    run(episode())


def test_who_used_a_nonce_is_asked_of_those_who_keep_old_state() -> None:
    async def episode() -> None:
        world = World(random.Random(1))
        used = []
        for nonce in range(40):
            item = foreign(WALLET, nonce, TARGET, bytes([nonce]))
            world.take(item)
            world.mine()
            used.append(item.hash)
            for _ in range(nonce % 3):
                world.mine()
        pruned, archive = Endpoint(world, Lies(kept=10)), Endpoint(world, Lies())
        for nonce, tx_hash in enumerate(used):
            found = await find_use(archive, WALLET.address, nonce)
            assert found is not None
            assert found.tx_hash == tx_hash
        assert await find_use(archive, WALLET.address, 40) is None
        # The newest are found without old state, the others are not guessed at.
        newest = await find_use(pruned, WALLET.address, 39)
        assert newest is not None
        assert newest.tx_hash == used[39]
        with pytest.raises(Transient, match="missing trie node"):
            await find_use(pruned, WALLET.address, 3)
        together = Evidence(cast(Any, Balancer(pruned, archive)), 1)
        found = await together.use(WALLET.address, 3)
        assert found is not None
        assert found.tx_hash == used[3]
        assert await Evidence(cast(Any, Balancer(pruned)), 1).use(WALLET.address, 3) is None

    run(episode())


def test_a_wish_whose_nonce_is_used_on_a_fork_alone_is_still_offered() -> None:
    """One endpoint is on a fork (or is a copy of the chain) where another transaction used the nonce."""

    async def episode() -> None:
        stage = Stage()
        await stage.lose()
        copy = World(random.Random(2))
        item = foreign(WALLET, 0, TARGET)
        copy.pool = {item.hash: item}
        copy.mine()
        stage.endpoint.lies = Lies()
        stage.world.mine()
        sender = Sender(
            cast(Any, Balancer(Endpoint(copy, Lies(drops=1.0)), stage.endpoint)), WALLET, stage.store,
            FeePolicy(replace_after=1000.0), 1, ErrorDecoder([]), burial=BURIAL, poll=0.5,
        )  # fmt: skip
        stage.world.pool = {}
        sending = asyncio.create_task(sender.send("duty", WISH))
        await asyncio.sleep(5.0)
        stage.world.pool = {}  # what the start offered is lost as well
        mining = asyncio.create_task(blocks(stage.world))
        assert (await sending).tx_hash in stage.store.rows["duty"].hashes
        mining.cancel()
        assert stage.wishes == 1

    run(episode())


def test_endpoints_that_disagree_on_a_block_prove_nothing() -> None:
    async def episode() -> None:
        world, other = World(random.Random(1)), World(random.Random(2))
        for _ in range(20):
            world.mine()
            other.mine()
        evidence = Evidence(cast(Any, Balancer(Endpoint(world, Lies()), Endpoint(other, Lies()))), 1)
        assert not await evidence.buried(5, world.blocks[5].hash, 1)
        alone = Evidence(cast(Any, Balancer(Endpoint(world, Lies()))), 1)
        assert await alone.buried(5, world.blocks[5].hash, 16)
        assert not await alone.buried(5, world.blocks[5].hash, 17)

    run(episode())


def test_a_later_wish_waits_for_an_earlier_one_and_offers_it_again() -> None:
    """Also one that a fork threw out and nobody waits for any more."""

    async def episode() -> None:
        stage = Stage()
        stage.endpoint.lies = Lies()
        mining = asyncio.create_task(blocks(stage.world))
        await stage.sender().send("first", WISH)
        mining.cancel()
        stage.world.fork(3, forgets=True)
        stage.world.seen = {}
        mining = asyncio.create_task(blocks(stage.world))
        later = UnsignedCall(to=TARGET, data=b"later")
        await stage.sender(timeout=3000.0).send("second", later)
        mining.cancel()
        assert [data for data in stage.world.effects() if data != b"foreign"] == [WISH.data, later.data]

    run(episode())
