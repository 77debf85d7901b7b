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
    credit: Wei


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction that took effect, by its hash as 0x-hex, and the account after it."""

    transaction: str
    account: Account = field(metadata=MERGED)
    note: str | None = field(default=None, metadata=OPTIONAL)
    """Set where an earlier call had sent it."""


@dataclass(frozen=True, slots=True)
class CreatedSet:
    """A verifier set that was registered: `threshold` of its `members` must sign a result."""

    set: int
    members: tuple[Address, ...]
    threshold: int
    note: str | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True, slots=True)
class JoinedSet:
    """A seat that was consented to; `active` once every member has."""

    set: int
    joined_before: bool
    active: bool
    minimum_stake: Wei
    account: Account = field(metadata=MERGED)


@dataclass(frozen=True, slots=True)
class Seat:
    address: Address
    joined: bool


@dataclass(frozen=True, slots=True)
class VerifierSet:
    set: int
    threshold: int
    active: bool
    members: tuple[Seat, ...]


@dataclass(frozen=True, slots=True)
class RoundClaim:
    """What was taken out of one round, or the `reason` why nothing was."""

    round: int
    swept: Wei | None = field(default=None, metadata=OPTIONAL)
    """Pay that nobody claimed in time, back to the proposer."""
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
    withdrawn: Wei
    """Credit taken into the wallet."""
    wallet: Account
