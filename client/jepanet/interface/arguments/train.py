"""`jepanet train`: one model on one's own data, by the loop that solvers train by."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.configured import CONFIG_FILE
from jepanet.interface.handles import Inputs, open_data, worker_of
from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import emit, json_option, library_options, pairs, shown

if TYPE_CHECKING:
    from jepanet.operations.local_training import LocalInputs
    from jepanet.operations.reading.library import Library
    from jepanet.operations.tracked_numbers import OnStep
    from jepanet.operations.views.training import LocalTraining, TrainingPlan
    from jepanet.settings.config import WorkerSection

_MODES = ("finetune", "from-scratch")
_GIB = 1 << 30


@click.command("train", cls=StrictCommand)
@click.option("--recipe", required=True, help="A preset's name or a recipe file.")
@click.option("--data", "places", multiple=True, required=True, metavar="PLACE",
              help="A shard, a folder of `dataset build` (all of its training shards), or the CID of a "
              "shard or of a dataset; repeat for more, in the order of training.")  # fmt: skip
@click.option("--out", "directory", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="Folder of this training; called again, it goes on where it was stopped.")  # fmt: skip
@click.option("--base", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A model of the same recipe to begin with; default: random weights.")  # fmt: skip
@click.option("--mode", type=click.Choice(_MODES),
              help="Sets regime, rate, warm-up and steps together; default: finetune with "
              "--base, else from-scratch.")  # fmt: skip
@click.option("--regime", type=click.Choice(_MODES), help="How high its first loss may be; default: --mode.")
@click.option("--rate", type=click.FloatRange(1e-7, 0.1), help="Peak learning rate; default: of the mode.")
@click.option("--warmup", type=click.IntRange(0, 10_000), help="Steps of warm-up; default: of the mode.")
@click.option("--steps", type=click.IntRange(1, 20_000), help="Default: of the mode.")
@click.option("--evaluate-every", "every", type=click.IntRange(1, 20_000),
              help="Steps between two measurements of the validation loss; default: the "
              "recipe's, or 20 in all.")  # fmt: skip
@click.option("--seed", default="0", show_default=True, help="Any text; the same seed gives the same bytes.")
@click.option("--device", default="cpu", show_default=True, help="As torch names it, for example cuda:0.")
@click.option("--processes", type=click.IntRange(1, 1024), default=1, show_default=True,
              help="That train together on this machine, with one thread each; with "
              "--device cuda, a GPU each.")  # fmt: skip
@click.option("--parallel", type=click.Choice(("ddp", "fsdp2")), default="ddp", show_default=True,
              help="How several processes hold the model: whole on each, or a part of it each.")  # fmt: skip
@click.option("--checkpoint-gb", type=click.FloatRange(0.0, 1e6), default=2.0, show_default=True,
              help="Room for checkpoints; 0: a killed training begins anew.")  # fmt: skip
@click.option("--deployment", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="deployment.json of the network in which data is asked for by CID.")  # fmt: skip
@click.option("--config", "config_path", type=CONFIG_FILE, metavar="FILE",
              help="A node's TOML file instead: its network, its peers, and its blob store.")  # fmt: skip
@library_options
@click.option("--mlflow", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Copy every number into a file store of MLflow's; needs jepanet[mlflow].")  # fmt: skip
@click.option("--plan", is_flag=True,
              help="Measure a few steps, print what the training would take, and write nothing.")  # fmt: skip
@json_option
def command(
    recipe: str,
    places: tuple[str, ...],
    directory: Path,
    base: Path | None,
    mode: str | None,
    regime: str | None,
    rate: float | None,
    warmup: int | None,
    steps: int | None,
    every: int | None,
    seed: str,
    device: str,
    processes: int,
    parallel: str,
    checkpoint_gb: float,
    deployment: Path | None,
    config_path: Path | None,
    inputs: Inputs,
    mlflow: Path | None,
    plan: bool,
    as_json: bool,
) -> None:
    """Train a model by hand, held to its loss on a fifth of the data that it does not train on.

    \b
    Examples:
      jepanet train --recipe tworoom-small --data data --out trained --plan
      jepanet train --recipe tworoom-small --data data --out trained --mode from-scratch
      jepanet train --recipe tworoom-small --data CID --config node.toml --out trained
    """
    from jepanet.operations.local_training import local_inputs
    from jepanet.operations.training_data import ChosenData, chosen_data, place_named

    def on(data: ChosenData) -> LocalInputs:
        return local_inputs(
            recipe, data, base, mode,
            regime=regime, rate=rate, warmup=warmup, steps=steps, every=every, seed=seed, device=device,
            processes=processes, parallel=parallel,
        )  # fmt: skip

    begun = on(ChosenData(())).recipe  # what is wrong with an option is said before any data is fetched
    named, here = [place_named(text) for text in places], worker_of(config_path)

    async def planned() -> TrainingPlan:
        async with open_data(inputs, deployment, config_path) as library:
            return await _planned(on(await chosen_data(named, library, begun.loop.mix)), library, here)

    async def trained(on_step: OnStep) -> LocalTraining:
        async with open_data(inputs, deployment, config_path) as library:
            given = on(await chosen_data(named, library, begun.loop.mix))
            return await _trained(given, directory, int(checkpoint_gb * _GIB), library, here, mlflow, on_step)

    if plan:
        emit(asyncio.run(planned()), as_json, lambda value: pairs("Plan", _in_units(value)))
        return
    with _bar(begun.inner_steps) as on_step:
        value = asyncio.run(trained(on_step))
    emit(value, as_json, _show)


def _in_units(value: TrainingPlan) -> dict[str, object]:
    """A plan for people: every number with what it counts."""

    def tera(flops: int) -> str:
        return f"{flops / 1e12:,.3g} TFLOP"

    minutes, seconds = divmod(round(value.seconds), 60)
    whole = f"{minutes:,} min {seconds} s" if minutes else f"{value.seconds:,.1f} s"
    return {
        "recipe": value.recipe,
        "regime": value.regime,
        "parameters": f"{value.parameters:,}",
        "steps": f"{value.steps:,}",
        "samples": f"{value.samples:,} in all steps, {value.epochs:,g} times all of the data",
        "memory": f"{value.memory / 1e6:,.0f} MB measured, {value.estimate / 1e6:,.0f} MB by the sizes",
        "computing": f"{tera(value.flops)} measured, {tera(value.counted)} by the sizes",
        "a node takes": f"{tera(value.allowed)} in a round at most",
        "time": f"{value.seconds_per_step:.3g} s a step, {whole} in all",
    }


async def _planned(given: LocalInputs, library: Library, here: WorkerSection) -> TrainingPlan:
    from jepanet.operations.access import open_worker
    from jepanet.operations.local_training import plan_local

    async with open_worker(backbones=here.backbones) as worker:
        return await plan_local(worker, given, library, round_tflop=here.round_tflop)


async def _trained(
    given: LocalInputs,
    folder: Path,
    room: int,
    library: Library,
    here: WorkerSection,
    mlflow: Path | None,
    on_step: OnStep,
) -> LocalTraining:
    from jepanet.operations.access import open_tracking, open_worker
    from jepanet.operations.local_training import train_local
    from jepanet.operations.mlflow_tracking import open_mlflow

    mirror = None if mlflow is None else open_mlflow(mlflow, given.run(), given.parameters())

    with open_tracking(folder) as tracking:
        async with open_worker(timeout=None, backbones=here.backbones) as worker:
            return await train_local(
                worker, tracking, given, folder,
                checkpoint_bytes=room, library=library, mirror=mirror, on_step=on_step,
            )  # fmt: skip


@contextmanager
def _bar(steps: int) -> Iterator[OnStep]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("training", total=steps)
        measured = ""

        def on_step(step: int, loss: float | None, validation: float | None) -> None:
            nonlocal measured
            if validation is not None:
                measured = f", validation {validation:.4g}"
            if loss is not None:
                bar.update(task, completed=step, description=f"loss {loss:.4g}{measured}")

        yield on_step


def _show(value: LocalTraining) -> None:
    told = shown(value)
    del told["metrics"]
    pairs("Trained", told | {name: f"{number:.6g}" for name, number in value.metrics.items()})
