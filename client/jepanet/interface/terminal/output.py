"""What commands print: a rich table for people, JSON for programs (`--json`)."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import click

from jepanet.errors import JepanetError
from jepanet.interface.configured import CONFIG_FILE
from jepanet.interface.folders import cache_folder
from jepanet.interface.handles import Inputs
from jepanet.interface.strict import never_both
from jepanet.interface.terminal.layout import draw, width_of_output
from jepanet.operations.views.json_form import Wei, fields_of, json_form
from jepanet.tokens import tokens as tokens

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_PEER = re.compile(r"/(?:ip4|ip6|dns|dns4|dns6)/[^/]+/tcp/[0-9]{1,5}/p2p/[0-9A-Za-z]+")
F = TypeVar("F", bound=Callable[..., object])
T = TypeVar("T")
_WIDE = "jepanet.wide"

ID = click.IntRange(1, (1 << 48) - 1)
"""Numbers of rounds, projects and verifier sets: what the contracts can count."""


def _remember_wide(context: click.Context, _: click.Parameter, value: bool) -> None:
    context.meta[_WIDE] = value


def json_option(function: F) -> F:
    """How to print: `--json` for programs, `--wide` for tables with whole addresses."""
    wide = click.option(
        "--wide",
        is_flag=True,
        expose_value=False,
        callback=_remember_wide,
        help="Show addresses and digests whole, however long the lines.",
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
    return as_json(wide(function))


def config_option(function: F) -> F:
    """`--config FILE`, from JEPANET_CONFIG if not given. The remedy of a failure names that file."""

    @wraps(function)
    def command(*arguments: object, config_path: Path, **others: object) -> object:
        try:
            return function(*arguments, config_path=config_path, **others)
        except JepanetError as error:
            if error.remedy is not None:
                named = f"--config {shlex.quote(str(config_path))}"
                error.remedy = error.remedy.replace("--config FILE", named)
            raise

    found = click.option(
        "--config",
        "config_path",
        type=CONFIG_FILE,
        required=True,
        envvar="JEPANET_CONFIG",
        help="The node's TOML file, or a folder with its node.toml (or set JEPANET_CONFIG).",
    )(command)
    return cast(F, found)


def _peers(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Refuses what is no peer's address before anything is opened; `p2p.identity` judges the rest."""
    for address in given:
        if not _PEER.fullmatch(address):
            raise click.BadParameter(
                f"{address!r} is not an address of the form /ip4/HOST/tcp/PORT/p2p/PEER, as a node's "
                "`jepanet status` shows it",
                context,
                option,
            )
    return given


def library_options(function: F) -> F:
    """Where content-addressed inputs are kept and whom to ask for those that are missing: `inputs`."""
    options = (
        click.option(
            "--inputs",
            type=click.Path(file_okay=False, path_type=Path),
            default=lambda: cache_folder("inputs"),
            show_default="~/.cache/jepanet/inputs",
            help="Folder of files named by CID; what is missing is fetched into it.",
        ),
        click.option(
            "--peer",
            "peers",
            multiple=True,
            callback=_peers,
            metavar="MULTIADDR",
            help="Address of a node to fetch from; default: p2p.bootstrap.",
        ),
        click.option("--offline", is_flag=True, help="Use only what the folder holds."),
    )

    @wraps(function)
    def command(
        *arguments: object, inputs: Path, peers: tuple[str, ...], offline: bool, **others: object
    ) -> object:
        return function(*arguments, inputs=Inputs(inputs, peers, offline), **others)

    found: Callable[..., object] = never_both("peers", "offline", "one asks peers, the other nobody")(command)
    for option in reversed(options):
        found = option(found)
    return cast(F, found)


def emit(value: T, as_json: bool, show: Callable[[T], object], *, sort_keys: bool = True) -> None:
    """Prints a record of an action as JSON, or lets `show` print it for people."""
    if as_json:
        click.echo(json.dumps(json_form(value), indent=1, sort_keys=sort_keys))
    else:
        show(value)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on standard output; numbers are right-aligned and whole, addresses short unless `--wide`.

    Cells may hold what strangers wrote: it is shown as it is, neither as markup nor to the terminal.
    """
    context = click.get_current_context(silent=True)
    draw(title, columns, rows, width=width_of_output(), wide=bool(context and context.meta.get(_WIDE)))


def footnotes(meanings: Mapping[str, str]) -> None:
    """Below a table: what its columns hold, by their names."""
    widest = max(map(len, meanings))
    width = max(40, width_of_output()) - widest - 3
    for name, meaning in meanings.items():
        for number, line in enumerate(textwrap.wrap(meaning, width)):
            click.echo(f" {name if number == 0 else '':<{widest}}  {line}")


def pairs(title: str, value: Mapping[str, object]) -> None:
    """A two-column table of one thing's fields."""
    table(title, ("field", "value"), [(name, "" if item is None else item) for name, item in value.items()])


def shown(record: DataclassInstance) -> dict[str, object]:
    """A record's fields for people: amounts in tokens, sequences with commas, the others as they are."""
    return {name: _cell(item) for name, item in fields_of(record).items()}


def _cell(value: object) -> object:
    if isinstance(value, Wei):
        return tokens(value)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else value
