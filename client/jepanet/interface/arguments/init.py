"""`jepanet init`: a node's first files, asked for at a terminal or given as options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.folders import data_folder
from jepanet.interface.strict import StrictCommand, never_both
from jepanet.interface.terminal.output import emit, json_option
from jepanet.types import Role

if TYPE_CHECKING:
    from jepanet.operations.views.local import Begun

_LISTEN = "/ip4/0.0.0.0/tcp/4701"


@click.command("init", cls=StrictCommand)
@click.argument("role", type=click.Choice([role.value for role in Role]))
@click.option("--out", "directory", type=click.Path(file_okay=False, path_type=Path),
              help="Folder of the node; default: ~/.local/share/jepanet/nodes/ROLE.")  # fmt: skip
@click.option(
    "--rpc", "endpoints", multiple=True, metavar="URL", help="Endpoint of the chain; repeat for more."
)
@click.option("--deployment", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="The network's deployment.json, which is copied.")  # fmt: skip
@click.option("--bootstrap", multiple=True, metavar="MULTIADDR",
              help="Address of a node that is there, ending in /p2p/PEER; repeat for more.")  # fmt: skip
@click.option(
    "--first", is_flag=True, help="This is the first node of its network: nobody to bootstrap from."
)
@click.option("--listen", default=_LISTEN, show_default=True, metavar="MULTIADDR", help="Where it listens.")
@click.option("--announce", multiple=True, metavar="MULTIADDR",
              help="Where others reach it, as /dns4/NAME/tcp/PORT; repeat for more.")  # fmt: skip
@click.option("--follow", multiple=True, type=click.IntRange(1, (1 << 48) - 1), metavar="PROJECT",
              help="Work for this project only; repeat for more.")  # fmt: skip
@click.option("--password-file", type=click.Path(dir_okay=False, path_type=Path),
              help="File (mode 0600) whose first line is the wallet's password.")  # fmt: skip
@click.option("--new-password", is_flag=True, help="Make a random password, in a file of mode 0600.")
@click.option("--light", is_flag=True, help="Weak key derivation that unlocks at once: development only.")
@json_option
@never_both("password_file", "new_password", "one password opens the wallet")
@never_both("bootstrap", "first", "a first node has nobody to bootstrap from")
def command(
    role: str,
    directory: Path | None,
    endpoints: tuple[str, ...],
    deployment: Path | None,
    bootstrap: tuple[str, ...],
    first: bool,
    listen: str,
    announce: tuple[str, ...],
    follow: tuple[int, ...],
    password_file: Path | None,
    new_password: bool,
    light: bool,
    as_json: bool,
) -> None:
    """Make a node's folder for ROLE: a wallet, the network key, and node.toml with what each key means.

    At a terminal it asks for what no option says; elsewhere it names what is missing. It replaces nothing:
    where there is a node.toml it ends. Then it says what to do next.

    \b
    Examples:
      jepanet init solver
      jepanet init solver --out solver --rpc https://rpc.example.org --deployment deployment.json \\
        --bootstrap /dns4/first.example.org/tcp/4701/p2p/16Uiu2HAm… --password-file password
    """
    from jepanet.operations.beginning import begin
    from jepanet.settings.first_config import FirstConfig

    folder = (directory or data_folder("nodes") / role).expanduser().absolute()
    asks = sys.stdin.isatty() and not as_json
    if not asks:
        _all_said(endpoints, deployment, bootstrap or first, password_file or new_password)
    endpoints = endpoints or (click.prompt("Endpoint of the chain (http:// or https://)"),)
    deployment = deployment or click.prompt("The network's deployment.json", type=_FILE)
    if not bootstrap and not first:
        given = click.prompt("Address of a node that is there (empty: this is the first)", default="",
                             show_default=False)  # fmt: skip
        bootstrap, first = ((given,), False) if given else ((), True)
    said = FirstConfig(
        role=Role(role), name=role, endpoints=endpoints, deployment="deployment.json",
        password_file=None if password_file is None else str(password_file.expanduser().absolute()),
        listen=listen, announce=announce, bootstrap=bootstrap, allow_isolated=first, follow=follow,
    )  # fmt: skip
    made = begin(folder, said, deployment.expanduser(), password=new_password, light=light)
    emit(made, as_json, _show)


_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)


def _all_said(endpoints: object, deployment: object, bootstrap: object, password: object) -> None:
    said = {
        "--rpc URL": endpoints,
        "--deployment FILE": deployment,
        "--bootstrap MULTIADDR (or --first)": bootstrap,
        "--password-file FILE (or --new-password)": password,
    }
    if lacking := [option for option, value in said.items() if not value]:
        raise click.UsageError(
            f"nobody is there to be asked; give {', '.join(lacking)}", click.get_current_context()
        )


def _show(made: Begun) -> None:
    """Lines, not a table: they are copied from here."""
    click.echo(f"Wallet         {made.address}\nKeystore       {made.keystore}\nConfiguration  {made.config}")
    for address in made.addresses:
        click.echo(f"For others     {address}")
    click.echo("Next:")
    for number, step in enumerate(made.next, 1):
        click.echo(f"  {number}. {step}")
