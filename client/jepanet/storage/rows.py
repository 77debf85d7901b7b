"""What the journal stores: bytes and JSON text it does not interpret."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

DutyState = Literal["pending", "done", "rejected"]


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """One block of the canonical chain: 32-byte hash and parent hash, timestamp in unix seconds."""

    number: int
    hash: bytes
    parent: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A decoded log of the canonical chain; `log_index` counts within the block."""

    block_number: int
    log_index: int
    tag: str
    payload: str


@dataclass(frozen=True, slots=True)
class StoredFact:
    """One fact of the state machine."""

    tag: str
    payload: str


@dataclass(frozen=True, slots=True)
class Place:
    """A fact that the chain copy holds already: an event, or without `log_index` the block itself."""

    block_number: int
    log_index: int | None


@dataclass(frozen=True, slots=True)
class StoredDuty:
    """One duty the state machine gave; `key` names the duty, so the same duty is stored once."""

    key: str
    tag: str
    payload: str
    round_id: int | None


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A duty and how far it got; `attempts` counts failed ones."""

    key: str
    tag: str
    payload: str
    round_id: int | None
    state: DutyState
    attempts: int
    error: str | None


@dataclass(frozen=True, slots=True)
class StoredSalt:
    """What a solver needs to reveal its commitment. The salt never shows in a log line."""

    round_id: int
    solver: str
    digest: bytes
    salt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredResidual:
    """What a lossy codec left out of a sealed delta: digest of the file, of the one that went in, and of the
    model that the delta began from."""

    project_id: int
    codec: str
    digest: bytes
    before: bytes | None
    base: bytes
