"""Codes that stand for a token: once, for a short time, so that a link can be handed to a browser.

The address of a link stays in histories and lists of processes. What is read there later is worth nothing.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from jepanet.rpc.method import Scope

SECONDS: Final = 120
"""For which a code is good."""
MOST_OPEN: Final = 8
"""Codes that nobody has used yet; with one more the oldest is void."""
MOST_BYTES: Final = 256
"""Of a request that shows one."""


class Invitations:
    """Codes that were given out and not used yet, as digests with what each stands for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[bytes, tuple[Scope, float]] = {}

    def make(self, scope: Scope) -> str:
        """A new code for a scope."""
        while len(self._open) >= MOST_OPEN:
            del self._open[next(iter(self._open))]
        code = secrets.token_urlsafe(32)
        self._open[_digest(code)] = (scope, self._clock() + SECONDS)
        return code

    def take(self, code: str) -> Scope | None:
        """What a code stands for, which it does no more from now on; None for one that is unknown or too old.

        Looked up by its digest: how long that takes tells nothing of a code.
        """
        scope, until = self._open.pop(_digest(code), (None, 0.0))
        return scope if self._clock() <= until else None


def code_of(body: bytes) -> str:
    """The code in the body of a request, `{"code": "…"}`; empty where there is none."""
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    code = tree.get("code") if isinstance(tree, dict) else None
    return code if isinstance(code, str) else ""


def _digest(code: str) -> bytes:
    return sha256(code.encode("utf-8", "replace")).digest()
