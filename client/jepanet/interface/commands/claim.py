"""`jepanet claim`: take out what settled rounds owe this wallet."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import (
    ID,
    amounts,
    config_option,
    emit,
    json_option,
    library_options,
    pairs,
    table,
    tokens,
)


@click.command("claim", cls=StrictCommand)
@click.argument("round_ids", nargs=-1, type=ID)
@config_option
@library_options
@json_option
def command(
    round_ids: tuple[int, ...],
    config_path: Path,
    inputs: Path,
    peers: tuple[str, ...],
    offline: bool,
    as_json: bool,
) -> None:
    """Claim pay, fees and bonds of ROUND_IDS, or of every ended round; withdraw all credit.

    A running node does this by itself. Only a claim needs the round's score sheet, from the node's own store,
    --inputs or a peer; credit needs neither. Exit code 17 if a sheet could not be had: the rest is done.

    \b
    Examples:
      jepanet claim --config solver.toml
      jepanet claim 3 4 --config solver.toml
    """
    from jepanet.errors import Exit
    from jepanet.operations.funds import claims

    made = asyncio.run(claims.claim(config_path, round_ids, inputs=inputs, peers=peers, offline=offline))
    emit(made, as_json, _show)
    if made["missing"]:
        click.get_current_context().exit(int(Exit.NO_PEERS))


def _show(value: dict[str, Any]) -> None:
    table("Claims", ("round", "tokens", "outcome"), [_row(item) for item in value["rounds"]])
    click.echo(f"withdrawn to the wallet: {tokens(value['withdrawn'])} tokens")
    pairs("Wallet (amounts in tokens; native in ether)", amounts(value["wallet"]))
    if int(value["wallet"]["stake_free"]):
        click.echo("free stake backs the next bonds; `jepanet stake unbond AMOUNT` asks it back")


def _row(item: dict[str, Any]) -> tuple[Any, ...]:
    said = []
    if "claimed" in item:
        said.append(str(item["verdict"]))
    if "bond_released" in item:
        said.append(f"bond of {tokens(item['bond_released'])} back in the stake")
    if "swept" in item:
        said.append("unclaimed pay")
    amount = item.get("claimed", item.get("swept"))
    return item["round"], "" if amount is None else tokens(amount), ", ".join(said) or item["reason"]
