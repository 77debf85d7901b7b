"""`jepanet stake`: deposits in the vault."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from jepanet.interface.strict import StrictGroup
from jepanet.interface.terminal.output import amounts, config_option, emit, json_option, pairs


@click.group("stake", cls=StrictGroup)
def command() -> None:
    """Deposit and withdraw stake. Bonds of rounds are locked out of it; coordinators are held to it.

    \b
    Examples:
      jepanet stake deposit 200 --config node.toml
      jepanet stake unbond 50 --config node.toml
    """


@command.command("deposit")
@click.argument("amount")
@config_option
@json_option
def deposit(amount: str, config_path: Path, as_json: bool) -> None:
    """Deposit AMOUNT tokens.

    Example: jepanet stake deposit 200 --config node.toml
    """
    from jepanet.operations.funds import accounts

    emit(asyncio.run(accounts.deposit(config_path, amount)), as_json, _show)


@command.command("unbond")
@click.argument("amount")
@config_option
@json_option
def unbond(amount: str, config_path: Path, as_json: bool) -> None:
    """Ask AMOUNT tokens back; they can be withdrawn after the vault's delay.

    Example: jepanet stake unbond 50 --config node.toml
    """
    from jepanet.operations.funds import accounts

    emit(asyncio.run(accounts.unbond(config_path, amount)), as_json, _show)


@command.command("withdraw")
@config_option
@json_option
def withdraw(config_path: Path, as_json: bool) -> None:
    """Withdraw everything whose delay is over.

    Example: jepanet stake withdraw --config node.toml
    """
    from jepanet.operations.funds import accounts

    emit(asyncio.run(accounts.withdraw(config_path)), as_json, _show)


def _show(value: dict[str, Any]) -> None:
    pairs("Stake (amounts in tokens; native in ether)", amounts(value))
