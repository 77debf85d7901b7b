"""`jepanet completion`: a script by which a shell completes commands and options."""

from __future__ import annotations

import click

from jepanet.errors import Exit, Fatal
from jepanet.interface.strict import StrictCommand

PROGRAM, VARIABLE = "jepanet", "_JEPANET_COMPLETE"
"""The variable is click's: with it set, the program answers a shell instead of doing anything."""


@click.command("completion", cls=StrictCommand)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def command(shell: str) -> None:
    """Print a script that completes commands, options and their values in SHELL.

    \b
    Examples:
      jepanet completion bash >> ~/.bashrc
      jepanet completion zsh >> ~/.zshrc
      jepanet completion fish > ~/.config/fish/completions/jepanet.fish
    """
    from click.shell_completion import get_completion_class

    known = get_completion_class(shell)
    if known is None:
        raise Fatal(
            f"click completes nothing in {shell}", remedy="install click again", code=Exit.TOOL_MISSING
        )
    click.echo(known(click.get_current_context().find_root().command, {}, PROGRAM, VARIABLE).source())
