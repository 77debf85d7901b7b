"""`jepanet simulator`: what simulators need, beside what this program does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jepanet.interface.strict import StrictGroup
from jepanet.interface.terminal.output import emit, json_option, table

if TYPE_CHECKING:
    from jepanet.operations.views.local import SimulatorPackages


@click.group("simulator", cls=StrictGroup)
def command() -> None:
    """Install what simulators need, of which only datasets and planning are made.

    \b
    Example:
      jepanet simulator install --dry-run
    """


@command.command("install")
@click.option("--dry-run", is_flag=True, help="Only say what would be installed.")
@json_option
def install(dry_run: bool, as_json: bool) -> None:
    """Install the simulators' packages into the virtual environment that this program runs in, at exact
    versions and without requirements of their own.

    What is there at its version is left alone, another version is replaced. Calling it again does nothing.
    pip does it, with its own configuration; what it says goes to standard error.

    \b
    Examples:
      jepanet simulator install --dry-run
      jepanet simulator install
    """
    import shlex

    from jepanet.operations.simulators import found_packages, install_packages

    found = found_packages()
    if found.command:
        click.echo(f"{'would call' if dry_run else 'calling'}: {shlex.join(found.command)}", err=True)
    if not dry_run:
        found = install_packages(found)
    emit(found, as_json, _table)


def _table(found: SimulatorPackages) -> None:
    rows = [(item.name, item.version, item.found or "none", _due(item.version, item.found))
            for item in found.packages]  # fmt: skip
    table(f"Packages of simulators in {found.environment}", ("package", "version", "installed", "due"), rows)


def _due(version: str, found: str | None) -> str:
    if found == version:
        return ""
    return "install" if found is None else "replace"
