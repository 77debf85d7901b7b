"""Answers about a wallet's tokens, stake, seats and claims."""

from __future__ import annotations

from dataclasses import dataclass, field

from jepanet.operations.views.json_form import MERGED, OPTIONAL, Wei
from jepanet.types import Address


@dataclass(frozen=True, slots=True)
class Account:
    """Everything one account holds. `native` is ether, all else tokens."""

    address: Address
    native: Wei
    tokens: Wei
    stake_free: Wei
    stake_locked: Wei
    stake_unbonding: Wei
    withdrawable: Wei
    """What `jepanet stake withdraw` would pay out now."""
    debt: Wei | None = field(default=None, metadata=OPTIONAL)
    """What a slash could not take yet: nothing leaves before it is paid."""


@dataclass(frozen=True, slots=True)
class Fee:
    """What the next transaction would offer, in wei a unit of gas, and the most gas that one of the newest 20
    of this wallet was allowed, None before there is one."""

    max_fee: Wei
    gas: int | None


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction that took effect, by its hash as 0x-hex, and the account after it, where an endpoint
    tells that."""

    transaction: str
    account: Account | None = field(metadata=MERGED)
    note: str | None = field(default=None, metadata=OPTIONAL)
    """Set where an earlier call had sent it."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction of this wallet. `state` is intended, sent, mined or failed; fees are wei a unit of gas.

    `hashes`: 0x-hex of every form it was signed in, the newest last. What it calls is left out: the data of a
    reveal that was not sent yet says what is revealed.
    """

    what: str
    nonce: int
    to: str
    value: Wei
    gas: int
    max_fee: Wei
    max_priority_fee: Wei
    hashes: tuple[str, ...]
    state: str
    block: int | None
    created: int
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class CreatedSet:
    """A verifier set that was registered: `threshold` of its `members` must sign a result."""

    set: int
    members: tuple[Address, ...]
    threshold: int
    curator: Address
    """Opens rounds with it, and admits others that may."""
    cap: Wei
    """Most escrow of all its open rounds together."""
    max_hold_seconds: int
    """Longest that one round may hold its members' stake."""
    note: str | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True, slots=True)
class Admission:
    """Who may open rounds with a set, by its curator's word; `unchanged` where that was so before."""

    set: int
    proposer: Address
    admitted: bool
    unchanged: bool


@dataclass(frozen=True, slots=True)
class JoinedSet:
    """A seat that was consented to; `active` once every member has."""

    set: int
    joined_before: bool
    active: bool
    cap: Wei
    max_hold_seconds: int
    minimum_stake: Wei
    account: Account = field(metadata=MERGED)


@dataclass(frozen=True, slots=True)
class LeftSet:
    """A seat that was given up; the stake stays held while `open_rounds` are open."""

    set: int
    left_before: bool
    open_rounds: int


@dataclass(frozen=True, slots=True)
class Seat:
    """A member of a verifier set. A slash takes free and unbonding stake, and what these lack is its debt."""

    address: Address
    joined: bool
    stake_free: Wei
    stake_unbonding: Wei
    debt: Wei


@dataclass(frozen=True, slots=True)
class VerifierSet:
    set: int
    curator: Address
    threshold: int
    active: bool
    cap: Wei
    max_hold_seconds: int
    open_rounds: int
    escrow_at_risk: Wei
    """Budgets and fees of its open rounds."""
    stake_at_risk: Wei
    """What one slash of every member could take now."""
    members: tuple[Seat, ...]


@dataclass(frozen=True, slots=True)
class RoundClaim:
    """What was taken out of one round, or the `reason` why nothing was."""

    round: int
    bond_released: Wei | None = field(default=None, metadata=OPTIONAL)
    claimed: Wei | None = field(default=None, metadata=OPTIONAL)
    verdict: str | None = field(default=None, metadata=OPTIONAL)
    """Why it was paid: accepted, fee and so on."""
    reason: str | None = field(default=None, metadata=OPTIONAL)
    missing: bool | None = field(default=None, metadata=OPTIONAL)
    """True where the score sheet could not be had."""


@dataclass(frozen=True, slots=True)
class Claimed:
    rounds: tuple[RoundClaim, ...]
    missing: int
    """Rounds whose score sheet could not be had."""
    wallet: Account
    """After it: what was claimed is free stake."""
