"""`jepanet rewards`: what results granted a running node's wallet, round after round or day by day."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import config_option, emit, json_option, table, tokens

if TYPE_CHECKING:
    from jepanet.operations.views.rounds import DayOfRewards, Reward
    from jepanet.rpc.calling.client import NodeClient


@click.command("rewards", cls=StrictCommand)
@click.option("--by", type=click.Choice(["round", "day"]), default="round", show_default=True,
              help="A row for each round, or for each day (UTC) with sums.")  # fmt: skip
@config_option
@json_option
def command(by: str, config_path: Path, as_json: bool) -> None:
    """List what recorded results grant the node's wallet, the newest first, and whether it was claimed.

    Asks the running node over its JSON-RPC ([rpc] enabled = true), and no endpoint of the chain: of ended
    rounds the node keeps the newest 64. Exit code 28 if it does not run or does not answer.

    \b
    Examples:
      jepanet rewards --config solver.toml
      jepanet rewards --by day --config solver.toml
    """
    from jepanet.interface.running import asked
    from jepanet.operations.funds.earnings import by_day
    from jepanet.rpc.calling.client import every
    from jepanet.rpc.method import Scope
    from jepanet.settings.config import load_config

    async def found(node: NodeClient) -> tuple[Reward, ...]:
        return tuple([item async for item in every(node.rewards_list)])

    items = asked(load_config(config_path), Scope.READ, found)
    if by == "day":
        emit(by_day(items), as_json, _show_days)
    else:
        emit(items, as_json, _show)


def _show(items: tuple[Reward, ...]) -> None:
    from jepanet.operations.funds.earnings import moment

    rows = [
        (
            item.round,
            item.project,
            f"{moment(item.recorded):%Y-%m-%d %H:%M}",
            item.part,
            item.verdict or "",
            "not known here" if item.paid is None else tokens(item.paid),
            tokens(item.lost) if item.lost else "",
            item.claim or "",
        )
        for item in items
    ]
    columns = ("round", "project", "recorded (UTC)", "as", "verdict", "paid", "lost", "claim")
    table("Rewards (paid, and lost of the bond, in tokens)", columns, rows)
    known = sum(item.paid for item in items if item.paid is not None)
    lost = sum(item.lost for item in items if item.lost is not None)
    click.echo(f"together, as far as known here: {tokens(known)} tokens; {tokens(lost)} lost of bonds")


def _show_days(items: tuple[DayOfRewards, ...]) -> None:
    rows = [
        (item.day, item.rounds, item.unknown or "", tokens(item.paid), tokens(item.claimed)) for item in items
    ]
    table("Rewards by day (UTC; in tokens)", ("day", "rounds", "not known here", "paid", "claimed"), rows)
