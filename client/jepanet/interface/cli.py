"""The `jepanet` command. Commands are imported when they are called, so that `--help` answers at once."""

from __future__ import annotations

import importlib
import os
import sys

import click

from jepanet import __version__
from jepanet.errors import Exit, Fatal
from jepanet.interface.edge import ended
from jepanet.interface.strict import StrictGroup

LOG_LEVELS = ("debug", "info", "warning", "error")
COMMANDS = {
    "wallet": "Create, import, list and re-encrypt wallet keystores.",
    "quickstart": "Make a whole network on this machine, ready to run.",
    "devnet": "Run a local chain with the contracts deployed.",
    "dataset": "Build datasets, make shards of one's own data, inspect them.",
    "simulator": "Install what simulators need.",
    "project": "Create a project and look at projects.",
    "recipe": "List, show, check and compare recipes.",
    "stake": "Deposit and withdraw stake.",
    "verifiers": "Create verifier sets and join them.",
    "init": "Make a node's folder: wallet, network key and configuration.",
    "node": "Run a node with any set of roles.",
    "backup": "Keep what a node cannot make anew in one file.",
    "restore": "Make a node's folder out of a backup.",
    "doctor": "Look at a node and its machine, and say what to do.",
    "config": "Show what a node's configuration comes to.",
    "dashboard": "Open a running node's page in a browser.",
    "peer": "List, connect and ban peers of a running node.",
    "round": "List rounds, watch one, show one with its receipts.",
    "receipt": "Say in words what a delta was measured as, and what it earned and why.",
    "audit": "Do parts of a round's trainings again and compare.",
    "verify": "Recompute a round's scores, merge and payouts.",
    "rewards": "List what results granted a running node's wallet, by round or day.",
    "claim": "Claim what a settled round owes this wallet.",
    "model": "Export a global model.",
    "train": "Train a model by hand, on one's own data.",
    "lab": "Compare ways of training together, against every control.",
    "status": "Show what the node of a configuration is doing.",
    "top": "Show a running node at a glance, over and over.",
    "version": "Print versions, and which contracts this client speaks to.",
    "completion": "Print a script that completes commands in a shell.",
}


class LazyGroup(StrictGroup):
    """A group whose commands live in `jepanet.interface.arguments.<name>.command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"jepanet.interface.arguments.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # From the table above: asking each command for its help would import them all.
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failure, 2 wrong usage, 10 and above as docs/operations.md lists them.",
)
@click.version_option(__version__, prog_name="jepanet")
def cli() -> None:
    """Train one model together, by strangers; pay only for measured held-out gain.

    \b
    Examples:
      jepanet quickstart
      jepanet devnet up
      jepanet wallet new --dir ~/.jepanet/wallets
      jepanet node run --config node.toml
      jepanet verify 3 --config node.toml
    """
    from jepanet.telemetry import configure_logging

    level = os.environ.get("JEPANET_LOG_LEVEL", "error").lower()
    if level not in LOG_LEVELS:
        raise click.UsageError(f"JEPANET_LOG_LEVEL is {level!r}; use one of {', '.join(LOG_LEVELS)}")
    configure_logging(level=level)
    # Processes that this one starts take nothing in the working directory, which may hold a stranger's files,
    # for a module of theirs.
    os.environ["PYTHONSAFEPATH"] = "1"
    # A notebook sets a backend that matplotlib refuses outside it, here and in the processes that record.
    os.environ.pop("MPLBACKEND", None)


def main(arguments: list[str] | None = None) -> None:
    """Runs one command line; every error becomes a message on standard error and a numbered exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments
    try:
        code = cli.main(args=arguments, prog_name="jepanet", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else int(Exit.OK))
    except click.exceptions.Abort as error:
        sys.exit(ended(error.__cause__ or KeyboardInterrupt(), as_json=as_json))
    except click.UsageError as error:
        known = error.ctx.command_path if error.ctx else "jepanet"
        remedy = f"see {known} --help"
        sys.exit(ended(Fatal(error.format_message(), remedy=remedy, code=Exit.USAGE), as_json=as_json))
    except click.ClickException as error:
        sys.exit(ended(Fatal(error.format_message(), code=Exit.USAGE), as_json=as_json))
    except SystemExit:
        raise
    except BaseException as error:
        sys.exit(ended(error, as_json=as_json))
