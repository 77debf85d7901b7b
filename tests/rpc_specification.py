"""All of section 7 of https://www.jsonrpc.org/specification, and the methods that its examples call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jepanet.rpc.method import Method, NoParams


@dataclass(frozen=True, slots=True)
class Subtract:
    minuend: int
    subtrahend: int


@dataclass(frozen=True, slots=True)
class Three:
    a: int = 0
    b: int = 0
    c: int = 0


class OfExamples:
    """`called`: which of them were carried out."""

    def __init__(self) -> None:
        self.called: list[str] = []

    async def subtract(self, given: Subtract) -> int:
        self.called.append("subtract")
        return given.minuend - given.subtrahend

    async def sum(self, given: Three) -> int:
        return given.a + given.b + given.c

    async def nothing(self, given: Any) -> None:
        self.called.append("notified")

    async def get_data(self, _: NoParams) -> tuple[str | int, ...]:
        return ("hello", 5)

    @property
    def methods(self) -> tuple[Method, ...]:
        lines = [
            ("subtract", Subtract, self.subtract),
            ("sum", Three, self.sum),
            ("update", Three, self.nothing),
            ("notify_hello", Three, self.nothing),
            ("notify_sum", Three, self.nothing),
            ("get_data", NoParams, self.get_data),
        ]
        return tuple(Method(name, "", params, object, answer) for name, params, answer in lines)


def error(code: int, message: str, call_id: Any = None) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": call_id}


def bare(answer: Any) -> Any:
    """Without what the specification leaves to servers."""
    if isinstance(answer, list):
        return [bare(item) for item in answer]
    if isinstance(answer, dict) and "error" in answer:
        return answer | {"error": {name: answer["error"][name] for name in ("code", "message")}}
    return answer


INVALID = error(-32600, "Invalid Request")
EXAMPLES = {
    "positional": (
        '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
        {"jsonrpc": "2.0", "result": 19, "id": 1},
    ),
    "positional, turned": (
        '{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
        {"jsonrpc": "2.0", "result": -19, "id": 2},
    ),
    "named": (
        '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
        {"jsonrpc": "2.0", "result": 19, "id": 3},
    ),
    "notification": ('{"jsonrpc": "2.0", "method": "update", "params": [1,2,3]}', None),
    "notification of nothing": ('{"jsonrpc": "2.0", "method": "foobar"}', None),
    "no such method": (
        '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}',
        error(-32601, "Method not found", "1"),
    ),
    "no JSON": (
        '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
        error(-32700, "Parse error"),
    ),
    "no request": ('{"jsonrpc": "2.0", "method": 1, "params": "bar"}', INVALID),
    "batch, no JSON": (
        '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},{"jsonrpc": "2.0", "method"]',
        error(-32700, "Parse error"),
    ),
    "empty batch": ("[]", INVALID),
    "batch of no request": ("[1]", [INVALID]),
    "batch of no requests": ("[1,2,3]", [INVALID] * 3),
    "batch": (
        """[
        {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
        {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "get_data", "id": "9"}
        ]""",
        [
            {"jsonrpc": "2.0", "result": 7, "id": "1"},
            {"jsonrpc": "2.0", "result": 19, "id": "2"},
            INVALID,
            error(-32601, "Method not found", "5"),
            {"jsonrpc": "2.0", "result": ["hello", 5], "id": "9"},
        ],
    ),
    "batch of notifications": (
        '[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},'
        '{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]',
        None,
    ),
}
"""By what is shown: what is sent, and what is answered; None for nothing."""
