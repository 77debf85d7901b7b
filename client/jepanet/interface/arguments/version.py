"""`jepanet version`: what to say first when something is reported."""

from __future__ import annotations

import click

from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import emit, json_option, pairs, shown


@click.command("version", cls=StrictCommand)
@json_option
def command(as_json: bool) -> None:
    """Print versions of client, Python and torch, and a digest over the contracts' ABIs and bytecode.

    Two installations with the same digest speak to the same contracts.

    Example: jepanet version
    """
    from jepanet.operations.installation import installation

    emit(installation(), as_json, lambda value: pairs("Installed", shown(value)))
