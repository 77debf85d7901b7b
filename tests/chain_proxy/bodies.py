"""Answers that are none: rate limits, internal faults and malformed bodies.

Codes and words are those of geth, reth, erigon, besu and of commercial providers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

from chain_proxy.modes import BLOCKS, LOGS, STATE, Body, Call, Chain, Mode, Reply, encoded, page, said, tree

BODIES: dict[str, tuple[frozenset[str], Body]] = {
    name: (frozenset(methods), body)
    for name, methods, body in (
        ("http-429", (), said(-32005, "rate limit exceeded", 429)),
        ("http-429-text", (), lambda _: Reply(b"Too Many Requests", 429, "text/plain")),
        ("http-403", (), page(403, "Forbidden")),
        ("http-500", (), said(-32000, "upstream failure", 500)),
        ("http-502", (), page(502, "Bad Gateway")),
        ("http-503", (), page(503, "Service Unavailable")),
        ("http-504", (), page(504, "Gateway Time-out")),
        ("daily-limit", (), said(-32005, "daily request count exceeded, request rate limited")),
        ("project-rate", (), said(-32005, "project ID request rate exceeded")),
        ("too-many", (), said(-32000, "too many requests")),
        ("capacity", (), said(429, "Your app has exceeded its compute units per second capacity")),
        ("per-second", (), said(-32007, "50/second request limit reached - reduce calls per second")),
        ("internal", (), said(-32603, "internal error")),
        ("timed-out", (), said(-32000, "request timed out")),
        ("backend-down", (), said(-32000, "no backend is currently healthy to serve traffic")),
        ("header-not-found", (), said(-32000, "header not found")),
        ("unknown-block", (), said(-32001, "Unknown block")),
        ("missing-trie", STATE, said(-32000, "missing trie node 5e1f (path ) state 0x5e is not available")),
        ("null-chain-id", ("eth_chainId",), tree(result=None)),
        ("null-block", BLOCKS, tree(result=None)),
        ("empty-block", BLOCKS, tree(result={})),
        ("null-logs", LOGS, tree(result=None)),
        ("null", (), tree(result=None)),
        ("error-text", (), tree(error="rate limited, slow down")),
        ("error-number", (), tree(error=429)),
        ("error-null", (), tree(error=None)),
        ("error-empty", (), tree(error={})),
        ("nothing", (), tree()),
        ("empty-body", (), lambda _: Reply(b"")),
        ("html", (), page(200, "Checking your browser")),
        ("deep", (), lambda _: Reply(b"[" * 100_000)),
        ("not-utf8", (), lambda _: Reply(b'{"result":"\xff\xfe"}')),
        ("scalar", (), lambda _: Reply(b"true")),
    )
}  # fmt: skip
"""Bodies by name, each with the methods that give them (none named: all)."""


@dataclass(frozen=True)
class Answers(Mode):
    """Calls are not forwarded; one of BODIES is sent instead."""

    body: str

    async def before(self, call: Call, chain: Chain) -> Reply | None:
        methods, body = BODIES[self.body]
        return body(call) if not methods or call.method in methods else None


@dataclass(frozen=True)
class Shapes(Mode):
    """The true answer in a form that is none: cut-body, cut-connection, batch, wrong-id, both."""

    form: str
    forms: ClassVar[tuple[str, ...]] = ("cut-body", "cut-connection", "batch", "wrong-id", "both")

    async def shape(self, call: Call, reply: Reply, chain: Chain) -> Reply:
        half = reply.body[: len(reply.body) // 2]
        if self.form == "cut-body":
            return Reply(half, reply.status)
        if self.form == "cut-connection":
            return Reply(half, reply.status, missing=len(reply.body) - len(half))
        tree = json.loads(reply.body)
        if self.form == "batch":
            return encoded([tree], reply.status)
        if self.form == "both":
            return encoded({**tree, "error": {"code": -32603, "message": "internal error"}}, reply.status)
        # A mixed-up pipe: what another caller's request of this kind was answered.
        assert self.form == "wrong-id", self.form
        earlier = chain.memory.get(f"answered {call.method}", tree)
        chain.memory[f"answered {call.method}"] = tree
        return encoded({**earlier, "id": 1_000_003}, reply.status)
