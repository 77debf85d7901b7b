"""What an account holds, and a wallet's stake in the vault: depositing, asking back, withdrawing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from jepanet.chain.contracts.abi import UnsignedCall
from jepanet.operations.access import ChainAccess, SigningAccess
from jepanet.operations.funds.precheck import check_deposit, check_unbond, check_withdraw
from jepanet.operations.funds.unfinished import SETTLED, fresh_key, take_up
from jepanet.operations.views.funds import Account, Sent
from jepanet.operations.views.json_form import Wei
from jepanet.types import Address


async def balances(chain: ChainAccess, address: Address) -> Account:
    """Everything one account holds, at the newest block."""
    stake = await chain.contracts.vault.account(address, "latest")
    return Account(
        address=address,
        native=Wei(await chain.rpc.balance(address, "latest")),
        tokens=Wei(await chain.contracts.token.balance(address, "latest")),
        stake_free=Wei(stake.free),
        stake_locked=Wei(stake.locked),
        stake_unbonding=Wei(stake.unbonding),
        credit=Wei(await chain.contracts.rounds.credit(address, "latest")),
    )


async def deposit(access: SigningAccess, amount: int) -> Sent:
    """Approves and deposits `amount` wei of stake.

    Raises: Fatal as `check_deposit`.
    """
    token, vault = access.chain.contracts.token, access.chain.contracts.vault
    call, approval = vault.deposit(amount), token.approve(vault.address, amount)

    async def ready() -> None:
        await check_deposit(access.chain, access.wallet.address, amount)
        await take_up(access.sender, "approve", approval)
        if await token.allowance(access.wallet.address, vault.address, "latest") < amount:
            await access.sender.send(fresh_key("approve"), approval)

    return await _once(access, "deposit", call, ready)


async def unbond(access: SigningAccess, amount: int) -> Sent:
    """Asks for `amount` wei of free stake back; it matures after the vault's delay.

    Raises: Fatal as `check_unbond`.
    """
    contracts, me = access.chain.contracts, access.wallet.address
    call = contracts.vault.request_unbond(amount)
    return await _once(access, "unbond", call, lambda: check_unbond(contracts, me, amount))


async def withdraw(access: SigningAccess) -> Sent:
    """Takes out every matured unbonding request.

    Raises: Fatal as `check_withdraw`.
    """
    call = access.chain.contracts.vault.withdraw_unbonded()
    return await _once(access, "withdraw", call, lambda: check_withdraw(access.chain, access.wallet.address))


async def _once(
    access: SigningAccess, what: str, call: UnsignedCall, ready: Callable[[], Awaitable[None]]
) -> Sent:
    """Carries out `call`, unless an earlier command has sent just that and never learnt how it ended.

    `ready` checks what the call needs; not before, for what was sent earlier may have used it up.
    """
    settled = await take_up(access.sender, what, call)
    if settled is None:
        await ready()
    receipt = settled or await access.sender.send(fresh_key(what), call)
    return Sent(
        transaction="0x" + receipt.tx_hash.hex(),
        account=await balances(access.chain, access.wallet.address),
        note=None if settled is None else SETTLED,
    )
