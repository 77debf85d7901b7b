"""`jepanet claim`: take out what settled rounds owe this wallet."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from jepanet.interface.output import ID, config_option, emit, json_option, library_options, table, tokens


@click.command("claim")
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
    """Claim pay and bonds of ROUND_IDS, or of every ended round. A running node does this by itself.

    \b
    Examples:
      jepanet claim --config solver.toml
      jepanet claim 3 4 --config solver.toml
    """
    from jepanet.node import rounds

    def show(value: dict[str, Any]) -> None:
        rows = [
            (item["round"], tokens(item["claimed"]) if "claimed" in item else "", _outcome(item))
            for item in value["rounds"]
        ]
        table("Claims", ("round", "tokens", "outcome"), rows)
        click.echo(f"withdrawn to the wallet: {tokens(value['withdrawn'])} tokens")

    made = asyncio.run(rounds.claim(config_path, round_ids, inputs=inputs, peers=peers, offline=offline))
    emit(made, as_json, show)


def _outcome(item: dict[str, Any]) -> str:
    if "claimed" in item:
        return str(item["verdict"])
    if "bond_released" in item:
        return "bond released" if item["bond_released"] else "cancelled, no bond held"
    return str(item["reason"])
