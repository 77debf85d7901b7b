"""`jepanet model`: the global model as a file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.handles import Inputs, open_reading
from jepanet.interface.observing import observer_options
from jepanet.interface.strict import StrictGroup
from jepanet.interface.terminal.output import ID, emit, json_option, library_options, pairs, shown

if TYPE_CHECKING:
    from jepanet.operations.views.rounds import ExportedModel, ModelCard
    from jepanet.settings.config import Observer


@click.group("model", cls=StrictGroup)
def command() -> None:
    """Export a global model, and write its card.

    \b
    Examples:
      jepanet model export --out model.safetensors --config node.toml
      jepanet model card 4 --out models --config node.toml
    """


@command.command("export")
@click.option("--round", "round_id", type=ID, help="Default: the newest settled round.")
@click.option("--out", "target", type=click.Path(dir_okay=False, path_type=Path), required=True)
@observer_options
@library_options
@json_option
def export(
    round_id: int | None,
    target: Path,
    where: Observer,
    inputs: Inputs,
    as_json: bool,
) -> None:
    """Write a round's model as safetensors, hash checked against the chain.

    Example: jepanet model export --round 4 --out model.safetensors --config node.toml
    """
    from jepanet.operations.access import open_worker
    from jepanet.operations.auditing.model_export import check_target, export_model

    async def exported() -> ExportedModel:
        async with open_reading(where, inputs) as reading, open_worker(where.worker.threads) as worker:
            return await export_model(reading.history, reading.library, worker, round_id, target)

    check_target(target)
    emit(asyncio.run(exported()), as_json, lambda value: pairs("Exported model", shown(value)))


@command.command("card")
@click.argument("round_id", type=ID)
@click.option("--out", "folder", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="Folder for the model and its card.")  # fmt: skip
@observer_options
@library_options
@json_option
def card(
    round_id: int,
    folder: Path,
    where: Observer,
    inputs: Inputs,
    as_json: bool,
) -> None:
    """Export a round's model with a card: metrics, data, every step since round 0, how to repeat it.

    Example: jepanet model card 4 --out models --config node.toml
    """
    from jepanet.operations.access import open_worker
    from jepanet.operations.auditing.model_card import write_card

    async def written() -> ModelCard:
        async with open_reading(where, inputs) as reading, open_worker(where.worker.threads) as worker:
            deployment = reading.chain.deployment
            return await write_card(deployment, reading.history, reading.library, worker, round_id, folder)

    emit(asyncio.run(written()), as_json, lambda value: pairs("Model card", shown(value)))
