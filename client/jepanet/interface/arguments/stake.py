"""`jepanet stake`: what a wallet has put up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.sending import sent
from jepanet.interface.strict import StrictGroup
from jepanet.interface.terminal.output import config_option, emit, json_option, pairs, shown

if TYPE_CHECKING:
    from jepanet.operations.views.funds import Sent


@click.group("stake", cls=StrictGroup)
def command() -> None:
    """Deposit and withdraw stake. Bonds of rounds are locked out of it, and what rounds pay arrives in it.

    Free stake goes back into the wallet with one call (`withdraw`); that of a wallet that ever joined a
    verifier set only after a delay (`unbond`, then `withdraw`).

    A running node with [rpc] is asked to send all of it, so that two never send from one wallet. Ctrl-C then
    ends the waiting and not the sending: called again in the same way, the command says how it ended.

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
    from jepanet.settings.config import load_config
    from jepanet.settings.terms import amount as read_amount

    value = read_amount(amount, "AMOUNT")
    made = sent(
        load_config(config_path),
        "deposit",
        lambda node: node.stake_deposit(str(value)),
        lambda access: stake.deposit(access, value),
    )
    _show(made, as_json)


@command.command("unbond")
@click.argument("amount")
@config_option
@json_option
def unbond(amount: str, config_path: Path, as_json: bool) -> None:
    """Ask AMOUNT tokens back, as a verifier; they can be withdrawn after the network's delay.

    Example: jepanet stake unbond 50 --config coordinator.toml
    """
    from jepanet.operations.funds import stake
    from jepanet.settings.config import load_config
    from jepanet.settings.terms import amount as read_amount

    value = read_amount(amount, "AMOUNT")
    made = sent(
        load_config(config_path),
        "unbond",
        lambda node: node.stake_unbond(str(value)),
        lambda access: stake.unbond(access, value),
    )
    _show(made, as_json)


@command.command("withdraw")
@click.argument("amount", required=False)
@config_option
@json_option
def withdraw(amount: str | None, config_path: Path, as_json: bool) -> None:
    """Withdraw AMOUNT tokens of free stake, or all; a verifier: everything whose delay is over.

    \b
    Examples:
      jepanet stake withdraw --config node.toml
      jepanet stake withdraw 12.5 --config node.toml
    """
    from jepanet.operations.funds import stake
    from jepanet.settings.config import load_config
    from jepanet.settings.terms import amount as read_amount

    value = None if amount is None else read_amount(amount, "AMOUNT")
    made = sent(
        load_config(config_path),
        "withdraw",
        lambda node: node.stake_withdraw(None if value is None else str(value)),
        lambda access: stake.withdraw(access, value),
    )
    _show(made, as_json)


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
    from jepanet.settings.config import load_config
    from jepanet.settings.terms import accounts

    debtor = None if account is None else accounts([account])[0]
    made = sent(
        load_config(config_path),
        "collect",
        lambda node: node.stake_collect(debtor),
        lambda access: stake.collect(access, debtor),
    )
    _show(made, as_json)


def _show(value: Sent, as_json: bool) -> None:
    emit(value, as_json, lambda made: pairs("Stake (amounts in tokens; native in ether)", shown(made)))
