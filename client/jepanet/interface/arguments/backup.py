"""`jepanet backup`: what a node cannot make anew, in one file."""

from __future__ import annotations

from pathlib import Path

import click

from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import config_option, emit, json_option, pairs, shown


@click.command("backup", cls=StrictCommand)
@config_option
@click.option("--out", "target", required=True, metavar="ARCHIVE",
              type=click.Path(dir_okay=False, path_type=Path),
              help="File to make; there must be none of that name.")  # fmt: skip
@click.option("--everything", is_flag=True,
              help="Also every file that the node keeps for others: models, sheets, updates.")  # fmt: skip
@json_option
def command(config_path: Path, target: Path, everything: bool, as_json: bool) -> None:
    """Keep what a node cannot make anew in one file: journal, salts, sealed deltas, keys, configuration.

    The node may run meanwhile. The keystore stays encrypted and its password is not in the archive; salts
    are, so keep it as private as the wallet. `jepanet restore` makes a folder of it.

    \b
    Examples:
      jepanet backup --config solver.toml --out solver.backup
      jepanet backup --config proposer.toml --out /mnt/backups/proposer.tar --everything
    """
    import os
    from typing import get_type_hints

    from jepanet.operations.backups.back_up import back_up
    from jepanet.settings.config import Config, load_config
    from jepanet.settings.variables import overriding

    config = load_config(config_path)
    variables = overriding(get_type_hints(Config), os.environ)
    made = back_up(config, config_path, target.absolute(), variables=variables, everything=everything)
    emit(made, as_json, lambda value: pairs("Backed up; as private as the wallet", shown(value)))
