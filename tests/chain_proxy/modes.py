"""What a fault is: it sees calls before they are forwarded, the answers, and the bytes that would be sent.

Modes are values: they compare, print and travel as JSON, so that what was played can be written down and
played again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from random import Random
from typing import Any, ClassVar, Protocol

Answer = dict[str, Any]
TAGS = frozenset({"latest", "pending", "safe", "finalized"})
BLOCKS = frozenset({"eth_getBlockByNumber", "eth_getBlockByHash"})
LOGS = frozenset({"eth_getLogs"})
SENDS = frozenset({"eth_sendRawTransaction"})
RECEIPTS = frozenset({"eth_getTransactionReceipt", "eth_getTransactionByHash"})
STATE = {
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_getTransactionCount": 1,
    "eth_getBalance": 1,
    "eth_getCode": 1,
}
"""Requests for state, and which parameter names the block."""


@dataclass
class Call:
    """One request. `draw` is random, but the same for the same seed, method and ordinal number."""

    method: str
    params: list[Any]
    id: Any
    draw: Random


@dataclass(frozen=True)
class Reply:
    """What goes over the wire. `missing` bytes are declared and never sent: the connection is cut."""

    body: bytes
    status: int = 200
    kind: str = "application/json"
    missing: int = 0


class HungUp(Exception):
    """The connection ends here."""


class Chain(Protocol):
    """What a mode may ask of the proxy it works in."""

    memory: dict[str, Any]
    """Emptied whenever the proxy's modes are switched."""

    async def ask(self, method: str, *params: Any) -> Any:
        """The backend's true result."""

    async def head(self) -> int:
        """The backend's true newest block."""

    async def hold(self) -> None:
        """Keeps the connection open without a word; ends it when the modes are switched."""


@dataclass(frozen=True, kw_only=True)
class Mode:
    """A fault. `share`: the part of the calls it meets. `methods`: if given, it meets no others."""

    share: float = 1.0
    methods: tuple[str, ...] = ()
    kinds: ClassVar[dict[str, type[Mode]]] = {}
    always: ClassVar[bool] = False
    """Whether every call is met, also one that is forwarded and answered as it is."""

    def __init_subclass__(cls) -> None:
        Mode.kinds[cls.__name__] = cls

    async def before(self, call: Call, chain: Chain) -> Reply | Answer | None:
        return None

    async def after(self, call: Call, answer: Answer, chain: Chain) -> Answer:
        return answer

    async def shape(self, call: Call, reply: Reply, chain: Chain) -> Reply:
        return reply

    def meets(self, call: Call) -> bool:
        return (not self.methods or call.method in self.methods) and call.draw.random() < self.share

    def to_json(self) -> dict[str, Any]:
        return {"mode": type(self).__name__, **asdict(self)}

    @staticmethod
    def from_json(tree: Mapping[str, Any]) -> Mode:
        options = {name: value for name, value in tree.items() if name != "mode"}
        options["methods"] = tuple(options.get("methods", ()))
        return Mode.kinds[str(tree["mode"])](**options)


def result(call: Call, value: Any) -> Answer:
    return {"jsonrpc": "2.0", "id": call.id, "result": value}


def error(call: Call, code: int, message: str) -> Answer:
    return {"jsonrpc": "2.0", "id": call.id, "error": {"code": code, "message": message}}


def encoded(answer: Any, status: int = 200) -> Reply:
    return Reply(json.dumps(answer).encode(), status)


# ------------------------------------------------------------------ bodies

Body = Callable[[Call], Reply]


def said(code: int, message: str, status: int = 200) -> Body:
    """A JSON-RPC error."""
    return lambda call: encoded(error(call, code, message), status)


def page(status: int, text: str) -> Body:
    """What a gateway says: HTML."""
    return lambda call: Reply(f"<html><body><h1>{text}</h1></body></html>".encode(), status, "text/html")


def tree(**members: Any) -> Body:
    """A JSON object with the call's id and these members."""
    return lambda call: encoded({"jsonrpc": "2.0", "id": call.id, **members})


def number(block: Any, head: int) -> int:
    """The block that a parameter names, tags taken for the newest."""
    if block in TAGS:
        return head
    return 0 if block == "earliest" else int(block, 16)
