"""Errors that name who must act, and the process exit codes.

`Transient`: nobody, it is retried. `Rejected`: the journal records the reason and the round goes on.
`Fatal`: the operator; the message says what was wrong and what to do, and the process ends with `code`.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Process exit codes. Numbers are never reused; retired ones stay reserved."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    CONFIG = 10
    WALLET = 11
    CHAIN_UNREACHABLE = 12
    WRONG_CHAIN = 13
    TOOL_MISSING = 14
    PORT_IN_USE = 15
    DISK_FULL = 16
    NO_PEERS = 17
    ALREADY_RUNNING = 18
    DATASET = 19
    INCOMPATIBLE = 20
    VERIFICATION_FAILED = 21
    NOT_FOUND = 22
    REJECTED = 23
    WORKER = 24
    OUT_OF_MEMORY = 25
    UNRESOLVED = 26
    UNFUNDED = 27
    NOT_RUNNING = 28
    TRY_AGAIN = 29
    DAMAGED = 30
    HELD = 31


class JepanetError(Exception):
    """Base of every error raised on purpose. `code` is the exit code if it ends a command."""

    code: Exit = Exit.FAILURE

    def __init__(self, message: str, *, remedy: str | None = None, code: Exit | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


class Transient(JepanetError):
    """The outside failed for now: network, endpoint, missing provider. The outbox retries it."""

    code = Exit.TRY_AGAIN


class Rejected(JepanetError):
    """A peer, delta, transaction or duty was refused for good; recorded with its reason, never retried."""

    code = Exit.REJECTED

    def __init__(self, message: str, *, reason: str = "rejected", remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason


class Fatal(JepanetError):
    """The operator must act: wrong configuration, wrong chain, corrupt store, full disk."""
