"""`jepanet node rescan`: blocks that a node shall read again, whether it runs or not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import config_option, emit, json_option, pairs, shown

if TYPE_CHECKING:
    from jepanet.operations.views.node import Rescan
    from jepanet.rpc.calling.client import NodeClient
    from jepanet.settings.config import Config

_LOOKS = 2.0
"""Seconds between two looks at a node that is waited for."""


@click.command("rescan", cls=StrictCommand)
@click.argument("first", metavar="FROM", type=click.IntRange(0, (1 << 53) - 1))
@click.option("--wait", is_flag=True, help="Of a running node: come back when it has read them.")
@config_option
@json_option
def rescan(first: int, wait: bool, config_path: Path, as_json: bool) -> None:
    """Have a node read the chain again from block FROM on.

    For a journal that lacks events. A running node with [rpc] does it at once; its duties wait until the
    blocks are there again, so that a round may be missed where they are many. Of a stopped node the blocks
    from FROM on are dropped, and the next start reads them. Either way one by one, with their logs proven
    from receipts. Salts, deltas, scores, signatures and transactions stay.

    \b
    Examples:
      jepanet node rescan 18000 --config solver.toml
      jepanet node rescan 18000 --wait --config solver.toml
    """
    from jepanet.interface.running import answers
    from jepanet.settings.config import load_config

    config = load_config(config_path)
    if answers(config):
        begun = _begun(config, first, wait=wait)
        emit(begun, as_json, lambda value: pairs("Read again by the running node", shown(value)))
        return
    from jepanet.operations.rescan import open_journal
    from jepanet.operations.rescan import rescan as forget

    with open_journal(config) as access:
        dropped = forget(access, first)
    emit(dropped, as_json, lambda value: pairs("To be read again at the next start", shown(value)))


def _begun(config: Config, first: int, *, wait: bool) -> Rescan:
    """How far it is: at its beginning, or where it was waited for, the last time that it was seen."""
    from jepanet.interface.running import asked
    from jepanet.rpc.method import Scope

    async def begun(node: NodeClient) -> Rescan:
        found = await node.chain_rescan(first)
        while wait:
            click.echo(f"waiting: block {found.at} of {found.until}", err=True)
            await asyncio.sleep(_LOOKS)
            now = (await node.chain_status()).rescan
            if now is None:
                return replace(found, at=found.until)
            found = now
        return found

    return asked(config, Scope.OPERATE, begun)
