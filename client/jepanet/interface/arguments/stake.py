"""`jepanet stake`: what a wallet has put up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.strict import StrictGroup
from jepanet.interface.terminal.output import config_option, emit, json_option, pairs, shown

if TYPE_CHECKING:
    from jepanet.operations.access import SigningAccess
    from jepanet.operations.views.funds import Sent
    from jepanet.rpc.calling.client import NodeClient
    from jepanet.settings.config import Config

_PATIENCE = 600.0
"""Seconds for which a running node is asked again how a withdrawal ended."""
_PAUSE = 1.0


@click.group("stake", cls=StrictGroup)
def command() -> None:
    """Deposit and withdraw stake. Bonds of rounds are locked out of it, and what rounds pay arrives in it.

    Free stake goes back into the wallet with one call (`withdraw`); that of a wallet that ever joined a
    verifier set only after a delay (`unbond`, then `withdraw`).

    \b
    Examples:
      jepanet stake deposit 200 --config node.toml
      jepanet stake withdraw --config solver.toml
      jepanet stake unbond 50 --config coordinator.toml
    """


@command.command("deposit")
@click.argument("amount")
@config_option
@json_option
def deposit(amount: str, config_path: Path, as_json: bool) -> None:
    """Deposit AMOUNT tokens.

    Example: jepanet stake deposit 200 --config node.toml
    """
    from jepanet.operations.funds import stake
    from jepanet.settings.terms import amount as read_amount

    value = read_amount(amount, "AMOUNT")
    _send(config_path, lambda access: stake.deposit(access, value), as_json)


@command.command("unbond")
@click.argument("amount")
@config_option
@json_option
def unbond(amount: str, config_path: Path, as_json: bool) -> None:
    """Ask AMOUNT tokens back, as a verifier; they can be withdrawn after the network's delay.

    Example: jepanet stake unbond 50 --config coordinator.toml
    """
    from jepanet.operations.funds import stake
    from jepanet.settings.terms import amount as read_amount

    value = read_amount(amount, "AMOUNT")
    _send(config_path, lambda access: stake.unbond(access, value), as_json)


@command.command("withdraw")
@click.argument("amount", required=False)
@config_option
@json_option
def withdraw(amount: str | None, config_path: Path, as_json: bool) -> None:
    """Withdraw AMOUNT tokens of free stake, or all; a verifier: everything whose delay is over.

    A running node with [rpc] is asked to send it, and nothing is sent from here. Ctrl-C then ends the waiting
    and not the sending: called again with the same AMOUNT, the command says how it ended.

    \b
    Examples:
      jepanet stake withdraw --config node.toml
      jepanet stake withdraw 12.5 --config node.toml
    """
    from jepanet.interface.running import answers
    from jepanet.operations.funds import stake
    from jepanet.settings.config import load_config
    from jepanet.settings.terms import amount as read_amount

    value = None if amount is None else read_amount(amount, "AMOUNT")
    config = load_config(config_path)
    if answers(config):
        click.echo("the node runs: it is asked to send it", err=True)
        _show(_withdrawn(config, value), as_json)
        return
    _send(config_path, lambda access: stake.withdraw(access, value), as_json)


@command.command("collect")
@click.argument("account", required=False)
@config_option
@json_option
def collect(account: str | None, config_path: Path, as_json: bool) -> None:
    """Take what ACCOUNT (this wallet by default) owes after a slash out of its stake; a tenth of it is yours.

    An account in debt can neither commit nor take stake out. To pay, deposit as much and collect it.

    Example: jepanet stake collect --config node.toml
    """
    from jepanet.operations.funds import stake
    from jepanet.settings.terms import accounts

    debtor = None if account is None else accounts([account])[0]
    _send(config_path, lambda access: stake.collect(access, debtor), as_json)


def _withdrawn(config: Config, amount: int | None) -> Sent:
    """By the running node's own sender. Raises: Declined, `UNDER_WAY` among others: not mined in time."""
    from jepanet.interface.running import asked
    from jepanet.rpc.calling.declined import Declined
    from jepanet.rpc.codes import Code
    from jepanet.rpc.method import Scope

    async def withdrawn(node: NodeClient) -> Sent:
        loop = asyncio.get_running_loop()
        given_up, told = loop.time() + _PATIENCE, False
        while True:
            try:
                return await node.stake_withdraw(None if amount is None else str(amount))
            except Declined as declined:
                if declined.known not in (Code.UNDER_WAY, Code.TIMED_OUT) or loop.time() >= given_up:
                    raise
                if not told:
                    click.echo(f"waiting: {declined.detail or 'the node is at work on it'}", err=True)
                told = True
            await asyncio.sleep(_PAUSE)

    return asked(config, Scope.OPERATE, withdrawn)


def _show(value: Sent, as_json: bool) -> None:
    emit(value, as_json, lambda sent: pairs("Stake (amounts in tokens; native in ether)", shown(sent)))


def _send(config_path: Path, action: Callable[[SigningAccess], Awaitable[Sent]], as_json: bool) -> None:
    from jepanet.operations.access import open_signing
    from jepanet.settings.config import load_config

    async def sent() -> Sent:
        async with open_signing(load_config(config_path)) as access:
            return await action(access)

    _show(asyncio.run(sent()), as_json)
