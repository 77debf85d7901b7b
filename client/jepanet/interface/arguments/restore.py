"""`jepanet restore`: a node's folder out of a backup."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import emit, json_option

if TYPE_CHECKING:
    from jepanet.operations.views.backups import Restored


@click.command("restore", cls=StrictCommand)
@click.argument("archive", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--out", "folder", required=True, type=click.Path(path_type=Path), metavar="DIR",
              help="Folder to make; there must be nothing of that name.")  # fmt: skip
@click.option("--sha256", metavar="HEX", help="What `jepanet backup` printed: refuse any other archive.")
@json_option
def command(archive: Path, folder: Path, sha256: str | None, as_json: bool) -> None:
    """Make a node's folder out of a backup, and say what is left to do.

    Two copies of one node must never run: they sign two results for one round, which costs the stake. So the
    restored node starts only after `jepanet node release`.

    \b
    Examples:
      jepanet restore solver.backup --out solver
      jepanet restore solver.backup --out solver --sha256 1f0c…
    """
    import os

    from jepanet.operations.backups.restore import restore

    emit(restore(archive, folder.absolute(), sha256=sha256, environment=os.environ), as_json, _show)


def _show(made: Restored) -> None:
    """Lines, not a table: they are copied from here."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(made.made))
    click.echo(f"Folder         {made.folder}\nConfiguration  {made.config}\nWallet         {made.wallet}")
    click.echo(f"Backup of      {when} UTC, {made.files} files\nNext:")
    for number, step in enumerate(made.next, 1):
        click.echo(f"  {number}. {step}")
