"""`jepanet dashboard`: the dashboard of a running node, or the page of a whole project for who runs none."""

from __future__ import annotations

import asyncio
import json
import webbrowser
from pathlib import Path

import click

from jepanet.interface.configured import CONFIG_FILE
from jepanet.interface.handles import Inputs
from jepanet.interface.observed_page import PageWanted, serve_page
from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import ID, emit, json_option, library_options

_PORT = 4781


@click.command("dashboard", cls=StrictCommand)
@click.option("--config", "config_path", type=CONFIG_FILE, metavar="FILE",
              envvar="JEPANET_CONFIG",
              help="TOML file of a node that runs, or its folder (or JEPANET_CONFIG).")  # fmt: skip
@json_option
@click.option(
    "--operate", is_flag=True, help="Of a node: also allow what changes something, such as claiming."
)
@click.option("--open", "opened", is_flag=True, help="Open it in this machine's browser.")
@click.option("--rpc", "endpoints", multiple=True, metavar="URL",
              help="Without a node: endpoint of the chain; repeat for more, which are compared.")  # fmt: skip
@click.option("--deployment", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Without a node: the network's deployment.json.")  # fmt: skip
@library_options
@click.option("--project", type=ID, help="Without a node: show this project alone.")
@click.option("--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True,
              help="Without a node: where to listen on this machine; 0 takes any that is free.")  # fmt: skip
def command(
    config_path: Path | None,
    as_json: bool,
    operate: bool,
    opened: bool,
    endpoints: tuple[str, ...],
    deployment: Path | None,
    inputs: Inputs,
    project: int | None,
    port: int,
) -> None:
    """Print a link to a dashboard. It lets one browser in, once, within two minutes.

    With --config it is that of a running node, asked over its JSON-RPC ([rpc] enabled = true). The link has
    no token in it: the page exchanges its code for one and keeps that until its tab is closed. Exit code 28
    if the node does not run.

    With --rpc it is a page of whole projects for who runs no node: model quality over rounds, solvers,
    payouts, provenance, download and verification. It reads the chain, fetches score sheets from --peer, and
    serves the page on this machine until it is interrupted. No wallet, no key; it changes nothing. At a
    terminal, Enter prints another link.

    \b
    Examples:
      jepanet dashboard --config node.toml --open
      jepanet dashboard --config node.toml --operate
      jepanet dashboard --rpc https://rpc.example.org --deployment deployment.json --peer /dns4/… --open
      jepanet dashboard --rpc URL --rpc URL --deployment deployment.json --peer /dns4/… --project 1
    """
    if endpoints:
        if operate:
            raise click.UsageError("--operate and --rpc: without a node there is nothing to operate")
        _observe(config_path, endpoints, deployment, inputs, PageWanted(project, port, opened), as_json)
        return
    if deployment is not None or inputs.peers or inputs.offline or project is not None:
        raise click.UsageError("--deployment, --peer, --offline and --project go with --rpc URL")
    if config_path is None:
        raise click.UsageError("give --config FILE of a running node, or --rpc URL and --deployment FILE")
    _link_of_node(config_path, operate, opened, as_json)


def _link_of_node(config_path: Path, operate: bool, opened: bool, as_json: bool) -> None:
    from jepanet.interface.running import asked
    from jepanet.rpc.calling.client import NodeClient, dashboard_link
    from jepanet.rpc.method import Scope
    from jepanet.settings.config import load_config

    scope = Scope.OPERATE if operate else Scope.READ

    async def invited(node: NodeClient) -> str:
        invitation = await (node.dashboard_invite_operator() if operate else node.dashboard_invite())
        return dashboard_link((await node.node_status()).rpc, invitation)

    link = asked(load_config(config_path), scope, invited)
    if opened:
        webbrowser.open(link)
    emit({"link": link}, as_json, lambda told: click.echo(told["link"]))


def _observe(
    config_path: Path | None,
    endpoints: tuple[str, ...],
    deployment: Path | None,
    inputs: Inputs,
    wanted: PageWanted,
    as_json: bool,
) -> None:
    from jepanet.settings.observer_config import load_observer

    where = load_observer(config_path, endpoints=endpoints, deployment=deployment)

    def told(link: str) -> None:
        click.echo(json.dumps({"link": link}) if as_json else link)
        if not as_json:
            click.echo("jepanet: serving until Ctrl-C; at a terminal, Enter prints another link", err=True)

    asyncio.run(serve_page(where, inputs, wanted, told))
