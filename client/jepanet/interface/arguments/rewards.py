"""`jepanet rewards`: what results granted a running node's wallet, round after round."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import config_option, emit, json_option, table, tokens

if TYPE_CHECKING:
    from jepanet.operations.views.rounds import Reward
    from jepanet.rpc.calling.client import NodeClient


@click.command("rewards", cls=StrictCommand)
@config_option
@json_option
def command(config_path: Path, as_json: bool) -> None:
    """List what recorded results grant the node's wallet, the newest round first, and whether it was claimed.

    Asks the running node over its JSON-RPC ([rpc] enabled = true), and no endpoint of the chain: of ended
    rounds the node keeps the newest 64. Exit code 28 if it does not run or does not answer.

    Example: jepanet rewards --config solver.toml
    """
    from jepanet.interface.running import asked
    from jepanet.rpc.calling.client import every
    from jepanet.rpc.method import Scope
    from jepanet.settings.config import load_config

    async def found(node: NodeClient) -> tuple[Reward, ...]:
        return tuple([item async for item in every(node.rewards_list)])

    emit(asked(load_config(config_path), Scope.READ, found), as_json, _show)


def _show(items: tuple[Reward, ...]) -> None:
    rows = [
        (
            item.round,
            item.project,
            item.part,
            item.verdict or "",
            "not known here" if item.paid is None else tokens(item.paid),
            item.claim or "",
        )
        for item in items
    ]
    table("Rewards (paid in tokens)", ("round", "project", "as", "verdict", "paid", "claim"), rows)
    known = sum(item.paid for item in items if item.paid is not None)
    click.echo(f"together, as far as known here: {tokens(known)} tokens")
