"""`jepanet quickstart`: a whole network on this machine, ready to run."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.folders import data_folder
from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import emit, json_option, table

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from jepanet.operations.views.local import LocalNetwork


@click.command("quickstart", cls=StrictCommand)
@click.option("--out", "directory", type=click.Path(path_type=Path), default=lambda: data_folder("local"),
              show_default="~/.local/share/jepanet/local", help="Folder of the network.")  # fmt: skip
@click.option("--recipe", metavar="NAME", help="The preset that is trained; tworoom-small unless named.")
@click.option("--solvers", type=click.IntRange(1, 8), help="How many solvers; 2 unless told.")
@click.option("--rounds", type=click.IntRange(1, 512),
              help="How many rounds are played; as many as there are sealed shards unless told.")  # fmt: skip
@click.option(
    "--chain-port", type=click.IntRange(1, 65535), help="Port of the chain; 8545 or the next free one."
)
@json_option
def command(
    directory: Path,
    recipe: str | None,
    solvers: int | None,
    rounds: int | None,
    chain_port: int | None,
    as_json: bool,
) -> None:
    """Make a whole network on this machine: a local chain with the contracts, wallets and funds, data, a
    project, and a folder with a node.toml for a proposer, a coordinator, an aggregator and each solver.

    It may be interrupted: the same call goes on where it stopped, and replaces nothing. Once all is there, it
    starts the chain if that does not run. Nothing on it has value. It ends with the two commands that follow.

    \b
    Examples:
      jepanet quickstart
      jepanet quickstart --out local --recipe image-tiny --solvers 3
    """
    with _Steps() as steps:
        steps.step("plan of the network")  # before what takes seconds to import
        from jepanet.interface.folders import state_folder
        from jepanet.operations.local_network.plan import Wanted
        from jepanet.operations.local_network.quickstart import quickstart

        wanted = Wanted(recipe, solvers, rounds, chain_port)
        made = quickstart(directory.expanduser(), wanted, steps, state_folder("networks"))
    emit(made, as_json, _show)


class _Steps:
    """Says on standard error what is being done, with its seconds, and how far a long step is."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        console = Console(stderr=True)
        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn())
        self._bar: Progress = Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        )
        self._long: TaskID | None = None
        self._what: str | None = None
        self._since = 0.0

    def step(self, what: str) -> None:
        self._done()
        self._what, self._since = what, time.monotonic()
        click.echo(f"{what} …", err=True)

    def progress(self, done: int, total: int) -> None:
        if self._long is None:
            self._bar.start()
            self._long = self._bar.add_task("", total=total)
        self._bar.update(self._long, completed=done, total=total)

    def _done(self) -> None:
        self._stop()
        if self._what is not None:
            click.echo(f"  done in {time.monotonic() - self._since:.1f} s", err=True)
            self._what = None

    def _stop(self) -> None:
        if self._long is not None:
            self._bar.remove_task(self._long)
            self._bar.stop()
            self._long = None

    def __enter__(self) -> _Steps:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._done()
        self._stop()


def _show(made: LocalNetwork) -> None:
    rows = [(node.name, node.address, node.config, node.rpc_port) for node in made.nodes]
    table(f"Local network in {made.folder}", ("node", "wallet", "configuration", "JSON-RPC"), rows)
    click.echo(
        f"Its chain answers at {made.chain.anvil.rpc}; project {made.project} trains {made.recipe} for "
        f"{made.rounds} rounds."
    )
    windows = ", ".join(f"{name.upper()} {seconds} s" for name, seconds in made.windows.items())
    click.echo(f"Windows of a round keep a local pace: {windows} at most.")
    click.echo("On a real network they last minutes to days: docs/start/quick-start.md#a-local-pace")
    folder, first = (shlex.quote(str(item)) for item in (made.folder, _solver(made)))
    click.echo("Next, the nodes, and in another terminal what they do:")
    click.echo(f"  jepanet node run {folder}")
    click.echo(f"  jepanet round watch --config {first}")
    click.echo(f"The same in a browser: jepanet dashboard --open --config {first}")
    click.echo("When you have seen enough: Ctrl-C for the nodes, and for the chain, which is kept,")
    click.echo(f"  jepanet devnet down --dir {shlex.quote(str(made.folder / 'devnet'))}")


def _solver(made: LocalNetwork) -> Path:
    """The configuration of the first one: it earns, so its receipts are worth a look."""
    return next(node.config for node in made.nodes if node.name.startswith("solver"))
