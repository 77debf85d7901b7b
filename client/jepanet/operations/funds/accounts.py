"""A wallet's tokens, stake and seats: looking, depositing, unbonding, joining verifier sets, claiming."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from jepanet.chain.contracts.abi import UnsignedCall
from jepanet.chain.endpoints.answers import Receipt
from jepanet.errors import Exit, Fatal
from jepanet.operations.access import ChainAccess, SigningAccess, open_chain, open_signing
from jepanet.operations.funds.precheck import (
    check_deposit,
    check_members,
    check_seat,
    check_set,
    check_unbond,
    check_withdraw,
)
from jepanet.operations.funds.unfinished import SETTLED, fresh_key, take_up
from jepanet.settings.config import Observer, load_config
from jepanet.settings.terms import wei
from jepanet.settings.unlock import unlock
from jepanet.types import Address


async def show(config_path: Path) -> dict[str, Any]:
    """Balances of the configured wallet, in wei as strings (amounts exceed what JSON numbers carry)."""
    config = load_config(config_path)
    async with open_chain(config) as chain:
        return await balances(chain, unlock(config.wallet).address)


async def balances(chain: ChainAccess, address: Address) -> dict[str, Any]:
    """Everything one account holds, in wei as strings."""
    stake = await chain.contracts.vault.account(address, "latest")
    return {
        "address": address,
        "native": str(await chain.rpc.balance(address, "latest")),
        "tokens": str(await chain.contracts.token.balance(address, "latest")),
        "stake_free": str(stake.free),
        "stake_locked": str(stake.locked),
        "stake_unbonding": str(stake.unbonding),
        "credit": str(await chain.contracts.rounds.credit(address, "latest")),
    }


async def deposit(config_path: Path, amount: str) -> dict[str, Any]:
    """Approves and deposits stake."""
    value = wei(amount, "AMOUNT")
    async with open_signing(config_path) as access:
        token, vault = access.chain.contracts.token, access.chain.contracts.vault
        call, approval = vault.deposit(value), token.approve(vault.address, value)

        async def ready() -> None:
            await check_deposit(access.chain, access.wallet.address, value)
            await take_up(access.sender, "approve", approval)
            if await token.allowance(access.wallet.address, vault.address, "latest") < value:
                await access.sender.send(fresh_key("approve"), approval)

        return await _once(access, "deposit", call, ready)


async def unbond(config_path: Path, amount: str) -> dict[str, Any]:
    """Asks for free stake back; it matures after the vault's delay."""
    value = wei(amount, "AMOUNT")
    async with open_signing(config_path) as access:
        contracts, me = access.chain.contracts, access.wallet.address
        call = contracts.vault.request_unbond(value)
        return await _once(access, "unbond", call, lambda: check_unbond(contracts, me, value))


async def withdraw(config_path: Path) -> dict[str, Any]:
    """Takes out every matured unbonding request."""
    async with open_signing(config_path) as access:
        call = access.chain.contracts.vault.withdraw_unbonded()
        return await _once(
            access, "withdraw", call, lambda: check_withdraw(access.chain, access.wallet.address)
        )


async def create_set(config_path: Path, members: Sequence[str], threshold: int) -> dict[str, Any]:
    """Registers a verifier set; its members still have to join."""
    addresses = check_members(members, threshold)
    async with open_signing(config_path) as access:
        call = access.chain.contracts.verifier_sets.create(addresses, threshold)
        settled = await take_up(access.sender, "create-set", call)
        if settled is None:
            set_id = await register_set(access, fresh_key("create-set"), addresses, threshold)
        else:
            set_id = _set_of(access, settled)
        value = {"set": set_id, "members": list(addresses), "threshold": threshold}
        return value if settled is None else {**value, "note": SETTLED}


async def register_set(access: SigningAccess, key: str, members: Sequence[Address], threshold: int) -> int:
    """Creates a verifier set of checked members, once for `key`, and returns its id."""
    sets = access.chain.contracts.verifier_sets
    return _set_of(access, await access.sender.send(key, sets.create(members, threshold)))


def _set_of(access: SigningAccess, receipt: Receipt) -> int:
    sets = access.chain.contracts.verifier_sets
    for raw in receipt.logs:
        if raw.address == sets.address and len(raw.topics) == 3:
            return int.from_bytes(raw.topics[1], "big")
    raise Fatal("the transaction created no verifier set", remedy="look at its receipt", code=Exit.REJECTED)


async def join_set(config_path: Path, set_id: int) -> dict[str, Any]:
    """Consents to a seat; the stake must reach the vault's minimum before a round opens."""
    async with open_signing(config_path) as access:
        sets, vault = access.chain.contracts.verifier_sets, access.chain.contracts.vault
        await take_up(access.sender, f"join/{set_id}", sets.join(set_id))
        await check_seat(access.chain.contracts, set_id, access.wallet.address)
        before = await sets.has_joined(set_id, access.wallet.address, "latest")
        if not before:
            await access.sender.send(fresh_key(f"join/{set_id}"), sets.join(set_id))
        minimum = await vault.minimum_verifier_stake("latest")
        return {"set": set_id, "joined_before": before, "active": await sets.is_active(set_id, "latest"),
                "minimum_stake": str(minimum), **await _after(access)}  # fmt: skip


async def show_set(where: Observer | Path, set_id: int) -> dict[str, Any]:
    """Members, threshold and who has joined."""
    async with open_chain(where) as chain:
        sets = chain.contracts.verifier_sets
        members = await check_set(chain.contracts, set_id)
        joined = [await sets.has_joined(set_id, member, "latest") for member in members]
        return {
            "set": set_id,
            "threshold": await sets.threshold(set_id, "latest"),
            "active": await sets.is_active(set_id, "latest"),
            "members": [{"address": a, "joined": b} for a, b in zip(members, joined, strict=True)],
        }


async def _once(
    access: SigningAccess, what: str, call: UnsignedCall, ready: Callable[[], Awaitable[None]]
) -> dict[str, Any]:
    """Carries out `call`, unless an earlier command has sent just that and never learnt how it ended.

    `ready` checks what the call needs; not before, for what was sent earlier may have used it up.
    """
    settled = await take_up(access.sender, what, call)
    if settled is None:
        await ready()
    receipt = settled or await access.sender.send(fresh_key(what), call)
    value = {"transaction": "0x" + receipt.tx_hash.hex(), **await _after(access)}
    return value if settled is None else {**value, "note": SETTLED}


async def _after(access: SigningAccess) -> dict[str, Any]:
    return await balances(access.chain, access.wallet.address)
