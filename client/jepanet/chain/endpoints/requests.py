"""Typed JSON-RPC requests, whoever carries them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from jepanet.chain.endpoints.answers import (
    Header,
    Malformed,
    PlacedLog,
    Receipt,
    octets,
    parse_log,
    parse_receipt,
    quantity,
)
from jepanet.chain.endpoints.asked_headers import asked_header
from jepanet.errors import Transient
from jepanet.types import Address

T = TypeVar("T")

BlockId = int | bytes | str
"""A number, a 32-byte hash, or one of the tags latest, pending, finalized, safe, earliest."""


_AT_ONCE = 16


class Moved(Transient):
    """The chain changed (or the node contradicted itself) between two requests; look again."""


class RpcError(Transient):
    """A node understood a request and refused it. `rpc_code` and `data` are the JSON-RPC error's."""

    def __init__(self, method: str, rpc_code: int, message: str, data: bytes | None) -> None:
        super().__init__(f"{method}: {message} (JSON-RPC error {rpc_code})")
        self.method = method
        self.rpc_code = rpc_code
        self.reason = message
        self.data = data


class AnswerTooLarge(Transient):
    """An answer passed the size cap; the caller asks for less."""


def block_parameter(block: BlockId) -> str:
    """How JSON-RPC spells a block: 0x-quantity, 0x-hash or tag."""
    if isinstance(block, bytes):
        return "0x" + block.hex()
    return hex(block) if isinstance(block, int) else block


def state_parameter(block: BlockId) -> str | dict[str, str]:
    """How requests for state spell a block; a hash is an object (EIP-1898)."""
    return {"blockHash": "0x" + block.hex()} if isinstance(block, bytes) else block_parameter(block)


class ChainReader(ABC):
    """Typed requests on top of one untyped `ask`. Every method may raise Transient, also its kinds RpcError
    and Malformed."""

    @abstractmethod
    async def ask(self, method: str, params: Sequence[object], parse: Callable[[object], T]) -> T:
        """`parse` of the answer's `result`. An answer that `parse` refuses counts as none (Malformed)."""

    async def request(self, method: str, params: Sequence[object]) -> object:
        """The `result` member of the answer, whatever it is."""
        return await self.ask(method, params, lambda raw: raw)

    async def header(self, block: BlockId) -> Header | None:
        """The header of a block by number, hash or tag. None: this node does not have it, which is no
        evidence that nobody has."""
        method = "eth_getBlockByHash" if isinstance(block, bytes) else "eth_getBlockByNumber"
        return await self.ask(
            method,
            [block_parameter(block), False],
            lambda raw: None if raw is None else self.taken(asked_header(block, raw)),
        )

    async def head(self) -> Header:
        """The newest block."""
        return await self.ask("eth_getBlockByNumber", ["latest", False], lambda raw: self.taken(_newest(raw)))

    def taken(self, header: Header) -> Header:
        """The header, held against what is known of others. Raises: Malformed."""
        return header

    async def logs(self, addresses: Sequence[Address], first: int, last: int) -> list[PlacedLog]:
        """Logs of `addresses` in blocks first..last (both included), in the node's order.

        By number, never by hash: anvil sometimes answers `unknown block` to a hash query for a canonical
        block after a reorganisation. The caller compares each log's block hash with headers it has read.
        """
        query = {"address": list(addresses), "fromBlock": hex(first), "toBlock": hex(last)}
        return await self.ask("eth_getLogs", [query], _logs)

    async def block_receipts(self, header: Header) -> list[Receipt]:
        """The receipts of all transactions of a block, in order.

        By `eth_getBlockReceipts` where the node has it, otherwise one by one.

        Raises:
            Moved: a receipt is missing or of another block; the node may lag behind its own header.
        """
        wanted = header.ref.hash
        try:
            receipts = await self.ask("eth_getBlockReceipts", [block_parameter(wanted)], _receipts)
        except (RpcError, Malformed, AnswerTooLarge):
            receipts = None
        if receipts is None:
            slots = asyncio.Semaphore(_AT_ONCE)

            async def one(tx_hash: bytes) -> Receipt | None:
                async with slots:
                    return await self.receipt(tx_hash)

            found = await asyncio.gather(*(one(tx_hash) for tx_hash in header.transactions))
            receipts = [receipt for receipt in found if receipt is not None]
        if [receipt.tx_hash for receipt in receipts] != list(header.transactions):
            raise Moved(f"the receipts of block {header.ref.number} are incomplete")
        if any(receipt.block_hash != wanted for receipt in receipts):
            raise Moved(f"a receipt of block {header.ref.number} is of another fork")
        return receipts

    async def call(self, transaction: Mapping[str, object], block: BlockId) -> bytes:
        """Executes a call on the state of `block`. Raises: RpcError with `data` when it reverts."""
        return await self.ask("eth_call", [transaction, state_parameter(block)], octets)

    async def estimate_gas(self, transaction: Mapping[str, object]) -> int:
        """Gas the transaction would use on the newest state. Raises: RpcError with `data` when it reverts."""
        return await self.ask("eth_estimateGas", [transaction], quantity)

    async def transaction_count(self, address: Address, block: BlockId) -> int:
        """The nonce of the account's next transaction as of `block` (`pending` counts the node's mempool)."""
        return await self.ask("eth_getTransactionCount", [address, state_parameter(block)], quantity)

    async def balance(self, address: Address, block: BlockId) -> int:
        """Wei of the chain's own currency."""
        return await self.ask("eth_getBalance", [address, state_parameter(block)], quantity)

    async def code(self, address: Address, block: BlockId) -> bytes:
        """Contract code at an address; empty for plain accounts."""
        return await self.ask("eth_getCode", [address, state_parameter(block)], octets)

    async def send_raw(self, raw: bytes) -> bytes:
        """Broadcasts a signed transaction; its 32-byte hash. Raises: RpcError when the node refuses it."""
        return await self.ask("eth_sendRawTransaction", ["0x" + raw.hex()], lambda value: octets(value, 32))

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        """The receipt of a mined transaction, None while it is pending or this node does not know it."""

        def parse(raw: object) -> Receipt | None:
            receipt = None if raw is None else parse_receipt(raw)
            if receipt is not None and receipt.tx_hash != tx_hash:
                raise Malformed("the node answered the receipt of another transaction")
            return receipt

        return await self.ask("eth_getTransactionReceipt", ["0x" + tx_hash.hex()], parse)


def _newest(raw: object) -> Header:
    if raw is None:
        raise Malformed("the node has no latest block yet")
    return asked_header("latest", raw)


def _logs(raw: object) -> list[PlacedLog]:
    if not isinstance(raw, list):
        raise Malformed("eth_getLogs did not answer a list")
    if any(isinstance(item, Mapping) and item.get("removed") is True for item in raw):
        raise Malformed("eth_getLogs answered removed logs")
    return [parse_log(item) for item in raw]


def _receipts(raw: object) -> list[Receipt] | None:
    if raw is None:
        return None
    if not isinstance(raw, list):
        raise Malformed("eth_getBlockReceipts did not answer a list")
    return [parse_receipt(item) for item in raw]
