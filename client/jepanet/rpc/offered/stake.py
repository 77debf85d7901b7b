"""`stake`: what the node's wallet puts up and takes out, each sent by the node itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from jepanet.operations.views.funds import Sent
from jepanet.rpc.handles.sending import TAKES, Sendings
from jepanet.rpc.method import Method, Scope
from jepanet.rpc.offered.texts import ADDRESS, TOKENS, address_of


@dataclass(frozen=True, slots=True)
class AmountParams:
    amount: Annotated[str, TOKENS, "10**-18 of a token"]


@dataclass(frozen=True, slots=True)
class WithdrawParams:
    amount: Annotated[str | None, TOKENS, "10**-18 of a token; left out: all that may be withdrawn"] = None


@dataclass(frozen=True, slots=True)
class CollectParams:
    account: Annotated[str | None, ADDRESS, "who owes; left out: this wallet"] = None


def methods(sendings: Sendings) -> tuple[Method, ...]:
    """Those of this namespace."""

    async def deposit(given: AmountParams) -> Sent:
        return await sendings.deposit.carry_out(int(given.amount))

    async def withdraw(given: WithdrawParams) -> Sent:
        return await sendings.withdraw.carry_out(None if given.amount is None else int(given.amount))

    async def unbond(given: AmountParams) -> Sent:
        return await sendings.unbond.carry_out(int(given.amount))

    async def collect(given: CollectParams) -> Sent:
        return await sendings.collect.carry_out(None if given.account is None else address_of(given.account))

    return (
        Method(
            "stake.deposit",
            "Puts tokens of the wallet up as stake; the node itself sends it",
            AmountParams,
            Sent,
            deposit,
            Scope.OPERATE,
            TAKES,
            alone=True,
        ),
        Method(
            "stake.withdraw",
            "Takes free stake, or a verifier's that has matured, into the wallet; the node itself sends it",
            WithdrawParams,
            Sent,
            withdraw,
            Scope.OPERATE,
            TAKES,
            alone=True,
        ),
        Method(
            "stake.unbond",
            "Asks a verifier's free stake back, which matures after a delay; the node itself sends it",
            AmountParams,
            Sent,
            unbond,
            Scope.OPERATE,
            TAKES,
            alone=True,
        ),
        Method(
            "stake.collect",
            "Takes what an account owes out of its stake, a tenth for this wallet; the node itself sends it",
            CollectParams,
            Sent,
            collect,
            Scope.OPERATE,
            TAKES,
            alone=True,
        ),
    )
