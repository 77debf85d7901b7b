"""What contract views answer, as frozen values: fields are the Solidity structs', in the same order.

Amounts in wei of the token, times in unix seconds, gains in micro-nats per direction.
"""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.types import Address, CancelCause, Digest, Phase, ProjectId, RoundId, Standing


@dataclass(frozen=True, slots=True)
class Configuration:
    """What was fixed for good at deployment: `Configuration` of the contracts."""

    token: Address
    owner: Address
    treasury: Address
    arbiter: Address
    partner: Address
    minimum_budget: int
    minimum_bond: int
    """Smallest solver, unseal and challenge bond."""
    minimum_verifier_stake: int
    """Free stake each verifier of a round must have, and the most that one slash takes."""
    keeper_reward: int
    """Paid once to whoever closes COMMIT and once to whoever draws; a round escrows both."""
    unbond_delay: int
    minimum_phase_duration: int
    """Shortest COMMIT, GAP, REVEAL and VERIFY."""
    minimum_challenge_duration: int
    resolve_duration: int
    beacon_delay: int
    """Blocks between the closing of COMMIT and the block whose randomness draws."""
    challenge_bond_bps: int
    excluded_bps: int
    """What an excluded delta loses of its bond, in basis points."""


@dataclass(frozen=True, slots=True)
class StakeAccount:
    """`free` backs new bonds, `locked` backs bonds, `unbonding` is on its way out and still slashable.

    `debt`: what slashes could not take; nothing leaves before it is paid. `unbond_at`: when the oldest
    request matures, 0 without one. `joined`: sets it has joined and not left. `held`: whether an open round
    of a set pins the verifier's minimum. `verifier`: whether it ever joined a set, so that its free stake
    leaves by unbonding only.
    """

    free: int
    locked: int
    unbonding: int
    debt: int
    unbond_at: int
    joined: int
    held: bool
    verifier: bool


@dataclass(frozen=True, slots=True)
class SetView:
    """A verifier set; `curator` is the zero address of an unknown one.

    `joined`: bitmap of seats. `cap`: most escrow (budget + fee) of all open rounds together. `stake_at_risk`:
    what one slash of every member could take now. `max_hold`: most seconds one round may hold the members.
    """

    curator: Address
    members: tuple[Address, ...]
    threshold: int
    joined: int
    open_rounds: int
    cap: int
    escrow_at_risk: int
    stake_at_risk: int
    max_hold: int

    @property
    def active(self) -> bool:
        """Whether every member has joined, so that rounds can use the set."""
        return bool(self.members) and self.joined == (1 << len(self.members)) - 1


@dataclass(frozen=True, slots=True)
class ProjectView:
    """`used_shards` is a bitmap of unsealed evaluation shards; `active_round` is 0 without an open round.

    `rounds`: opened so far. `last_round`: the newest one's id.
    """

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
    rounds: int
    last_round: RoundId


@dataclass(frozen=True, slots=True)
class RoundView:
    """Everything about a round that storage holds. Spec, base and recorded result are in its events.

    `number`: its place among the project's rounds, from 1. `digest`: the spec until a result is recorded,
    then the hash of what was recorded, then the root once settled. `beacon_block`: 0 until COMMIT was closed
    by a call. `unclaimed`: what is left of the payout, 0 until settled. `slashed` and `fees_paid` are bitmaps
    of seats. `resolve_end`: 0 if never challenged. `claim_end`: 0 until settled.
    """

    proposer: Address
    project_id: ProjectId
    number: int
    verifier_set: int
    threshold: int
    seed: bytes
    digest: bytes
    budget: int
    fee: int
    bond: int
    unseal_bond: int
    commit_end: int
    reveal_start: int
    reveal_end: int
    verify_end: int
    challenge_end: int
    resolve_end: int
    claim_end: int
    max_solvers: int
    commits: int
    reveals: int
    beacon_block: int
    beacon_drawn: bool
    evaluation_index: int
    unsealed: bool
    recorded: bool
    challenges: int
    unclaimed: int
    fees_claimed: int
    slashed: int
    fees_paid: int
    allow_list: bytes
    cause: CancelCause
    phase: Phase


@dataclass(frozen=True, slots=True)
class CommitmentView:
    """`commitment`: the first 29 bytes of the hash while it is unopened, zero bytes otherwise."""

    commitment: bytes
    standing: Standing


@dataclass(frozen=True, slots=True)
class Attestation:
    """A verifier's own measured improvement and its 65-byte signature over the result that carries it."""

    improvement: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """What verifiers sign: `Result` of the contracts."""

    round_id: RoundId
    root: bytes
    model: Digest
    sheet: Digest
    payout: int
    improvement: int
    extension: bytes
    """Digest of a document that extends the result; zeros for none."""


@dataclass(frozen=True, slots=True)
class SignedCommit:
    """A solver's commit with its 65-byte signature over `typed_data.commit_data`, for others to send."""

    solver: Address
    commitment: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens a solver's commitment, for others to send."""

    solver: Address
    digest: Digest
    salt: bytes
