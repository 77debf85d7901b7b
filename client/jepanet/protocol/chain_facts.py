"""Facts of the chain: confirmed blocks and logs, and the structs that logs carry.

A chain fact is fed only once its block is as deep as the deployment's confirmations, in (block, log index)
order. Its fields are the arguments of the event of the same name (see `contracts/src/interfaces`).
"""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.types import Address, BlockRef, CancelCause, ClaimKind, Digest, ProjectId, RoundId, SlashCause


@dataclass(frozen=True, slots=True)
class RoundParams:
    """`RoundParams` of the contracts: fixed when a round opens. Durations in seconds, amounts in wei."""

    project_id: ProjectId
    spec: Digest
    budget: int
    fee: int
    bond: int
    unseal_bond: int
    commit_duration: int
    gap: int
    reveal_duration: int
    verify_duration: int
    challenge_duration: int
    max_solvers: int
    extension: bytes
    """Digest of a document that extends the terms; zeros for none."""
    allow_list: bytes
    """Merkle root over the accounts that may commit; zeros admit everybody."""


@dataclass(frozen=True, slots=True)
class RecordedResult:
    """`Recorded` of the contracts: shown again by whoever settles or challenges, and compared with its hash.

    `signers` is a bitmap of seats whose signatures were accepted.
    """

    root: bytes
    model: Digest
    sheet: Digest
    extension: bytes
    payout: int
    improvement: int
    signers: int


@dataclass(frozen=True, slots=True)
class ChainBlock:
    """A confirmed block. Its timestamp is the only clock the machine has."""

    block: BlockRef


@dataclass(frozen=True, slots=True)
class ChainVerifierSetCreated:
    set_id: int
    creator: Address
    members: tuple[Address, ...]
    threshold: int
    cap: int
    max_hold: int
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainProjectCreated:
    project_id: ProjectId
    owner: Address
    recipe: Digest
    dataset: Digest
    model: Digest
    evaluation_root: bytes
    evaluation_count: int
    verifier_set: int
    metadata: Digest
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainModelAdvanced:
    project_id: ProjectId
    round_id: RoundId
    model: Digest
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainRoundOpened:
    round_id: RoundId
    project_id: ProjectId
    proposer: Address
    params: RoundParams
    base: Digest
    verifier_set: int
    seed: bytes
    commit_end: int
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainCommitted:
    round_id: RoundId
    solver: Address
    commitment: bytes
    index: int
    bond: int
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainCommitsClosed:
    round_id: RoundId
    at: int
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainBeaconFixed:
    """The block whose randomness draws the shard; a later one replaces it when it was missed."""

    round_id: RoundId
    block_number: int
    keeper: Address
    reward: int
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainBeaconDrawn:
    round_id: RoundId
    beacon: int
    index: int
    keeper: Address
    reward: int
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainShardUnsealed:
    round_id: RoundId
    index: int
    shard: Digest
    blinding: bytes
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainRevealed:
    round_id: RoundId
    solver: Address
    digest: Digest
    salt: bytes
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainRevealsClosed:
    round_id: RoundId
    at: int
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainTrainingRecorded:
    round_id: RoundId
    root: bytes
    model: Digest
    sheet: Digest
    payout: int
    improvement: int
    challenge_end: int
    extension: bytes
    signers: int
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainChallenged:
    round_id: RoundId
    challenger: Address
    evidence: bytes
    bond: int
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainResolved:
    round_id: RoundId
    overturned: bool
    winner: Address
    reward: int
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainRoundSettled:
    round_id: RoundId
    model: Digest
    returned: int
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainRoundCancelled:
    round_id: RoundId
    cause: CancelCause
    returned: int
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainClaimed:
    round_id: RoundId
    account: Address
    amount: int
    kind: ClaimKind
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainBondReleased:
    round_id: RoundId
    solver: Address
    amount: int
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainBondSlashed:
    round_id: RoundId
    account: Address
    amount: int
    cause: SlashCause
    block: BlockRef
    log_index: int


@dataclass(frozen=True, slots=True)
class ChainSwept:
    """What nobody claimed in time went to the treasury."""

    round_id: RoundId
    treasury: Address
    amount: int
    block: BlockRef
    log_index: int


ChainEvent = (
    ChainVerifierSetCreated
    | ChainProjectCreated
    | ChainModelAdvanced
    | ChainRoundOpened
    | ChainCommitted
    | ChainCommitsClosed
    | ChainBeaconFixed
    | ChainBeaconDrawn
    | ChainShardUnsealed
    | ChainRevealed
    | ChainRevealsClosed
    | ChainTrainingRecorded
    | ChainChallenged
    | ChainResolved
    | ChainRoundSettled
    | ChainRoundCancelled
    | ChainClaimed
    | ChainBondReleased
    | ChainBondSlashed
    | ChainSwept
)
ChainFact = ChainBlock | ChainEvent
