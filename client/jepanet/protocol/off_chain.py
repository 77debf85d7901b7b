"""What was exchanged about a round beside the chain, as it arrived here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from jepanet.protocol.documents.openings import HeardCommitment
from jepanet.records.marks import LeftOut
from jepanet.types import Address, Digest

KEPT_CONFLICTING = 4
"""Conflicting results kept of one verifier; their signatures can be checked only by who has the sheets."""


@dataclass(frozen=True, slots=True)
class SignedResult:
    coordinator: Address
    sheet: Digest
    improvement: int
    """Micro-nats, as this verifier measured it."""
    signature: bytes
    at: Annotated[int, LeftOut()] = 0
    """Timestamp of the block at which it arrived; 0 where an earlier version noted none."""


@dataclass(frozen=True, slots=True)
class SignedScores:
    """A coordinator's scores of all deltas: the digest of the document that holds them."""

    coordinator: Address
    scores: Digest
    at: Annotated[int, LeftOut()] = 0
    """Timestamp of the block at which they arrived; 0 where an earlier version noted none."""


@dataclass(frozen=True, slots=True)
class ProposedSheet:
    sender: Address
    sheet: Digest
    at: int
    """Timestamp of the block at which it arrived."""


@dataclass(frozen=True, slots=True)
class OffChain:
    """What was exchanged about a round beside the chain, this node's own share included.

    The first of each kind counts of every sender, so nobody can fill the memory.
    """

    scores: tuple[SignedScores, ...] = ()
    commitments: Annotated[tuple[HeardCommitment, ...], LeftOut()] = ()
    """Of other verifiers, to scores that are not open yet: of each the first, and another one if it comes."""
    sheets: tuple[ProposedSheet, ...] = ()
    results: tuple[SignedResult, ...] = ()
    """The first result of each verifier, signatures unchecked."""
    conflicting: tuple[SignedResult, ...] = ()
    """Further, different results of the same verifiers: one truly signed costs the verifier's stake."""
