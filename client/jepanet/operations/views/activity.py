"""Answers about what a node does just now: its training, its transfers, its log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingNow:
    """A job of the worker, and for a training the round that it is for.

    `rate`: steps a second since it was begun or taken up again; `seconds_left`: to its last step at that
    rate; `deadline`: when the round's commitments close, or scores are due, seconds of Unix, with `now`, the
    chain's clock; `on_time`: whether the rest fits before that. None where it is not known. `curve`: steps
    with their loss, thinned out to at most 256.
    """

    job: str
    round: int | None
    seconds: int
    step: int | None
    steps: int | None
    loss: float | None
    rate: float | None
    seconds_left: int | None
    now: int
    deadline: int | None
    on_time: bool | None
    curve: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Training:
    """What the node's worker does; None while it does nothing."""

    running: TrainingNow | None


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A file of the blob store that is served to everybody; `pinned`: it is not collected."""

    cid: str
    size: int
    pinned: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A peer that sends a file, and the bytes of it that it sent."""

    peer: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """A download under way: bytes that are there, and in all as its provider says, 0 before one has. `kind`:
    what the file is, as `traffic` counts it; `sources`: who sends it, the largest part first."""

    cid: str
    kind: str
    done: int
    total: int
    seconds: int
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Transferred:
    """Bytes of files that a node `received` and `sent` since it was started, and downloads under way: of more
    than 20 the newest, `downloads` counts all."""

    received: int
    sent: int
    downloads: int
    coming: tuple[Transfer, ...]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A download that has ended, at `ended` seconds of Unix after so many `seconds`, to the thousandth;
    `failure`: why it came to nothing. What `sources` do not make up of `bytes` was here from an attempt
    before."""

    cid: str
    kind: str
    bytes: int
    seconds: float
    ended: int
    failure: str | None
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the node's log, `at` seconds of Unix; numbers count from the start of the process."""

    number: int
    at: float
    level: str
    event: str
    room: str
    round: int | None
    fields: Mapping[str, str]
