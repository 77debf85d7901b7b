"""`jepanet model`: the global model as a file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.handles import Inputs, open_reading
from jepanet.interface.observing import observer_options
from jepanet.interface.strict import StrictCommand, StrictGroup
from jepanet.interface.terminal.output import ID, emit, json_option, library_options, pairs, shown, table

if TYPE_CHECKING:
    from jepanet.operations.views.rounds import ExportedModel, ModelCard
    from jepanet.operations.views.training import ModelOnEpisodes
    from jepanet.settings.config import Observer


@click.group("model", cls=StrictGroup)
def command() -> None:
    """Export a global model, write its card, evaluate it on recorded episodes.

    \b
    Examples:
      jepanet model export --out model.safetensors --config node.toml
      jepanet model card 4 --out models --config node.toml
      jepanet model evaluate model.safetensors --recipe mine.toml --data robot/public.safetensors
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
    from jepanet.operations.models.model_export import check_target, export_model

    async def exported() -> ExportedModel:
        async with (
            open_reading(where, inputs) as reading,
            open_worker(where.worker.threads, backbones=where.worker.backbones) as worker,
        ):
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
    from jepanet.operations.models.model_card import write_card

    async def written() -> ModelCard:
        async with (
            open_reading(where, inputs) as reading,
            open_worker(where.worker.threads, backbones=where.worker.backbones) as worker,
        ):
            deployment = reading.chain.deployment
            return await write_card(deployment, reading.history, reading.library, worker, round_id, folder)

    emit(asyncio.run(written()), as_json, lambda value: pairs("Model card", shown(value)))


@command.command("evaluate", cls=StrictCommand)
@click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--recipe", required=True, help="That it was trained by: a preset's name or a recipe file.")
@click.option("--data", "shards", multiple=True, required=True, metavar="SHARD",
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A shard of recorded episodes; repeat for more.")  # fmt: skip
@click.option("--steps", type=click.IntRange(1, 100), default=8, show_default=True,
              help="Frames to look ahead.")  # fmt: skip
@click.option("--ahead", type=click.IntRange(1, 100), default=5, show_default=True,
              help="Frames between where a plan begins and its goal.")  # fmt: skip
@click.option("--goals", type=click.IntRange(16, 4096), default=64, show_default=True,
              help="Goals to plan towards in each shard.")  # fmt: skip
@click.option("--seed", default="0", show_default=True, help="Any text; it draws the goals.")
@click.option("--device", default="cpu", show_default=True, help="As torch names it, for example cuda:0.")
@json_option
def evaluate(
    model: Path,
    recipe: str,
    shards: tuple[Path, ...],
    steps: int,
    ahead: int,
    goals: int,
    seed: str,
    device: str,
    as_json: bool,
) -> None:
    """What a model foresees in recorded episodes, and whether its plans could be acted upon; no simulator.

    Example: jepanet model evaluate model.safetensors --recipe mine.toml --data robot/public.safetensors
    """
    from jepanet.operations.access import open_worker
    from jepanet.operations.model_evaluation import evaluate_on_episodes

    async def evaluated() -> tuple[ModelOnEpisodes, ...]:
        async with open_worker() as worker:
            return await evaluate_on_episodes(
                worker,
                recipe,
                model,
                shards,
                seed=seed,
                steps=steps,
                ahead=ahead,
                goals=goals,
                device=device,
            )

    emit(asyncio.run(evaluated()), as_json, _show_evaluation)


def _show_evaluation(found: tuple[ModelOnEpisodes, ...]) -> None:
    for item in found:
        ahead = enumerate(zip(item.nmse, item.skill, strict=True), start=1)
        rows = [(f"{step}", f"{nmse:.3f}", f"{skill:+.3f}") for step, (nmse, skill) in ahead]
        table(str(item.shard), ("frames ahead", "error / variance", "skill against no change"), rows)
        rest = {
            "left to the goal, planned": f"{item.left_planned:.3f}",
            "left to the goal, recorded actions": f"{item.left_recorded:.3f}",
            "left to the goal, actions of other moments": f"{item.left_others:.3f}",
            "error of planned actions": f"{item.action_error:.3f}",
            f"recorded actions told from {item.choices - 1} others": f"{item.told} of {item.problems}",
        }
        pairs("Goals", rest)
