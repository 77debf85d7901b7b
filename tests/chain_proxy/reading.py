"""Faults of logs, heads, receipts and state: caps, lags, and backends that are behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from chain_proxy.modes import (
    BLOCKS,
    LOGS,
    RECEIPTS,
    SENDS,
    STATE,
    TAGS,
    Answer,
    Body,
    Call,
    Chain,
    Mode,
    Reply,
    error,
    number,
    page,
    result,
    said,
)

_HASH = len("0x") + 64


@dataclass(frozen=True)
class CapsLogs(Mode):
    """`eth_getLogs` over more than `blocks` blocks fails, in one of `ways`."""

    blocks: int
    how: str
    ways: ClassVar[dict[str, Body | None]] = {
        "results": said(-32005, "query returned more than 10000 results"),
        "size": said(-32602, "Log response size exceeded. Use a 2 block range"),
        "range": said(-32614, "eth_getLogs is limited to a small range"),
        "wide": said(-32000, "block range is too wide"),
        "limit": said(-32005, "limit exceeded"),
        "invalid": said(-32600, "exceed maximum block range: 1"),
        "timeout-said": said(-32000, "query timeout exceeded"),
        "internal": said(-32603, "internal error"),
        "413": page(413, "Content Too Large"),
        "400": said(-32701, "Please specify an address in your request or narrow the range", 400),
        "502": page(502, "Bad Gateway"),
        "504": page(504, "Gateway Time-out"),
        "cut": None,
        "silence": None,
    }  # fmt: skip

    async def before(self, call: Call, chain: Chain) -> Reply | None:
        if call.method not in LOGS or await _span(call, chain) <= self.blocks:
            return None
        if self.how == "silence":
            await chain.hold()
        body = self.ways[self.how]
        return body(call) if body else Reply(b'{"jsonrpc":"2.0","id":1,"result":[{"address":"0x', missing=500)


@dataclass(frozen=True)
class LogsLag(Mode):
    """`eth_getLogs` answers an empty list for the newest `blocks` blocks, and no error."""

    blocks: int

    async def before(self, call: Call, chain: Chain) -> Answer | None:
        return await clip_logs(call, chain, await chain.head() - self.blocks) if call.method in LOGS else None


@dataclass(frozen=True)
class LogsEmpty(Mode):
    """`eth_getLogs` answers an empty list, always."""

    async def before(self, call: Call, chain: Chain) -> Answer | None:
        return result(call, []) if call.method in LOGS else None


@dataclass(frozen=True)
class Blooms(Mode):
    """Headers carry one of these useless logsBlooms."""

    bits: str
    bloom: ClassVar[dict[str, str | None]] = {
        "zeros": "0x" + "00" * 256,
        "ones": "0x" + "ff" * 256,
        "short": "0x00",
        "none": None,
    }

    async def after(self, call: Call, answer: Answer, chain: Chain) -> Answer:
        block = answer.get("result")
        if call.method not in BLOCKS or not isinstance(block, dict):
            return answer
        return result(call, {**block, "logsBloom": self.bloom[self.bits]})


@dataclass(frozen=True)
class NoTransactions(Mode):
    """Headers name none of their transactions."""

    async def after(self, call: Call, answer: Answer, chain: Chain) -> Answer:
        block = answer.get("result")
        if call.method not in BLOCKS or not isinstance(block, dict) or not block["transactions"]:
            return answer
        return result(call, {**block, "transactions": []})


@dataclass(frozen=True)
class Unknown(Mode):
    """The endpoint does not know a method."""

    method: str

    async def before(self, call: Call, chain: Chain) -> Answer | None:
        if call.method != self.method:
            return None
        return error(call, -32601, f"the method {call.method} does not exist/is not available")


async def _span(call: Call, chain: Chain) -> int:
    query = call.params[0]
    if "blockHash" in query:
        return 1
    head = await chain.head()
    first, last = (number(query.get(end, "latest"), head) for end in ("fromBlock", "toBlock"))
    return last - first + 1


async def clip_logs(call: Call, chain: Chain, newest: int) -> Answer | None:
    query = call.params[0]
    if "blockHash" in query:
        block = await chain.ask("eth_getBlockByHash", query["blockHash"], False)
        return result(call, []) if block is None or int(block["number"], 16) > newest else None
    head = await chain.head()
    first, last = (number(query.get(end, "latest"), head) for end in ("fromBlock", "toBlock"))
    if first > newest:
        return result(call, [])
    call.params = [{**query, "fromBlock": hex(first), "toBlock": hex(min(last, newest))}]
    return None


async def _hide_receipt(call: Call, answer: Answer, newest: int) -> Answer:
    found = answer.get("result")
    if call.method not in RECEIPTS or not isinstance(found, dict) or not found.get("blockNumber"):
        return answer
    return answer if int(found["blockNumber"], 16) <= newest else result(call, None)


@dataclass(frozen=True)
class ReceiptsLag(Mode):
    """What was mined in the newest `blocks` blocks is unknown: no receipts, no transactions.

    `how` a block's receipts look then: "null", an "empty" list, or "bare" of their logs.
    """

    blocks: int
    how: str = "null"
    ways: ClassVar[tuple[str, ...]] = ("null", "empty", "bare")

    async def after(self, call: Call, answer: Answer, chain: Chain) -> Answer:
        newest = await chain.head() - self.blocks
        found = answer.get("result")
        if call.method != "eth_getBlockReceipts":
            return await _hide_receipt(call, answer, newest)
        if not isinstance(found, list) or not found or int(found[0]["blockNumber"], 16) <= newest:
            return answer
        if self.how == "bare":
            return result(call, [{**receipt, "logs": []} for receipt in found])
        return result(call, None if self.how == "null" else [])


@dataclass(frozen=True)
class CountLags(Mode):
    """`eth_getTransactionCount` of latest and pending is that of `blocks` blocks ago."""

    blocks: int

    async def before(self, call: Call, chain: Chain) -> None:
        if call.method == "eth_getTransactionCount" and call.params[1] in TAGS:
            call.params = [call.params[0], hex(max(0, await chain.head() - self.blocks))]


async def _newest_is(call: Call, newest: int, chain: Chain) -> None:
    """Has a tag name no block above `newest`."""
    if call.method != "eth_getBlockByNumber" or call.params[0] not in TAGS:
        return
    block = await chain.ask(call.method, call.params[0], False)
    if block is not None:
        call.params = [hex(min(newest, int(block["number"], 16))), *call.params[1:]]


@dataclass(frozen=True)
class HeadLags(Mode):
    """The newest block is named `blocks` too low; everything else is current."""

    blocks: int

    async def before(self, call: Call, chain: Chain) -> Answer | None:
        newest = max(0, await chain.head() - self.blocks)
        await _newest_is(call, newest, chain)
        return result(call, hex(newest)) if call.method == "eth_blockNumber" else None


@dataclass(frozen=True)
class HeadAlone(Mode):
    """The newest block is told, and no block by its number or hash is known."""

    async def before(self, call: Call, chain: Chain) -> Answer | None:
        by_tag = call.params and call.params[0] in ("latest", "pending", "finalized", "safe")
        return result(call, None) if call.method in BLOCKS and not by_tag else None


@dataclass(frozen=True)
class Behind(Mode):
    """A whole backend that is `blocks` behind, or (`blocks` None) stands still from its first call on."""

    blocks: int | None = None

    async def _newest(self, chain: Chain) -> int:
        if self.blocks is None:
            return int(chain.memory.setdefault("stands at", await chain.head()))
        return max(0, await chain.head() - self.blocks)

    async def before(self, call: Call, chain: Chain) -> Answer | None:
        newest = await self._newest(chain)
        await _newest_is(call, newest, chain)
        if call.method == "eth_blockNumber":
            return result(call, hex(newest))
        if call.method in LOGS:
            return await clip_logs(call, chain, newest)
        if call.method in ("eth_getBlockByNumber", "eth_getBlockReceipts") and call.params[0] not in TAGS:
            return result(call, None) if await _block_of(call.params[0], chain, newest) > newest else None
        at = STATE.get(call.method)
        if at is None:
            return None
        named = call.params[at] if len(call.params) > at else "latest"
        if await _block_of(named, chain, newest) > newest:
            return error(call, -32000, "header not found")
        if named in TAGS:
            call.params = [*call.params[:at], hex(newest), *call.params[at + 1 :]]
        return None

    async def after(self, call: Call, answer: Answer, chain: Chain) -> Answer:
        newest = await self._newest(chain)
        block = answer.get("result")
        if (
            call.method == "eth_getBlockByHash"
            and isinstance(block, dict)
            and int(block["number"], 16) > newest
        ):
            return result(call, None)
        return await _hide_receipt(call, answer, newest)


async def _block_of(named: Any, chain: Chain, newest: int) -> int:
    if isinstance(named, dict):
        named = named.get("blockHash") or named["blockNumber"]
    if len(named) < _HASH:
        return number(named, newest)
    block = await chain.ask("eth_getBlockByHash", named, False)
    return newest + 1 if block is None else int(block["number"], 16)


@dataclass(frozen=True)
class OtherChain(Mode):
    """The endpoint serves another chain: its id, other hashes, none of our logs, accounts and receipts."""

    chain_id: int = 999

    async def before(self, call: Call, chain: Chain) -> Answer | None:
        fixed: dict[str, Any] = {
            "eth_chainId": hex(self.chain_id),
            "net_version": str(self.chain_id),
            "eth_getLogs": [],
            "eth_getTransactionCount": "0x0",
            "eth_getBalance": "0x0",
            "eth_getCode": "0x",
            "eth_call": "0x",
            **dict.fromkeys(RECEIPTS),
            "eth_getBlockByHash": None,
            "eth_getBlockReceipts": None,
        }
        if call.method in SENDS:
            return error(call, -32000, f"invalid chain id for signer: have 31337 want {self.chain_id}")
        return result(call, fixed[call.method]) if call.method in fixed else None

    async def after(self, call: Call, answer: Answer, chain: Chain) -> Answer:
        block = answer.get("result")
        if call.method != "eth_getBlockByNumber" or not isinstance(block, dict):
            return answer
        other = {name: "0x" + block[name][:1:-1] for name in ("hash", "parentHash")}
        return result(call, {**block, **other, "logsBloom": "0x" + "00" * 256})
