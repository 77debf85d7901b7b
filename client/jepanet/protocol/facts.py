"""Facts: everything that enters the state machine.

Names show where a fact comes from: `Chain*` (a confirmed log or block, `protocol.chain_facts`), `Peer*` (an
admitted gossip message), `Local*` (a handler of this node finished). A name is also the tag of its entries in
the journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from jepanet.protocol.chain_facts import (
    ChainBeaconDrawn,
    ChainBeaconFixed,
    ChainBlock,
    ChainBondReleased,
    ChainBondSlashed,
    ChainChallenged,
    ChainClaimed,
    ChainCommitsClosed,
    ChainCommitted,
    ChainEvent,
    ChainFact,
    ChainModelAdvanced,
    ChainProjectCreated,
    ChainResolved,
    ChainRevealed,
    ChainRevealsClosed,
    ChainRoundCancelled,
    ChainRoundOpened,
    ChainRoundSettled,
    ChainShardUnsealed,
    ChainSwept,
    ChainTrainingRecorded,
    ChainVerifierSetCreated,
    RecordedResult,
    RoundParams,
)
from jepanet.records.marks import LeftOut
from jepanet.types import Address, Digest, RoundId

__all__ = [
    "ChainBeaconDrawn",
    "ChainBeaconFixed",
    "ChainBlock",
    "ChainBondReleased",
    "ChainBondSlashed",
    "ChainChallenged",
    "ChainClaimed",
    "ChainCommitsClosed",
    "ChainCommitted",
    "ChainEvent",
    "ChainFact",
    "ChainModelAdvanced",
    "ChainProjectCreated",
    "ChainResolved",
    "ChainRevealed",
    "ChainRevealsClosed",
    "ChainRoundCancelled",
    "ChainRoundOpened",
    "ChainRoundSettled",
    "ChainShardUnsealed",
    "ChainSwept",
    "ChainTrainingRecorded",
    "ChainVerifierSetCreated",
    "Fact",
    "LocalDeltaSealed",
    "LocalDutyFailed",
    "LocalFact",
    "LocalResultSigned",
    "LocalRoundPrepared",
    "LocalScored",
    "LocalScoresOpened",
    "LocalSheetBuilt",
    "LocalSheetChecked",
    "PeerCommitted",
    "PeerFact",
    "PeerResult",
    "PeerScored",
    "PeerSheet",
    "RecordedResult",
    "RoundParams",
]

# ------------------------------------------------------------------ peers


@dataclass(frozen=True, slots=True)
class PeerScored:
    """A coordinator's scores of all deltas of a round; signatures were checked at admission."""

    round_id: RoundId
    coordinator: Address
    scores: Digest
    """Digest of the canonical JSON document that holds the signed scores (`documents.scores.ScoreReport`)."""


@dataclass(frozen=True, slots=True)
class PeerCommitted:
    """A coordinator's signed commitment to its scores, which are not open yet; checked at admission."""

    round_id: RoundId
    coordinator: Address
    commitment: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class PeerSheet:
    """An aggregator proposes a score sheet."""

    round_id: RoundId
    sender: Address
    sheet: Digest


@dataclass(frozen=True, slots=True)
class PeerResult:
    """A coordinator's signature over the result of a sheet."""

    round_id: RoundId
    coordinator: Address
    sheet: Digest
    improvement: int
    signature: bytes


# ------------------------------------------------------------------ this node


@dataclass(frozen=True, slots=True)
class LocalRoundPrepared:
    """Spec, recipe, base model (and this solver's shard) are on disk and checked."""

    round_id: RoundId
    aggregators: tuple[Address, ...]
    """Who may propose a sheet beside the verifiers, in the order of the round's spec."""


@dataclass(frozen=True, slots=True)
class LocalDeltaSealed:
    """Training is over; delta and salt are on disk, synced. Nothing about it has left this machine."""

    round_id: RoundId
    digest: Digest
    commitment: bytes


@dataclass(frozen=True, slots=True)
class LocalScored:
    """This node measured every revealed delta; its scores are stored, signed if it is a verifier."""

    round_id: RoundId
    scores: Digest
    committed: Annotated[bool, LeftOut()] = False
    """Whether the round's scores are committed to first; those of a verifier are then not open yet."""


@dataclass(frozen=True, slots=True)
class LocalScoresOpened:
    """A verifier's scores are stored with their opening, which lists whose commitments it had heard."""

    round_id: RoundId
    scores: Digest


@dataclass(frozen=True, slots=True)
class LocalSheetBuilt:
    round_id: RoundId
    sheet: Digest


@dataclass(frozen=True, slots=True)
class LocalSheetChecked:
    """This verifier came to the same sheet by itself; it has signed nothing yet."""

    round_id: RoundId
    sheet: Digest
    improvement: int
    """Micro-nats, as measured here."""


@dataclass(frozen=True, slots=True)
class LocalResultSigned:
    round_id: RoundId
    sheet: Digest
    improvement: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class LocalDutyFailed:
    """A duty was refused for good; the round goes on without it."""

    round_id: RoundId
    command: str
    """Tag of the duty. The journal holds the field under this name."""
    reason: str
    sheet: Annotated[Digest | None, LeftOut()] = None
    """The sheet that a verifier could not check."""


PeerFact = PeerScored | PeerCommitted | PeerSheet | PeerResult
LocalFact = (
    LocalRoundPrepared
    | LocalDeltaSealed
    | LocalScored
    | LocalScoresOpened
    | LocalSheetBuilt
    | LocalSheetChecked
    | LocalResultSigned
    | LocalDutyFailed
)
Fact = ChainFact | PeerFact | LocalFact
