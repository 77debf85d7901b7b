"""A chain in memory with several machines behind one address, which lag, forget, refuse and fall silent.

What the chain holds is true; what a backend answers may leave things out. `Balancer` stands in for `Rpc`.
Time is the event loop's own (`run`), so that minutes of blocks pass in no time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import rlp
from eth_account import Account
from eth_hash.auto import keccak

from jepanet.chain.endpoints.requests import ChainReader, RpcError
from jepanet.chain.keys.wallet import Wallet
from jepanet.errors import Transient
from jepanet.intents import Intent, IntentState
from jepanet.types import Address
from made_up_blocks import made_up_block

T = TypeVar("T")
GWEI = 10**9
BLOCK_SECONDS = 2.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer as soon as nothing is left to do."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = 0.0
        select = self._selector.select  # type: ignore[attr-defined]

        def skip(timeout: float | None) -> Any:
            events = select(0)
            if not events:
                if timeout is None:
                    raise RuntimeError("nothing will ever happen")
                self._virtual += timeout
            return events

        self._selector.select = skip  # type: ignore[attr-defined]

    def time(self) -> float:
        return self._virtual


def run(episode: Coroutine[Any, Any, None]) -> None:
    """Runs an episode in its own time."""
    loop = VirtualLoop()
    try:
        loop.run_until_complete(episode)
    finally:
        loop.close()


async def blocks(world: World) -> None:
    """Mines for ever."""
    while True:
        await asyncio.sleep(BLOCK_SECONDS)
        world.mine()


def foreign(wallet: Wallet, nonce: int, to: Address, data: bytes = b"foreign") -> Transaction:
    """A transaction that another program sends with the wallet."""
    fields = {
        "type": 2, "chainId": Balancer.chain_id, "nonce": nonce, "gas": 50_000, "maxFeePerGas": 90 * GWEI,
        "maxPriorityFeePerGas": 40 * GWEI, "to": to, "value": 0, "data": data,
    }  # fmt: skip
    return Transaction.of(wallet.sign_transaction(fields).raw)


class Store:
    """An intent store that outlives the senders which use it."""

    def __init__(self) -> None:
        self.rows: dict[str, Intent] = {}

    def intents(self, sender: str) -> list[Intent]:
        return list(self.rows.values())

    def put(self, intent: Intent) -> None:
        # A key may get another nonce only once the old one is proven lost; no two keys share one.
        rivals = [
            item for item in self.rows.values() if item.nonce == intent.nonce and item.key != intent.key
        ]
        assert all(item.state is IntentState.FAILED for item in rivals)
        before = self.rows.get(intent.key)
        if before is not None and before.nonce != intent.nonce:
            assert before.state is IntentState.FAILED
        self.rows[intent.key] = intent


@dataclass(frozen=True, slots=True)
class Transaction:
    """A signed EIP-1559 transaction, decoded."""

    raw: bytes
    hash: bytes
    sender: Address
    nonce: int
    tip: int
    fee: int
    to: bytes
    data: bytes

    @classmethod
    def of(cls, raw: bytes) -> Transaction:
        fields = rlp.decode(raw[1:])
        number = [int.from_bytes(item, "big") for item in fields[:5]]
        sender = Address(Account.recover_transaction(raw))
        return cls(raw, keccak(raw), sender, number[1], number[2], number[3], fields[5], fields[7])


@dataclass(frozen=True, slots=True)
class Block:
    number: int
    hash: bytes
    parent: bytes
    transactions: tuple[Transaction, ...] = ()


@dataclass
class World:
    """The chain as it is: blocks, what waits for the next one, and the fork that may come.

    `least_tip`: wei per gas below which nobody takes a transaction.
    """

    chance: random.Random
    least_tip: int = 1
    base_fee: int = GWEI
    blocks: list[Block] = field(default_factory=lambda: [Block(0, bytes(32), bytes(32))])
    pool: dict[bytes, Transaction] = field(default_factory=dict)
    seen: dict[bytes, Transaction] = field(default_factory=dict)

    def count(self, account: str, number: int | None = None) -> int:
        chain = self.blocks if number is None else self.blocks[: number + 1]
        return sum(item.sender == account for block in chain for item in block.transactions)

    def pending(self, account: str) -> int:
        count = self.count(account)
        while any(item.sender == account and item.nonce == count for item in self.pool.values()):
            count += 1
        return count

    def find(self, tx_hash: bytes, newest: int) -> tuple[Block, Transaction] | None:
        for block in self.blocks[: newest + 1]:
            for item in block.transactions:
                if item.hash == tx_hash:
                    return block, item
        return None

    def effects(self) -> list[bytes]:
        return [item.data for block in self.blocks for item in block.transactions]

    def mine(self) -> None:
        parent = self.blocks[-1]
        mined: list[Transaction] = []
        for item in sorted(self.pool.values(), key=lambda item: (item.nonce, self.chance.random())):
            used = self.count(item.sender) + sum(other.sender == item.sender for other in mined)
            if item.nonce == used and item.fee >= self.base_fee:
                mined.append(item)
        made = keccak(parent.hash + self.chance.randbytes(8))
        self.blocks.append(Block(parent.number + 1, made, parent.hash, tuple(mined)))
        self._clean()

    def fork(self, depth: int, *, forgets: bool) -> None:
        """Replaces the newest blocks by empty ones. Their transactions are gone everywhere, or wait again,
        with others that somebody kept, though the chain had passed over them."""
        depth = min(depth, len(self.blocks) - 1)
        lost = self.blocks[len(self.blocks) - depth :]
        self.blocks = self.blocks[: len(self.blocks) - depth]
        waiting, self.pool = self.pool, {}
        for _ in range(depth):
            self.mine()
        self.pool = waiting
        if not forgets:
            self.pool |= {item.hash: item for block in lost for item in block.transactions}
            self.pool |= {key: item for key, item in self.seen.items() if self.chance.random() < 0.5}
            self._clean()

    def take(self, item: Transaction) -> None:
        """What an honest node answers to a transaction. Raises: RpcError."""
        if item.hash in self.pool:
            raise _refused("already known")
        if item.nonce < self.count(item.sender):
            raise _refused("nonce too low")
        if item.tip < self.least_tip:
            raise _refused(
                f"transaction underpriced: gas tip cap {item.tip}, minimum needed {self.least_tip}"
            )
        rivals = [
            other for other in self.pool.values() if (other.sender, other.nonce) == (item.sender, item.nonce)
        ]
        if any(item.tip * 10 < other.tip * 11 or item.fee * 10 < other.fee * 11 for other in rivals):
            raise _refused("replacement transaction underpriced")
        self.seen[item.hash] = item
        for other in rivals:
            del self.pool[other.hash]
        self.pool[item.hash] = item

    def _clean(self) -> None:
        self.pool = {key: item for key, item in self.pool.items() if item.nonce >= self.count(item.sender)}


@dataclass
class Lies:
    """How an endpoint errs, each as a chance per request; `kept` blocks of state are not forgotten."""

    lag: float = 0.0
    lag_blocks: int = 0
    hides: float = 0.0
    fails: float = 0.0
    silent_sends: float = 0.0
    false_refusals: float = 0.0
    drops: float = 0.0
    no_advice: float = 0.0
    kept: int = 10**9


REFUSALS = (
    "nonce too low", "insufficient funds for gas * price + value", "internal error", "txpool is full",
    "transaction underpriced", "replacement transaction underpriced", "exceeds block gas limit",
)  # fmt: skip


class Endpoint(ChainReader):
    """One address, behind which every request meets a machine in another mood."""

    def __init__(self, world: World, lies: Lies) -> None:
        self.world = world
        self.lies = lies
        self.says: str | None = None
        """What it answers to every transaction, instead of taking it."""

    async def ask(self, method: str, params: Sequence[Any], parse: Callable[[Any], T]) -> T:
        await asyncio.sleep(self.world.chance.uniform(0.001, 0.1))
        if self._by(self.lies.fails):
            raise Transient("no answer")
        return parse(getattr(self, method)(*params))

    def _by(self, chance: float) -> bool:
        return self.world.chance.random() < chance

    def _newest(self) -> int:
        head = self.world.blocks[-1].number
        if self._by(self.lies.lag):
            head -= self.world.chance.randint(1, max(1, self.lies.lag_blocks))
        return max(0, head)

    def eth_getBlockByNumber(self, block: str, full: bool) -> Any:
        newest = self._newest()
        number = newest if block == "latest" else int(block, 16)
        return None if number > newest else self._block(self.world.blocks[number], full)

    def _block(self, block: Block, full: bool) -> dict[str, Any]:
        return made_up_block(
            number=hex(block.number),
            hash=_hex(block.hash),
            parentHash=_hex(block.parent),
            timestamp=hex(block.number),
            baseFeePerGas=hex(self.world.base_fee),
            transactions=[
                {
                    "from": item.sender, "nonce": hex(item.nonce), "hash": _hex(item.hash), "value": "0x0",
                    "to": _hex(item.to), "input": _hex(item.data),
                }
                if full
                else _hex(item.hash)
                for item in block.transactions
            ],
        )  # fmt: skip

    def eth_getTransactionCount(self, account: str, block: str) -> str:
        newest = self._newest()
        if block == "pending":
            behind = newest < self.world.blocks[-1].number
            return hex(self.world.count(account, newest) if behind else self.world.pending(account))
        number = newest if block == "latest" else int(block, 16)
        if number > newest:
            raise _refused("header not found")
        if number < newest - self.lies.kept:
            raise _refused("missing trie node 0x12")
        return hex(self.world.count(account, number))

    def eth_getTransactionReceipt(self, tx_hash: str) -> Any:
        found = self.world.find(bytes.fromhex(tx_hash[2:]), self._newest())
        if found is None or self._by(self.lies.hides):
            return None
        block, _ = found
        return {
            "transactionHash": tx_hash, "blockNumber": hex(block.number), "blockHash": _hex(block.hash),
            "status": "0x1", "gasUsed": "0x1", "effectiveGasPrice": "0x1", "contractAddress": None,
            "logs": [],
        }  # fmt: skip

    def eth_sendRawTransaction(self, raw: str) -> str:
        item = Transaction.of(bytes.fromhex(raw[2:]))
        if self.says is not None:
            raise _refused(self.says)
        if self._by(self.lies.drops):
            return _hex(item.hash)
        refusal: RpcError | None = None
        if not self._by(self.lies.false_refusals / 2):
            try:
                self.world.take(item)
            except RpcError as error:
                refusal = error
        if self._by(self.lies.silent_sends):
            raise Transient("no answer")
        if self._by(self.lies.false_refusals):
            raise _refused(self.world.chance.choice(REFUSALS))
        if refusal is not None:
            raise refusal
        return _hex(item.hash)

    def eth_estimateGas(self, _: Any) -> str:
        return hex(50_000)

    def eth_feeHistory(self, *_: Any) -> Any:
        if self._by(self.lies.no_advice):
            return self.world.chance.choice([None, {}, {"baseFeePerGas": ["-0x1"]}, []])
        return {"baseFeePerGas": [hex(self.world.base_fee)] * 6, "reward": [[hex(GWEI)]] * 5}

    def eth_maxPriorityFeePerGas(self) -> Any:
        return self.world.chance.choice([None, hex(GWEI), hex(10**25), "0x"])

    def eth_gasPrice(self) -> Any:
        return None


class Balancer(ChainReader):
    """What `Rpc` is to a sender."""

    chain_id = 31337

    def __init__(self, *endpoints: Endpoint) -> None:
        self._endpoints = endpoints

    def readers(self) -> list[ChainReader]:
        return list(self._endpoints)

    async def ask(self, method: str, params: Sequence[Any], parse: Callable[[Any], T]) -> T:
        failure: Transient | None = None
        for endpoint in self._endpoints:
            try:
                return await endpoint.ask(method, params, parse)
            except Transient as error:
                failure = error
        assert failure is not None
        raise failure


def _refused(message: str) -> RpcError:
    return RpcError("", -32000, message, None)


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
