"""Verifier sets: registering one, who may open rounds with it, seats taken and left, looking at one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jepanet.chain.endpoints.answers import Receipt
from jepanet.errors import Exit, Fatal
from jepanet.operations.access import ChainAccess, SendingAccess
from jepanet.operations.funds.precheck import check_curator, check_join, check_limits, check_seat, check_set
from jepanet.operations.funds.stake import balances
from jepanet.operations.funds.unfinished import SETTLED, fresh_key, take_up
from jepanet.operations.views.funds import Admission, CreatedSet, JoinedSet, LeftSet, Seat, VerifierSet
from jepanet.operations.views.json_form import Wei
from jepanet.settings.config import ProposerSection
from jepanet.settings.terms import round_terms
from jepanet.types import Address
from jepanet.work.methods import METHODS

_ROUNDS_AT_ONCE = 2
"""A new set's cap and longest hold, in rounds of its creator's terms: room for one more, or a longer one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What members of a set consent to. `cap`: most escrow of all its open rounds, in wei. `max_hold`: most
    seconds that one round holds their stake."""

    cap: int
    max_hold: int


async def limits_of(
    chain: ChainAccess, proposer: ProposerSection, cap: int | None = None, max_hold: int | None = None
) -> Limits:
    """The limits of a new set: those given, else what two rounds of the proposer's terms at once need, or one
    that is twice as long.

    Raises: Fatal as `check_limits`, and where the terms are none.
    """
    terms = round_terms(proposer, METHODS)
    if cap is None:
        cap = _ROUNDS_AT_ONCE * (terms.budget + terms.fee)
    deployed = await chain.contracts.rounds.configuration("latest")
    if max_hold is None:
        max_hold = _ROUNDS_AT_ONCE * (terms.longest_seconds + deployed.resolve_duration)
    check_limits(cap, max_hold, deployed)
    return Limits(cap, max_hold)


async def create_set(
    access: SendingAccess, members: Sequence[Address], threshold: int, limits: Limits
) -> CreatedSet:
    """Registers a verifier set of members as `check_members` returns them; they still have to join.

    This wallet becomes its curator: it opens rounds with the set, and admits others that may.
    """
    call = access.chain.contracts.rounds.create_verifier_set(members, threshold, limits.cap, limits.max_hold)
    settled = await take_up(access.sender, "create-set", call)
    if settled is None:
        set_id = await register_set(access, fresh_key("create-set"), members, threshold, limits)
    else:
        set_id = _set_of(access, settled)
    return CreatedSet(
        set_id,
        tuple(members),
        threshold,
        curator=access.sender.address,
        cap=Wei(limits.cap),
        max_hold_seconds=limits.max_hold,
        note=None if settled is None else SETTLED,
    )


async def register_set(
    access: SendingAccess, key: str, members: Sequence[Address], threshold: int, limits: Limits
) -> int:
    """Creates a verifier set of checked members, once for `key`, and returns its id."""
    call = access.chain.contracts.rounds.create_verifier_set(members, threshold, limits.cap, limits.max_hold)
    return _set_of(access, await access.sender.send(key, call))


def _set_of(access: SendingAccess, receipt: Receipt) -> int:
    set_id = access.chain.contracts.rounds.created_set(receipt)
    if set_id is None:
        raise Fatal(
            "the transaction created no verifier set", remedy="look at its receipt", code=Exit.REJECTED
        )
    return set_id


async def admit(access: SendingAccess, set_id: int, proposer: Address, *, admitted: bool) -> Admission:
    """As the set's curator: lets `proposer` open rounds with it, or no longer. Open rounds go on.

    Raises: Fatal as `check_curator`.
    """
    contracts = access.chain.contracts
    call = contracts.rounds.admit(set_id, proposer, admitted=admitted)
    what = f"admit/{set_id}/{proposer}"
    await take_up(access.sender, what, call)
    await check_curator(contracts, set_id, access.sender.address)
    before = await contracts.lens.is_admitted(set_id, proposer, "latest") is admitted
    if not before:
        await access.sender.send(fresh_key(what), call)
    return Admission(set_id, proposer, admitted, unchanged=before)


async def join_set(access: SendingAccess, set_id: int) -> JoinedSet:
    """Consents to a seat, and to the set's cap and longest hold; from then on the minimum stake stays put.

    Raises: Fatal as `check_join`.
    """
    contracts, me = access.chain.contracts, access.sender.address
    call = contracts.rounds.join(set_id)
    await take_up(access.sender, f"join/{set_id}", call)
    before = await contracts.lens.has_joined(set_id, me, "latest")
    await check_join(contracts, set_id, me, joined=before)
    if not before:
        await access.sender.send(fresh_key(f"join/{set_id}"), call)
    found = await check_set(contracts, set_id)
    return JoinedSet(
        set=set_id,
        joined_before=before,
        active=found.active,
        cap=Wei(found.cap),
        max_hold_seconds=found.max_hold,
        minimum_stake=Wei((await contracts.rounds.configuration("latest")).minimum_verifier_stake),
        account=await balances(access.chain, me),
    )


async def leave_set(access: SendingAccess, set_id: int) -> LeftSet:
    """Withdraws the consent: no new round can use the set. Its open rounds still hold this wallet's stake.

    Raises: Fatal as `check_seat`.
    """
    contracts, me = access.chain.contracts, access.sender.address
    call = contracts.rounds.leave(set_id)
    await take_up(access.sender, f"leave/{set_id}", call)
    found = await check_seat(contracts, set_id, me)
    before = not await contracts.lens.has_joined(set_id, me, "latest")
    if not before:
        await access.sender.send(fresh_key(f"leave/{set_id}"), call)
    return LeftSet(set_id, left_before=before, open_rounds=found.open_rounds)


async def show_set(chain: ChainAccess, set_id: int) -> VerifierSet:
    """Threshold, limits, what is at risk, and of each member whether it joined, its stake and its debt.

    Raises: Fatal: there is no such set (exit code `NOT_FOUND`).
    """
    found = await check_set(chain.contracts, set_id)
    seats = []
    for place, member in enumerate(found.members):
        stake = await chain.contracts.lens.account(member, "latest")
        joined = bool(found.joined >> place & 1)
        seats.append(Seat(member, joined, Wei(stake.free), Wei(stake.unbonding), Wei(stake.debt)))
    return VerifierSet(
        set=set_id,
        curator=found.curator,
        threshold=found.threshold,
        active=found.active,
        cap=Wei(found.cap),
        max_hold_seconds=found.max_hold,
        open_rounds=found.open_rounds,
        escrow_at_risk=Wei(found.escrow_at_risk),
        stake_at_risk=Wei(found.stake_at_risk),
        members=tuple(seats),
    )
