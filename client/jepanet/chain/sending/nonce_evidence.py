"""What became of a nonce, on positive evidence only.

That an account's nonce is used and that no endpoint knows the transaction's hash proves nothing: several
machines may answer at one address, and any of them may lag. What proves something is the transaction that did
use the nonce. It is found by bisecting the account's nonce over the blocks, and read from its block.

    nobody shows it ─▶ unresolved      it is a form of the intent ─▶ mined      foreign and deep ─▶ lost
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from jepanet.chain.endpoints.answers import Receipt, member, octets, parse_address, quantity
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.endpoints.requests import ChainReader
from jepanet.errors import Transient
from jepanet.types import Address

T = TypeVar("T")

_PATIENCE = 2.0
"""Seconds that endpoints get to answer once one of them has."""


@dataclass(frozen=True, slots=True)
class Use:
    """The transaction that used a nonce, and the block it is shown in. `to` is empty for a creation."""

    tx_hash: bytes
    block_number: int
    block_hash: bytes
    to: str
    data: bytes
    value: int


async def everyone(
    readers: Sequence[ChainReader], question: Callable[[ChainReader], Awaitable[T]]
) -> list[T]:
    """What every endpoint answers, in their order; those that fail or are slower than the rest are left out.

    Raises:
        Transient: none of them answers.
    """
    tasks = [asyncio.ensure_future(question(reader)) for reader in readers]
    try:
        waiting: set[asyncio.Future[T]] = set(tasks)
        while waiting and not any(task.done() and not task.exception() for task in tasks):
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if waiting:
            await asyncio.wait(waiting, timeout=_PATIENCE)
        done = [task for task in tasks if task.done()]
        failures = [error for task in done if (error := task.exception()) is not None]
        for error in failures:
            if not isinstance(error, Transient):
                raise error
        if len(failures) == len(tasks):
            raise failures[-1]
        return [task.result() for task in done if task.exception() is None]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Evidence:
    """What the endpoints together know of transactions.

    Args:
        burial: blocks a block must be deep before what it holds is taken for final (1: it is the newest).
    """

    def __init__(self, rpc: Rpc, burial: int) -> None:
        self._rpc = rpc
        self.burial = burial

    async def receipt(self, hashes: Sequence[bytes]) -> Receipt | None:
        """The receipt of any of the transactions, from whoever has one.

        Raises: Transient when no endpoint answers.
        """

        async def look(reader: ChainReader) -> Receipt | None:
            for tx_hash in reversed(hashes):
                receipt = await reader.receipt(tx_hash)
                if receipt is not None:
                    return receipt
            return None

        found = await everyone(self._rpc.readers(), look)
        return next((receipt for receipt in found if receipt is not None), None)

    async def count(self, account: Address, block: str) -> int:
        """The account's next nonce at the tag `block`: the highest that an endpoint says, since only lagging
        ones say less. Raises: Transient."""
        readers = self._rpc.readers()
        return max(await everyone(readers, lambda reader: reader.transaction_count(account, block)))

    async def use(self, account: Address, nonce: int) -> Use | None:
        """The transaction that used the nonce, from the first endpoint that can show it; None: nobody can."""
        for reader in self._rpc.readers():
            try:
                found = await find_use(reader, account, nonce)
            except Transient:  # it lags, or has forgotten the state of old blocks
                continue
            if found is not None:
                return found
        return None

    async def buried(self, number: int, block_hash: bytes, depth: int) -> bool:
        """Whether a block is `depth` deep, and no endpoint shows another one at its height.

        Raises: Transient when no endpoint answers.
        """

        async def look(reader: ChainReader) -> tuple[bool, bool]:
            head = await reader.head()
            header = await reader.header(number)
            if header is None:
                return True, False
            return header.ref.hash == block_hash, head.ref.number - number + 1 >= depth

        found = await everyone(self._rpc.readers(), look)
        return all(same for same, _ in found) and any(deep for _, deep in found)


async def find_use(reader: ChainReader, account: Address, nonce: int) -> Use | None:
    """The transaction of `account` with `nonce`, as one endpoint shows it; None if it shows none.

    Raises:
        Transient: the endpoint does not answer, or has no state of the blocks in question.
    """
    head = (await reader.head()).ref.number
    if await reader.transaction_count(account, head) <= nonce:
        return None
    used, free, step = head, -1, 1
    # Backwards in growing steps, as it was probably used just now; an endpoint that keeps the state of recent
    # blocks only may refuse the longer ones.
    while used > 0 and free < 0:
        probe = max(0, used - step)
        try:
            unused = await reader.transaction_count(account, probe) <= nonce
        except Transient:
            if step == 1:
                raise
            step //= 2
            continue
        if unused:
            free = probe
        else:
            used, step = probe, min(2 * step, max(1, probe))
    while used - free > 1:
        middle = (used + free) // 2
        if await reader.transaction_count(account, middle) > nonce:
            used = middle
        else:
            free = middle
    return await reader.ask(
        "eth_getBlockByNumber",
        [hex(used), True],
        lambda block: None if block is None else _used_in(block, used, account, nonce),
    )


def _used_in(block: object, number: int, account: Address, nonce: int) -> Use | None:
    transactions = member(block, "transactions")
    if not isinstance(transactions, list) or quantity(member(block, "number")) != number:
        return None
    for item in transactions:
        if not isinstance(item, Mapping) or parse_address(member(item, "from")) != account:
            continue
        if quantity(member(item, "nonce")) == nonce:
            to = item.get("to")
            return Use(
                tx_hash=octets(member(item, "hash"), 32),
                block_number=number,
                block_hash=octets(member(block, "hash"), 32),
                to="" if to is None else parse_address(to),
                data=octets(member(item, "input")),
                value=quantity(member(item, "value")),
            )
    return None
