"""Verifier sets: registering one, consenting to a seat, looking at one."""

from __future__ import annotations

from collections.abc import Sequence

from jepanet.chain.endpoints.answers import Receipt
from jepanet.errors import Exit, Fatal
from jepanet.operations.access import ChainAccess, SigningAccess
from jepanet.operations.funds.precheck import check_seat, check_set
from jepanet.operations.funds.stake import balances
from jepanet.operations.funds.unfinished import SETTLED, fresh_key, take_up
from jepanet.operations.views.funds import CreatedSet, JoinedSet, Seat, VerifierSet
from jepanet.operations.views.json_form import Wei
from jepanet.types import Address


async def create_set(access: SigningAccess, members: Sequence[Address], threshold: int) -> CreatedSet:
    """Registers a verifier set of members as `check_members` returns them; they still have to join."""
    call = access.chain.contracts.verifier_sets.create(members, threshold)
    settled = await take_up(access.sender, "create-set", call)
    if settled is None:
        set_id = await register_set(access, fresh_key("create-set"), members, threshold)
    else:
        set_id = _set_of(access, settled)
    return CreatedSet(set_id, tuple(members), threshold, note=None if settled is None else SETTLED)


async def register_set(access: SigningAccess, key: str, members: Sequence[Address], threshold: int) -> int:
    """Creates a verifier set of checked members, once for `key`, and returns its id."""
    sets = access.chain.contracts.verifier_sets
    return _set_of(access, await access.sender.send(key, sets.create(members, threshold)))


def _set_of(access: SigningAccess, receipt: Receipt) -> int:
    set_id = access.chain.contracts.verifier_sets.created(receipt)
    if set_id is None:
        raise Fatal(
            "the transaction created no verifier set", remedy="look at its receipt", code=Exit.REJECTED
        )
    return set_id


async def join_set(access: SigningAccess, set_id: int) -> JoinedSet:
    """Consents to a seat; the stake must reach the vault's minimum before a round opens.

    Raises: Fatal as `check_seat`.
    """
    sets, vault = access.chain.contracts.verifier_sets, access.chain.contracts.vault
    await take_up(access.sender, f"join/{set_id}", sets.join(set_id))
    await check_seat(access.chain.contracts, set_id, access.wallet.address)
    before = await sets.has_joined(set_id, access.wallet.address, "latest")
    if not before:
        await access.sender.send(fresh_key(f"join/{set_id}"), sets.join(set_id))
    minimum = await vault.minimum_verifier_stake("latest")
    return JoinedSet(
        set=set_id,
        joined_before=before,
        active=await sets.is_active(set_id, "latest"),
        minimum_stake=Wei(minimum),
        account=await balances(access.chain, access.wallet.address),
    )


async def show_set(chain: ChainAccess, set_id: int) -> VerifierSet:
    """Members, threshold and who has joined.

    Raises: Fatal: there is no such set (exit code `NOT_FOUND`).
    """
    sets = chain.contracts.verifier_sets
    members = await check_set(chain.contracts, set_id)
    return VerifierSet(
        set=set_id,
        threshold=await sets.threshold(set_id, "latest"),
        active=await sets.is_active(set_id, "latest"),
        members=tuple([Seat(item, await sets.has_joined(set_id, item, "latest")) for item in members]),
    )
