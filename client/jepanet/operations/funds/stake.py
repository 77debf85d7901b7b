"""What an account holds, and a wallet's stake: depositing, asking back, withdrawing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from jepanet.chain.contracts.abi import UnsignedCall
from jepanet.errors import Transient
from jepanet.operations.access import ChainAccess, SendingAccess
from jepanet.operations.funds.precheck import (
    check_debt,
    check_deposit,
    check_free,
    check_ripe,
    check_unbond,
)
from jepanet.operations.funds.unfinished import SETTLED, fresh_key, take_up
from jepanet.operations.views.funds import Account, Sent
from jepanet.operations.views.json_form import Wei
from jepanet.types import Address


async def balances(chain: ChainAccess, address: Address) -> Account:
    """Everything one account holds, at the newest block."""
    lens = chain.contracts.lens
    stake = await lens.account(address, "latest")
    return Account(
        address=address,
        native=Wei(await chain.rpc.balance(address, "latest")),
        tokens=Wei(await chain.contracts.token.balance(address, "latest")),
        stake_free=Wei(stake.free),
        stake_locked=Wei(stake.locked),
        stake_unbonding=Wei(stake.unbonding),
        withdrawable=Wei(await lens.withdrawable(address, "latest")),
        debt=Wei(stake.debt) if stake.debt else None,
    )


async def deposit(access: SendingAccess, amount: int) -> Sent:
    """Approves and deposits `amount` wei of stake.

    Raises: Fatal as `check_deposit`.
    """
    contracts, me = access.chain.contracts, access.sender.address
    call = contracts.rounds.deposit(amount, me)

    async def ready() -> None:
        await check_deposit(access.chain, me, amount)
        await allow(access, amount)

    return await _once(access, "deposit", call, ready)


async def allow(access: SendingAccess, amount: int) -> None:
    """Lets the rounds contract take `amount` wei of the wallet's tokens, unless it may already."""
    token, rounds = access.chain.contracts.token, access.chain.contracts.rounds
    approval = token.approve(rounds.address, amount)
    await take_up(access.sender, "approve", approval)
    if await token.allowance(access.sender.address, rounds.address, "latest") < amount:
        await access.sender.send(fresh_key("approve"), approval)


async def unbond(access: SendingAccess, amount: int) -> Sent:
    """Asks for `amount` wei of a verifier's free stake back; it matures after the network's delay.

    Raises: Fatal as `check_unbond`.
    """
    contracts, me = access.chain.contracts, access.sender.address
    call = contracts.rounds.request_unbond(amount)
    return await _once(access, "unbond", call, lambda: check_unbond(contracts, me, amount))


async def withdraw(access: SendingAccess, amount: int | None = None) -> Sent:
    """Takes stake out into the wallet: of a verifier every matured request; of others free stake, all or
    `amount` wei of it.

    Raises: Fatal as `check_ripe` (a verifier) or `check_free`.
    """
    contracts, me = access.chain.contracts, access.sender.address
    asked = amount is None and await contracts.lens.unbond_requests(me, "latest")
    if asked or (await contracts.lens.account(me, "latest")).verifier:
        call = contracts.rounds.withdraw_unbonded(me)
        return await _once(access, "withdraw", call, lambda: check_ripe(access.chain, me, amount))
    if amount is None:
        amount = await contracts.lens.withdrawable(me, "latest")
    wanted = amount
    call = contracts.rounds.withdraw(wanted, me)
    return await _once(access, "withdraw", call, lambda: check_free(contracts, me, wanted))


async def collect(access: SendingAccess, debtor: Address | None = None) -> Sent:
    """Takes what an account owes, this wallet's own by default, out of its stake; a tenth is the caller's.

    Raises: Fatal as `check_debt`.
    """
    contracts = access.chain.contracts
    who = debtor or access.sender.address
    call = contracts.rounds.collect_debt(who)
    return await _once(access, f"collect/{who}", call, lambda: check_debt(contracts, who))


async def _once(
    access: SendingAccess, what: str, call: UnsignedCall, ready: Callable[[], Awaitable[None]]
) -> Sent:
    """Carries out `call`, unless an earlier command has sent just that and never learnt how it ended.

    `ready` checks what the call needs; not before, for what was sent earlier may have used it up.
    """
    settled = await take_up(access.sender, what, call)
    if settled is None:
        await ready()
    receipt = settled or await access.sender.send(fresh_key(what), call)
    try:
        after = await balances(access.chain, access.sender.address)
    except Transient:  # it took effect all the same: an error would have it repeated
        after = None
    return Sent(
        transaction="0x" + receipt.tx_hash.hex(),
        account=after,
        note=None if settled is None else SETTLED,
    )
