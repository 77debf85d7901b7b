"""Faults of fees and of sending, and of time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar

import rlp
from eth_hash.auto import keccak

from chain_proxy.modes import SENDS, Answer, Body, Call, Chain, HungUp, Mode, Reply, error, page, result, said


@dataclass(frozen=True)
class Freezes(Mode):
    """Connections are accepted and nothing is ever said."""

    async def before(self, call: Call, chain: Chain) -> None:
        await chain.hold()


@dataclass(frozen=True)
class HangsUp(Mode):
    """Connections end without a word."""

    async def before(self, call: Call, chain: Chain) -> None:
        raise HungUp


@dataclass(frozen=True)
class Slow(Mode):
    """Every answer comes `seconds` later."""

    seconds: float
    always: ClassVar[bool] = True

    async def before(self, call: Call, chain: Chain) -> None:
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True)
class SmallTipsRefused(Mode):
    """Transactions that tip less than `gwei` are refused in `words`; `quoted`: the advice on fees says so."""

    gwei: int = 25
    words: str = "max priority fee per gas too low: minimum {gwei} gwei"
    quoted: bool = False

    async def before(self, call: Call, chain: Chain) -> Answer | None:
        if call.method not in SENDS or tip_of(call.params[0]) >= self.gwei * 10**9:
            return None
        return error(call, -32000, self.words.format(gwei=self.gwei))

    async def after(self, call: Call, answer: Answer, chain: Chain) -> Answer:
        found, tip = answer.get("result"), hex(self.gwei * 10**9)
        if self.quoted and call.method == "eth_maxPriorityFeePerGas":
            return result(call, tip)
        if self.quoted and call.method == "eth_feeHistory" and isinstance(found, dict):
            return result(
                call, {**found, "reward": [[tip for _ in row] for row in found.get("reward") or []]}
            )
        return answer


@dataclass(frozen=True)
class FeeAdvice(Mode):
    """`eth_feeHistory` is `advice`: null, negative, missing, empty, no-reward, null-rewards, huge.

    With missing, `eth_maxPriorityFeePerGas` is unknown too.
    """

    advice: str
    kinds_of: ClassVar[tuple[str, ...]] = (
        "null", "negative", "missing", "empty", "no-reward", "null-rewards", "huge",
    )  # fmt: skip

    async def before(self, call: Call, chain: Chain) -> Answer | None:
        if self.advice == "missing" and call.method in ("eth_feeHistory", "eth_maxPriorityFeePerGas"):
            return error(call, -32601, f"the method {call.method} does not exist/is not available")
        return None

    async def after(self, call: Call, answer: Answer, chain: Chain) -> Answer:
        history = answer.get("result")
        if call.method != "eth_feeHistory" or not isinstance(history, dict):
            return answer
        changes: dict[str, dict[str, Any] | None] = {
            "null": None,
            "empty": {"baseFeePerGas": [], "reward": []},
            "negative": {"baseFeePerGas": ["-0x1"], "reward": [["-0x1"]]},
            "no-reward": {"reward": None},
            "null-rewards": {"reward": [[None], None]},
            "huge": {"reward": [[hex(2**255)] for _ in range(5)]},
        }
        change = changes[self.advice]
        return result(call, None if change is None else {**history, **change})


@dataclass(frozen=True)
class Sends(Mode):
    """`eth_sendRawTransaction` is forwarded or dropped, and answered in one of `ways` whatever became of it.

    forward=True with any error: it is mined, and the client heard a failure. forward=False with "hash": it is
    accepted and lost.
    """

    forward: bool
    how: str
    ways: ClassVar[dict[str, Body | None]] = {
        "hash": None,
        "silence": None,
        "502": page(502, "Bad Gateway"),
        "internal": said(-32603, "internal error"),
        "rate-limit": said(-32005, "project ID request rate exceeded"),
        "already-known": said(-32000, "already known"),
        "nonce-too-low": said(-32000, "nonce too low: next nonce 7, tx nonce 5"),
        "held": said(-32000, "replacement transaction underpriced"),
        "underpriced": said(-32000, "transaction underpriced"),
        "pool-full": said(-32000, "txpool is full"),
    }

    async def before(self, call: Call, chain: Chain) -> Reply | Answer | None:
        if call.method not in SENDS:
            return None
        if self.forward:
            await chain.ask(call.method, *call.params)
        if self.how == "silence":
            await chain.hold()
        body = self.ways[self.how]
        return body(call) if body else result(call, hash_of(call.params[0]))


def tip_of(raw: str) -> int:
    """Wei per gas that a signed transaction offers beyond the base fee; the gas price of an old one."""
    data = bytes.fromhex(raw[2:])
    fields = rlp.decode(data[1:] if data[0] < 0x80 else data)
    return int.from_bytes(fields[2] if data[0] == 2 else fields[1], "big")


def hash_of(raw: str) -> str:
    """A signed transaction's hash."""
    return "0x" + keccak(bytes.fromhex(raw[2:])).hex()
