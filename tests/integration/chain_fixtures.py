"""What chain tests share: a running anvil, funded wallets, an intent store in memory, the Pinger contract."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from chain_pinger import PINGER_ABI, PINGER_BYTECODE
from eth_abi.abi import encode
from eth_hash.auto import keccak

from jepanet.chain.contracts.abi import UnsignedCall
from jepanet.chain.contracts.reverts import ErrorDecoder
from jepanet.chain.devchain.anvil import AnvilProcess, find_anvil, free_port, public_test_accounts
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.keys.wallet_files import Wallet
from jepanet.chain.sending.fees import GWEI, FeePolicy
from jepanet.chain.sending.sender import Sender
from jepanet.errors import Fatal
from jepanet.intents import Intent
from jepanet.types import Address, BlockRef

CHAIN_ID = 31337
FEES = FeePolicy(max_fee=1000 * GWEI, replace_after=30.0)


def require_anvil() -> None:
    """Skips where anvil is not installed, unless CI is set: there it must be."""
    import os

    try:
        find_anvil()
    except Fatal as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


class MemoryIntents:
    """An intent store that lives as long as the test and remembers every `put`."""

    def __init__(self) -> None:
        self.rows: dict[str, Intent] = {}
        self.history: list[Intent] = []

    def intents(self, sender: str) -> list[Intent]:
        return [intent for intent in self.rows.values() if intent.sender == sender]

    def put(self, intent: Intent) -> None:
        self.rows[intent.key] = intent
        self.history.append(intent)


@dataclass
class Chain:
    """A running anvil with its Rpc."""

    anvil: AnvilProcess
    rpc: Rpc
    wallets: tuple[Wallet, ...] = field(default=())

    async def mine(self, blocks: int = 1) -> None:
        await self.rpc.request("anvil_mine", [hex(blocks)])

    async def reorg(self, depth: int, transactions: Iterable[Any] = ()) -> None:
        await self.rpc.request("anvil_reorg", [depth, list(transactions)])

    async def automine(self, on: bool) -> None:
        await self.rpc.request("evm_setAutomine", [on])

    async def block(self, number: int | str = "latest") -> BlockRef:
        header = await self.rpc.header(number)
        assert header is not None
        return header.ref

    def sender(self, wallet: int = 0, store: MemoryIntents | None = None, **changes: Any) -> Sender:
        options: dict[str, Any] = {"fees": FEES, "confirmations": 1, "poll": 0.05, **changes}
        return Sender(
            self.rpc,
            self.wallets[wallet],
            store if store is not None else MemoryIntents(),
            options.pop("fees"),
            options.pop("confirmations"),
            ErrorDecoder([PINGER_ABI]),
            **options,
        )


@asynccontextmanager
async def running_chain(*arguments: str, state: Path | None = None, **options: Any) -> AsyncIterator[Chain]:
    """An anvil on a free port and wallets of its public test accounts."""
    require_anvil()
    anvil = AnvilProcess(
        port=options.pop("port", None) or free_port(),
        chain_id=CHAIN_ID,
        state=state,
        arguments=arguments,
        **options,
    )
    async with anvil:
        rpc = Rpc([anvil.url], CHAIN_ID, timeout=10, cooldown=0.1)
        wallets = tuple(Wallet.from_key(account.key) for account in public_test_accounts(5))
        try:
            yield Chain(anvil, rpc, wallets)
        finally:
            await rpc.close()


@dataclass(frozen=True)
class Pinger:
    """The test contract at an address."""

    address: Address
    born: BlockRef

    def ping(self, number: int, times: int = 1) -> UnsignedCall:
        return self._call("ping(uint256,uint256)", number, times)

    def raise_to(self, minimum: int) -> UnsignedCall:
        return self._call("raiseTo(uint256)", minimum)

    def text(self) -> UnsignedCall:
        return self._call("text()")

    def _call(self, signature: str, *arguments: int) -> UnsignedCall:
        data = keccak(signature.encode())[:4] + encode(["uint256"] * len(arguments), arguments)
        return UnsignedCall(
            to=self.address,
            data=data,
            contract="Pinger",
            function=signature.split("(")[0],
            arguments=arguments,
        )


async def deploy_pinger(chain: Chain) -> Pinger:
    """Deploys the Pinger from the last test account."""
    creation = UnsignedCall(to=None, data=PINGER_BYTECODE, contract="Pinger")
    receipt = await chain.sender(4).send("pinger", creation)
    assert receipt.contract is not None
    return Pinger(receipt.contract, await chain.block(receipt.block_number))


async def eventually(condition: Any, within: float = 20.0) -> None:
    """Waits for an awaitable condition, looking a few times a second."""
    async with asyncio.timeout(within):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
