"""`jepanet config`: what a node's configuration comes to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.strict import StrictGroup
from jepanet.interface.terminal.output import config_option, emit, json_option, table

if TYPE_CHECKING:
    from jepanet.operations.views.local import Setting


@click.group("config", cls=StrictGroup)
def command() -> None:
    """Show what a node's configuration comes to.

    \b
    Example:
      jepanet config show --config node.toml
    """


@command.command("show")
@config_option
@json_option
def show(config_path: Path, as_json: bool) -> None:
    """Show every key with its value and where that comes from: a variable JEPANET_<SECTION>_<KEY> of the
    environment, which goes before the file; the file; or the default.

    What may be a secret is hidden; of endpoints only scheme, host and port are shown.

    Example: jepanet config show --config node.toml
    """
    import os

    from jepanet.operations.shown_config import settings
    from jepanet.settings.config import load_config, read_tree

    config = load_config(config_path)
    found = settings(config, read_tree(config_path), os.environ)

    def rows(items: tuple[Setting, ...]) -> None:
        shown = [(item.key, _cell(item.value), item.source) for item in items]
        table("Configuration", ("key", "value", "from"), shown)

    emit(found, as_json, rows)


def _cell(value: object) -> object:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
