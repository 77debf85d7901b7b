"""`jepanet model`: the global model as a file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from jepanet.interface.output import config_option, emit, json_option, library_options, pairs


@click.group("model")
def command() -> None:
    """Export a global model.

    \b
    Example:
      jepanet model export --out model.safetensors --config node.toml
    """


@command.command("export")
@click.option("--round", "round_id", type=click.IntRange(1), help="Default: the newest recorded round.")
@click.option("--out", "target", type=click.Path(dir_okay=False, path_type=Path), required=True)
@config_option
@library_options
@json_option
def export(
    round_id: int | None,
    target: Path,
    config_path: Path,
    inputs: Path,
    peers: tuple[str, ...],
    offline: bool,
    as_json: bool,
) -> None:
    """Write a round's model as safetensors, hash checked against the chain.

    Example: jepanet model export --round 4 --out model.safetensors --config node.toml
    """
    from jepanet.node import rounds

    made = asyncio.run(
        rounds.export_model(config_path, round_id, target, inputs=inputs, peers=peers, offline=offline)
    )
    emit(made, as_json, lambda value: pairs("Exported model", value))
