"""The stake that makes commits possible, and what of it goes back into the wallet."""

from __future__ import annotations

from jepanet.errors import Rejected, Transient
from jepanet.roles.context import Context
from jepanet.roles.steps.submit import newest_known, submit
from jepanet.telemetry import get_logger
from jepanet.tokens import exact

log = get_logger("stake")

_ALLOWED_AGAIN = 8


async def withdraw_stake(context: Context, most: int, key: str) -> int:
    """Takes up to `most` wei of this account's free stake out into the wallet; the wei paid.

    A verifier's stake leaves by unbonding, which takes days and is for its operator to decide: 0.
    `key` names the occasion.
    """
    lens = context.contracts.lens
    for block in (newest_known(context), "latest"):
        # What others settled since, they may have told in a newer block: that only `latest` shows.
        if (await lens.account(context.me, block)).verifier:
            return 0
        amount = min(most, await lens.withdrawable(context.me, block))
        if amount:
            # With the sum: tried again when more has come in, a duty would take the first for the second.
            await submit(context, f"{key}/{amount}", context.contracts.rounds.withdraw(amount, context.me))
            log.info("stake.withdrawn", amount=amount, occasion=key)
            return amount
    return 0


def check_bond(context: Context, bond: int) -> None:
    """Whether this node takes part in a round with this bond (wei).

    Anybody may open a round at any bond, with verifiers of their own, who could take it.

    Raises:
        Rejected: reason `bond-too-high`; the operator's limit is lower.
    """
    if context.max_bond is not None and bond > context.max_bond:
        raise Rejected(
            f"the round's bond of {exact(bond)} tokens is above the limit of {exact(context.max_bond)}",
            reason="bond-too-high",
            remedy="raise solver.max_bond if you trust the project's verifiers with it",
        )


async def ensure_stake(context: Context, amount: int, key: str) -> None:
    """Deposits what is lacking to lock `amount` (wei) for this account.

    Raises:
        Transient: the wallet holds too few tokens; the message says how many are missing. Not refused for
            good: as long as the round takes commits, tokens may come.
    """
    contracts, known = context.contracts, newest_known(context)
    lacking = amount - (await contracts.lens.account(context.me, known)).free
    if lacking <= 0:
        return
    token, rounds = contracts.token, contracts.rounds
    held = await token.balance(context.me, known)
    if held < lacking:
        raise Transient(
            f"the stake needs {exact(lacking)} tokens more and the wallet {context.me} holds {exact(held)}",
            remedy="send tokens to the wallet, or lower the bond of the rounds you join",
        )
    await allow(context, lacking, key)
    await submit(context, f"{key}/deposit", rounds.deposit(lacking, context.me))


async def allow(context: Context, amount: int, key: str) -> None:
    """Allows the contract to take `amount` (wei) of this wallet's tokens, unless it is allowed to already.

    A command of the same wallet may take from what was allowed, or overwrite it, before it is used. Then it
    is allowed again, under another key, since what was sent under a key is not sent again.

    Raises:
        Transient: it was taken again each time, or as `submit`.
    """
    token, rounds = context.contracts.token, context.contracts.rounds
    for turn in range(_ALLOWED_AGAIN):
        if await token.allowance(context.me, rounds.address, newest_known(context)) >= amount:
            return
        name = f"{key}/approve/{turn}" if turn else f"{key}/approve"
        await submit(context, name, token.approve(rounds.address, amount))
    if await token.allowance(context.me, rounds.address, newest_known(context)) < amount:
        raise Transient(f"{key}: what the contract may take of {context.me} is taken again and again")
