"""Options of commands that only look: where the chain is. They need no wallet, no roles and no file."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TypeVar

import click

from jepanet.interface.configured import CONFIG_FILE

R = TypeVar("R")


def observer_options(function: Callable[..., R]) -> Callable[..., R]:
    """`--rpc URL`, `--deployment FILE`, `--config FILE`; the command gets them as `where`, an `Observer`."""

    @click.option("--rpc", "endpoints", multiple=True, metavar="URL",
                  help="Endpoint of the chain, instead of chain.endpoints; repeat for more.")  # fmt: skip
    @click.option("--deployment", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
                  help="The network's deployment.json, instead of chain.deployment.")  # fmt: skip
    @click.option("--config", "config_path", type=CONFIG_FILE, metavar="FILE",
                  envvar="JEPANET_CONFIG",
                  help="TOML file whose [chain], [p2p] and [worker] count (or JEPANET_CONFIG).")  # fmt: skip
    @wraps(function)
    def command(
        *arguments: object,
        endpoints: tuple[str, ...],
        deployment: Path | None,
        config_path: Path | None,
        **options: object,
    ) -> R:
        from jepanet.settings.observer_config import load_observer

        where = load_observer(config_path, endpoints=endpoints, deployment=deployment)
        return function(*arguments, where=where, **options)

    return command
