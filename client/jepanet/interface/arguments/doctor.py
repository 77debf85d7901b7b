"""`jepanet doctor`: everything there is to find out about a node and its machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.arguments.node import show_checks
from jepanet.interface.configured import CONFIG_FILE
from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import emit, json_option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jepanet.operations.views.node import CheckReport
    from jepanet.settings.config import Config


@click.command("doctor", cls=StrictCommand)
@click.option("--config", "config_path", type=CONFIG_FILE,
              envvar="JEPANET_CONFIG",
              help="The node's TOML file (or set JEPANET_CONFIG); else this machine alone.")  # fmt: skip
@click.option("--bundle", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Also write a zip file for whoever helps, without secrets.")  # fmt: skip
@json_option
def command(config_path: Path | None, bundle: Path | None, as_json: bool) -> None:
    """Look at everything: what `node check` does, versions, clock, disk, memory, endpoints.

    Prints a row for each: ok, warning or failure, the latter two with what to do. It changes nothing, and the
    node may run meanwhile. Ends with the exit code of the first failure, 0 if there is none.

    \b
    Examples:
      jepanet doctor
      jepanet doctor --config solver.toml
      jepanet doctor --config solver.toml --bundle support.zip
    """
    import os

    from jepanet.errors import Fatal
    from jepanet.interface.folders import state_folder
    from jepanet.operations.checks.preflight import NotReady, unreadable
    from jepanet.operations.diagnosis.bundle import write_bundle
    from jepanet.settings.config import load_config, read_tree

    # Before the wallet is unlocked, which takes its password out of the environment.
    environment, config, problem = dict(os.environ), None, None
    tree: Mapping[str, object] = {}
    try:
        if config_path is not None:
            tree, config = read_tree(config_path), load_config(config_path)
        report = _examined(config, config_path)
    except NotReady as error:
        report, problem = error.report, error
    except Fatal as error:
        problem = unreadable(error)
        report = problem.report
    if bundle is not None:
        faults = sorted(state_folder("faults").glob("*.txt"))[-5:]
        write_bundle(bundle, report, config, tree=tree, environment=environment, faults=faults)
    emit(report, as_json, show_checks)
    if problem is not None:
        raise problem


def _examined(config: Config | None, source: Path | None) -> CheckReport:
    import asyncio

    from jepanet.errors import JepanetError
    from jepanet.operations.access import open_chain
    from jepanet.operations.checks.preflight import NotReady
    from jepanet.operations.diagnosis.doctor import examine, examine_machine

    if config is None or source is None:
        return asyncio.run(examine_machine(Path.cwd()))

    async def looked() -> CheckReport:
        try:
            async with open_chain(config.chain) as chain:
                return await examine(config, source, chain)
        except NotReady:
            raise
        except JepanetError:  # the rows of the endpoints say why
            return await examine(config, source, None)

    return asyncio.run(looked())
