"""Typed JSON-RPC requests, whoever carries them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from jepanet.chain.wire import (
    Header,
    Malformed,
    PlacedLog,
    Receipt,
    member,
    octets,
    parse_header,
    parse_log,
    parse_receipt,
    quantity,
)
from jepanet.errors import Transient
from jepanet.types import Address

BlockId = int | bytes | str
"""A number, a 32-byte hash, or one of the tags latest, pending, finalized, safe, earliest."""


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
    """Typed requests on top of one untyped `request`. Every method may raise Transient, also its kinds
    RpcError and Malformed."""

    @abstractmethod
    async def request(self, method: str, params: Sequence[Any]) -> Any:
        """The `result` member of the answer."""

    async def header(self, block: BlockId) -> Header | None:
        """The header of a block by number, hash or tag, or None when the node does not have it."""
        method = "eth_getBlockByHash" if isinstance(block, bytes) else "eth_getBlockByNumber"
        raw = await self.request(method, [block_parameter(block), False])
        return None if raw is None else parse_header(raw)

    async def head(self) -> Header:
        """The newest block. Raises: Transient when the node has none (it is starting)."""
        header = await self.header("latest")
        if header is None:
            raise Transient("the node has no latest block yet")
        return header

    async def logs(self, addresses: Sequence[Address], first: int, last: int) -> list[PlacedLog]:
        """Logs of `addresses` in blocks first..last (both included), in the node's order.

        By number, never by hash: anvil sometimes answers `unknown block` to a hash query for a canonical
        block after a reorganisation. The caller compares each log's block hash with headers it has read.
        """
        query = {"address": list(addresses), "fromBlock": hex(first), "toBlock": hex(last)}
        raw = await self.request("eth_getLogs", [query])
        if not isinstance(raw, list):
            raise Malformed("eth_getLogs did not answer a list")
        if any(isinstance(item, Mapping) and item.get("removed") is True for item in raw):
            raise Malformed("eth_getLogs answered removed logs")
        return [parse_log(item) for item in raw]

    async def call(self, transaction: Mapping[str, Any], block: BlockId) -> bytes:
        """Executes a call on the state of `block`. Raises: RpcError with `data` when it reverts."""
        return octets(await self.request("eth_call", [transaction, state_parameter(block)]))

    async def estimate_gas(self, transaction: Mapping[str, Any]) -> int:
        """Gas the transaction would use on the newest state. Raises: RpcError with `data` when it reverts."""
        return quantity(await self.request("eth_estimateGas", [transaction]))

    async def transaction_count(self, address: Address, block: BlockId) -> int:
        """The nonce of the account's next transaction as of `block` (`pending` counts the node's mempool)."""
        return quantity(await self.request("eth_getTransactionCount", [address, state_parameter(block)]))

    async def balance(self, address: Address, block: BlockId) -> int:
        """Wei of the chain's own currency."""
        return quantity(await self.request("eth_getBalance", [address, state_parameter(block)]))

    async def code(self, address: Address, block: BlockId) -> bytes:
        """Contract code at an address; empty for plain accounts."""
        return octets(await self.request("eth_getCode", [address, state_parameter(block)]))

    async def send_raw(self, raw: bytes) -> bytes:
        """Broadcasts a signed transaction; its 32-byte hash. Raises: RpcError when the node refuses it."""
        return octets(await self.request("eth_sendRawTransaction", ["0x" + raw.hex()]), 32)

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        """The receipt of a mined transaction, None while it is pending or unknown."""
        raw = await self.request("eth_getTransactionReceipt", ["0x" + tx_hash.hex()])
        return None if raw is None else parse_receipt(raw)

    async def knows(self, tx_hash: bytes) -> bool:
        """Whether the node holds the transaction, mined or pending."""
        return await self.request("eth_getTransactionByHash", ["0x" + tx_hash.hex()]) is not None

    async def fee_history(self, blocks: int, percentile: int) -> tuple[list[int], list[int]]:
        """Base fees (the last is the next block's) and tips at `percentile` of recent blocks, wei per gas."""
        raw = await self.request("eth_feeHistory", [hex(blocks), "latest", [percentile]])
        bases, rewards = member(raw, "baseFeePerGas"), raw.get("reward") or []
        if not isinstance(bases, list) or not bases or not isinstance(rewards, list):
            raise Malformed("eth_feeHistory answered no base fees")
        tips = [quantity(row[0]) for row in rewards if isinstance(row, list) and row]
        return [quantity(base) for base in bases], tips
