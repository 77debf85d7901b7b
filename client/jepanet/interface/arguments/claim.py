"""`jepanet claim`: take out what settled rounds owe this wallet."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.handles import Inputs
from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import (
    ID,
    config_option,
    emit,
    json_option,
    library_options,
    pairs,
    shown,
    table,
    tokens,
)

if TYPE_CHECKING:
    from jepanet.operations.views.funds import Claimed, RoundClaim
    from jepanet.operations.views.node import TakenUp
    from jepanet.rpc.calling.client import NodeClient
    from jepanet.settings.config import Config


@click.command("claim", cls=StrictCommand)
@click.argument("round_ids", nargs=-1, type=ID)
@config_option
@library_options
@json_option
def command(round_ids: tuple[int, ...], config_path: Path, inputs: Inputs, as_json: bool) -> None:
    """Claim pay, fees and bonds of ROUND_IDS, or of every ended round. All of it becomes free stake.

    A running node does this by itself; one with [rpc] is asked to do it now, also what it had given up, and
    nothing is sent from here. Without it a claim needs the round's score sheet, from the node's own store,
    --inputs or a peer; a bond that is due without one does not. Exit code 17 if a sheet could not be had: the
    rest is done.

    \b
    Examples:
      jepanet claim --config solver.toml
      jepanet claim 3 4 --config solver.toml
    """
    from jepanet.errors import Exit
    from jepanet.interface.running import answers
    from jepanet.settings.config import load_config

    config = load_config(config_path)
    if answers(config):
        click.echo("the node runs, and claims by itself: it is asked to do so now", err=True)
        emit(_taken_up(config, round_ids), as_json, _show_taken)
        return
    made = asyncio.run(_claim(config, round_ids, inputs))
    emit(made, as_json, _show)
    if made.missing:
        click.get_current_context().exit(int(Exit.NO_PEERS))


def _taken_up(config: Config, round_ids: tuple[int, ...]) -> tuple[TakenUp, ...]:
    """By the node's own journal, so that two never send from one wallet."""
    from jepanet.interface.running import asked
    from jepanet.rpc.calling.client import every
    from jepanet.rpc.method import Scope

    async def take(node: NodeClient) -> tuple[TakenUp, ...]:
        chosen = round_ids or tuple(
            [item.round async for item in every(node.rewards_list) if item.claim in ("pending", "rejected")]
        )
        return tuple([duty for number in chosen for duty in await node.rewards_claim(number)])

    return asked(config, Scope.OPERATE, take)


async def _claim(config: Config, round_ids: tuple[int, ...], inputs: Inputs) -> Claimed:
    from jepanet.operations.access import open_signing
    from jepanet.operations.funds.claim import claim
    from jepanet.operations.reading.history import open_history
    from jepanet.operations.reading.library import open_library
    from jepanet.settings.paths import Paths

    peers, own = inputs.peers or config.p2p.bootstrap, Paths(config.node.data_dir).blobs
    async with (
        open_signing(config) as access,
        open_library(
            access.chain.deployment, inputs.folder, peers=peers, offline=inputs.offline, store=own
        ) as library,
        open_history(access.chain) as history,
    ):
        return await claim(access, history, library, round_ids)


def _show_taken(items: tuple[TakenUp, ...]) -> None:
    table("Claims of the running node", ("duty", "state"), [(item.duty, item.state) for item in items])


def _show(value: Claimed) -> None:
    table("Claims", ("round", "tokens", "outcome"), [_row(item) for item in value.rounds])
    pairs("Wallet (amounts in tokens; native in ether)", shown(value.wallet))
    if value.wallet.withdrawable:
        click.echo("free stake backs the next bonds; `jepanet stake withdraw` takes it out")


def _row(item: RoundClaim) -> tuple[object, ...]:
    told = []
    if item.claimed is not None:
        told.append(str(item.verdict))
    if item.bond_released is not None:
        told.append(f"bond of {tokens(item.bond_released)} back in the stake")
    amount = "" if item.claimed is None else tokens(item.claimed)
    return item.round, amount, ", ".join(told) or item.reason
