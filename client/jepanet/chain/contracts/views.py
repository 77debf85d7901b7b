"""What contract views answer, as frozen values: fields are the Solidity structs', in the same order.

Amounts in wei of the token, times in unix seconds, gains in micro-nats per direction.
"""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.types import Address, CancelCause, Digest, Phase, ProjectId, RoundId, Standing


@dataclass(frozen=True, slots=True)
class StakeAccount:
    """`free` backs new bonds, `locked` backs bonds, `unbonding` is on its way out and still slashable.

    `unbond_at`: when the oldest request matures, 0 without one. `held_until`: a verifier's duty.
    """

    free: int
    locked: int
    unbonding: int
    unbond_at: int
    held_until: int


@dataclass(frozen=True, slots=True)
class ProjectView:
    """`used_shards` is a bitmap of drawn evaluation shards; `active_round` is 0 without an open round."""

    owner: Address
    evaluation_count: int
    verifier_set: int
    recipe: Digest
    dataset: Digest
    model: Digest
    evaluation_root: bytes
    metadata: Digest
    used_shards: int
    active_round: RoundId


@dataclass(frozen=True, slots=True)
class RoundView:
    """Everything the contract knows of a round. `model` is the base until a result is recorded.

    `signers` is a bitmap of positions in the verifier set.
    """

    proposer: Address
    project_id: ProjectId
    spec: Digest
    base: Digest
    budget: int
    fee: int
    bond: int
    unseal_bond: int
    opened_at: int
    commit_end: int
    reveal_start: int
    reveal_end: int
    verify_end: int
    challenge_end: int
    max_solvers: int
    commits: int
    reveals: int
    beacon_drawn: bool
    evaluation_index: int
    unsealed: bool
    shard: Digest
    root: bytes
    model: Digest
    sheet: Digest
    payout: int
    improvement: int
    claimed: int
    challenger: Address
    phase: Phase
    verifier_set: int
    threshold: int
    resolve_end: int
    claim_end: int
    fees_claimed: int
    signers: int
    cause: CancelCause


@dataclass(frozen=True, slots=True)
class CommitmentView:
    """`commitment` is the hash while it is unopened, 32 zero bytes otherwise."""

    commitment: bytes
    standing: Standing


@dataclass(frozen=True, slots=True)
class Attestation:
    """A verifier's own measured improvement and its 65-byte signature over the result that carries it."""

    improvement: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """What verifiers sign: `ITrainingRounds.Result`."""

    round_id: RoundId
    root: bytes
    model: Digest
    sheet: Digest
    payout: int
    improvement: int
