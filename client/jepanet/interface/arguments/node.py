"""`jepanet node`: run a node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.pausing import drain, pause, resume
from jepanet.interface.rescanning import rescan
from jepanet.interface.strict import StrictGroup
from jepanet.interface.terminal.output import config_option, emit, json_option, pairs, shown, table

if TYPE_CHECKING:
    from jepanet.interface.several import Program
    from jepanet.node.engine import Trace
    from jepanet.operations.views.backups import Released
    from jepanet.operations.views.local import NodeAddress
    from jepanet.operations.views.node import CheckReport
    from jepanet.settings.config import Config


@click.group("node", cls=StrictGroup)
def command() -> None:
    """Run a node, or check that it could run.

    \b
    Examples:
      jepanet node run --config node.toml
      jepanet node run proposer.toml solver.toml
      jepanet node run local
      jepanet node check --config node.toml
      jepanet node address --config node.toml
      jepanet node rescan 18000 --config node.toml
      jepanet node release --lost --config node.toml
      jepanet node pause solver --config node.toml
      jepanet node drain --wait --config node.toml
    """


for _command in (rescan, pause, resume, drain):
    command.add_command(_command)


@command.command("run")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE|FOLDER]...")
@click.option("--config", "config_path", type=click.Path(path_type=Path),
              envvar="JEPANET_CONFIG", help="The node's TOML file (or set JEPANET_CONFIG).")  # fmt: skip
@click.pass_context
def run(context: click.Context, files: tuple[Path, ...], config_path: Path | None) -> int:
    """Run a node with the roles its configuration names, until Ctrl-C or SIGTERM; or a node for each FILE. A
    FOLDER stands for its node.toml, or for those of its subfolders, as `jepanet quickstart` makes them.

    It may be killed at any moment: the next start takes up every round where it stopped.

    Several nodes are a process each; their log lines begin with their names. When one ends that is told and
    the others go on. A stop ends the last one named first; the exit code is that of the first that failed.

    \b
    Examples:
      jepanet node run --config solver.toml
      jepanet node run aggregator.toml proposer.toml solver.toml
      jepanet node run local
    """
    import asyncio

    from jepanet.settings.config_file import config_files

    given = context.get_parameter_source("config_path") is click.core.ParameterSource.COMMANDLINE
    # A shell that fills in `--config local/*/node.toml` gives the option one file and the rest to FILE.
    first = (config_path,) if config_path is not None and (given or not files) else ()
    named = tuple(found for path in (*first, *files) for found in config_files(path))
    if not named:
        raise click.UsageError("no configuration is named: give --config FILE, or files", context)
    if len(named) == 1:
        asyncio.run(start(named[0]))
        return 0
    from jepanet.interface.several import run_together
    from jepanet.log_stream import make_errors_patient

    programs = _programs(named)
    make_errors_patient()
    return asyncio.run(run_together(programs))


def _programs(files: tuple[Path, ...]) -> list[Program]:
    """A program for each configuration. Raises: Fatal: one is wrong, or they cannot run beside each other."""
    import sys

    from jepanet.errors import Exit, Fatal
    from jepanet.interface.several import Program
    from jepanet.settings.config import load_config

    configs = [load_config(file) for file in files]
    folders = [config.node.data_dir.resolve() for config in configs]
    for file, config, folder in zip(files, configs, folders, strict=True):
        if folders.count(folder) > 1:
            raise Fatal(f"{folder} is the data directory of two of these nodes",
                        remedy="give each node.data_dir of its own", code=Exit.CONFIG)  # fmt: skip
        wallet = config.wallet
        if not (wallet.password_file or wallet.password_env or wallet.password_credential):
            raise Fatal(f"{file} does not say where its wallet's password is, and none is asked for here",
                        remedy="set wallet.password_file", code=Exit.CONFIG)  # fmt: skip
    names = [config.node.name for config in configs]
    return [
        Program(
            name if names.count(name) == 1 else str(file),
            # -P: nothing in the working directory is taken for a module of the program.
            (sys.executable, "-P", "-m", "jepanet", "node", "run", "--config", str(file)),
        )
        for name, file in zip(names, files, strict=True)
    ]


async def start(config_path: Path, *, trace: Trace | None = None) -> None:
    """Runs a node once nothing is wrong that no waiting heals; `trace` as `run_node` takes it.

    Raises:
        Fatal: the operator must act; the message names the remedy.
    """
    import gc

    # Nothing that is imported becomes garbage: looking for some, again and again, is a tenth of the imports.
    gc.disable()
    try:
        from jepanet.log_file import LogFile
        from jepanet.log_stream import make_errors_patient
        from jepanet.node.app import run_node
        from jepanet.operations.checks.preflight import advise, refuse_to_start
        from jepanet.rpc.service import RpcService
        from jepanet.settings.config import load_config
        from jepanet.telemetry import configure_logging
    finally:
        gc.enable()
    gc.freeze()  # nor is it looked at later

    config = load_config(config_path)
    make_errors_patient()
    said = config.log
    file = None if said.file is None else LogFile(said.file, said.max_bytes, said.keep)
    configure_logging(level=said.level, json=said.json, file=file)
    await refuse_to_start(config)
    await run_node(config, advise=advise, service=RpcService(), trace=trace)


@command.command("address")
@config_option
@json_option
def address(config_path: Path, as_json: bool) -> None:
    """Print a node's peer id and the addresses that others write into p2p.bootstrap.

    Works before the first start: the network key that the id follows from is made if there is none yet.

    Example: jepanet node address --config first.toml
    """
    from jepanet.operations.beginning import node_address
    from jepanet.settings.config import load_config

    def lines(value: NodeAddress) -> None:  # whole: they are copied from here
        click.echo("\n".join(value.addresses or (value.peer,)))

    emit(node_address(load_config(config_path)), as_json, lines)


@command.command("release")
@click.option("--moved", is_flag=True,
              help="The other copy was stopped before the backup, and has not run since.")  # fmt: skip
@click.option("--lost", is_flag=True,
              help="It is gone for good; nothing is signed for the rounds that there are now.")  # fmt: skip
@config_option
@json_option
@click.pass_context
def release(context: click.Context, moved: bool, lost: bool, config_path: Path, as_json: bool) -> None:
    """Let a restored node start, once the one it was copied from cannot run again.

    What you say is held against the chain and the backup: with --moved the chain may know no transaction of
    the wallet that the folder does not know. Where p2p.announce names addresses, they are dialled: nobody may
    answer there with this node's key.

    \b
    Examples:
      jepanet node release --moved --config node.toml
      jepanet node release --lost --config node.toml
    """
    import asyncio

    from jepanet.settings.config import load_config

    if moved == lost:
        raise click.UsageError("say what became of the other copy: --moved or --lost", context)
    made = asyncio.run(_released(load_config(config_path), moved=moved))
    emit(made, as_json, lambda value: pairs("May start now", shown(value)))


async def _released(config: Config, *, moved: bool) -> Released:
    import tempfile

    from jepanet.operations.access import open_chain
    from jepanet.operations.backups.release import expect_no_twin, open_copy, release
    from jepanet.operations.beginning import node_address
    from jepanet.operations.reading.visit import open_visit

    with open_copy(config) as copy:
        async with open_chain(config.chain) as chain:
            if config.p2p.announce:
                with tempfile.TemporaryDirectory(prefix="jepanet-release-") as folder:
                    async with open_visit(chain.deployment, Path(folder), ()) as network:
                        await expect_no_twin(network, config.p2p.announce, node_address(config).peer)
            return await release(copy, chain, moved=moved)


@command.command("check")
@config_option
@json_option
def check(config_path: Path, as_json: bool) -> None:
    """Check machine, configuration, dataset, peers, chain, wallet and roles without starting anything.

    Prints a row for each check: ok, warning or failure, the latter two with what to do. Ends with the exit
    code of the first failure, 0 if there is none. `node run` refuses to start on those that waiting cannot
    heal.

    Example: jepanet node check --config solver.toml
    """
    import asyncio

    from jepanet.errors import Fatal
    from jepanet.operations.checks.preflight import NotReady, preflight, unreadable
    from jepanet.settings.config import load_config

    try:
        try:
            config = load_config(config_path)
        except Fatal as error:
            raise unreadable(error) from error
        emit(asyncio.run(preflight(config, config_path)), as_json, show_checks)
    except NotReady as failed:
        emit(failed.report, as_json, show_checks)
        raise


def show_checks(value: CheckReport) -> None:
    """Every row, and the account where it could be read."""
    rows = [(row.level, row.check, row.finding, row.remedy or "") for row in value.rows]
    verdict = "Ready to run" if value.ready else "NOT ready to run"
    if value.roles is None and value.ready:
        verdict = "This machine"
    table(verdict, ("", "check", "finding", "what to do"), rows)
    if value.account is not None:
        account = {"roles": value.roles, "head": value.head, **shown(value.account)}
        pairs("Account (amounts in tokens; native in ether)", account)
