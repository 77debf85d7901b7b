"""`jepanet lab`: whole federations in one process, against every control."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jepanet.errors import Exit, Fatal
from jepanet.files import check_writable
from jepanet.interface.folders import data_folder
from jepanet.interface.strict import StrictGroup
from jepanet.interface.terminal.output import emit, json_option
from jepanet.lab.defaults import COMPARISONS, STUDY_NAMES

if TYPE_CHECKING:
    from rich.progress import TaskID


@click.group("lab", cls=StrictGroup)
def command() -> None:
    """Compare ways of training together, on sites nobody trained or tuned on.

    \b
    Examples:
      jepanet lab compare
      jepanet lab compare --preset small
      jepanet lab compare --recipe image-tiny
      jepanet lab compare --arms local,diloco,aligned,pooled --seeds 0,1,2 --out comparison
      jepanet lab study ablation
    """


@command.command("compare")
@click.option("--preset", type=click.Choice(list(COMPARISONS)),
              help="full: 40 minutes on two cores, the default. small: minutes. pusht: the other simulator. "
              "image, language: models of pictures and of texts.")  # fmt: skip
@click.option(
    "--recipe",
    help="A preset's name or a recipe file; default: the one that suits --preset. Its data follow from it.",
)
@click.option("--data", help="The simulator or package, as in `dataset build`; default: the recipe's.")
@click.option(
    "--arms",
    default=None,
    metavar="A,B,...",
    help="Arms to run; default: all but network and pooled-wide; fewer for pusht; of packages start, local, "
    "network, frozen-encoder, pooled, pooled-wide.",
)
@click.option("--seeds", default=None, metavar="0,1,...", help="Seeds of start, order and augmentation.")
@click.option("--rounds", type=click.IntRange(1, 1000), help="Rounds of the recipe's inner steps.")
@click.option("--inner-steps", type=click.IntRange(1, 1_000_000), help="Replaces the recipe's.")
@click.option("--episodes", type=click.IntRange(4, 10_000), help="That each solver trains on.")
@click.option("--unseen", type=click.IntRange(4, 10_000), help="Episodes of each unseen site.")
@click.option("--sites", type=click.Choice(["report", "tune"]), default="report", show_default=True,
              help="`tune` are other sites, for choosing hyperparameters.")  # fmt: skip
@click.option("--control", type=click.IntRange(0, 1000),
              help="Planning episodes of each kind in the simulator; 0: none.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes.")
@click.option("--device", default="cpu", show_default=True,
              help="Where models are trained and encoded, as torch names it; for all workers.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=lambda: data_folder("lab"),
              show_default="~/.local/share/jepanet/lab",
              help="Folder of data, kept runs, report.json, report.md and picture.")  # fmt: skip
@click.option("--export", type=click.Path(file_okay=False, path_type=Path),
              help="Folder that gets every arm's models, named by digest, each with a card.")  # fmt: skip
@json_option
def compare(
    preset: str | None,
    recipe: str | None,
    data: str | None,
    arms: str | None,
    seeds: str | None,
    rounds: int | None,
    inner_steps: int | None,
    episodes: int | None,
    unseen: int | None,
    sites: str,
    control: int | None,
    workers: int,
    device: str,
    out: Path,
    export: Path | None,
    as_json: bool,
) -> None:
    """Run every arm with every seed; print tables, write JSON, Markdown and a picture.

    Interrupt it and call it again: finished runs are kept.

    \b
    Examples:
      jepanet lab compare --preset small --out lab-small
      jepanet lab compare --arms aligned,pooled --seeds 0,1 --sites tune
      jepanet lab compare --recipe language-tiny --rounds 2 --export models
    """
    from jepanet.lab.arms import chosen
    from jepanet.lab.asked import defaults_for
    from jepanet.lab.reporting.report import Request, compare

    base = defaults_for(preset, recipe, data)
    request = Request(
        recipe=base.recipe,
        inner_steps=inner_steps,
        arms=chosen(base.arms if arms is None else arms),
        seeds=_numbers(base.seeds if seeds is None else seeds),
        rounds=rounds or base.rounds,
        sites=sites,
        episodes=episodes or base.episodes,
        unseen=unseen or base.unseen,
        control=base.control if control is None else control,
        workers=workers,
        environment=base.simulator,
        export=export,
        device=device,
    )
    if export is not None:
        check_writable(export, code=Exit.USAGE)  # hours before the first model is written
    with _bars() as progress:
        value = compare(request, out, progress)
    emit(value, as_json, lambda report: _show(report, out))
    _refuse_unwritten(value)


@command.command("study")
@click.argument("name", type=click.Choice(STUDY_NAMES))
@click.option("--seeds", default=None, metavar="10,11,...", help="Default: the study's own.")
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=lambda: data_folder("lab"),
              show_default="~/.local/share/jepanet/lab",
              help="Folder of data, kept runs and study-NAME.json.")  # fmt: skip
@json_option
def study(name: str, seeds: str | None, workers: int, out: Path, as_json: bool) -> None:
    """One table, one question: single choices, merge rules under attack, codecs of deltas and of updates,
    planning costs, schedules.

    Interrupt it and call it again: finished runs are kept.

    \b
    Examples:
      jepanet lab study codecs
      jepanet lab study ablation --seeds 10 --out ablation
    """
    from jepanet.interface.terminal.output import table
    from jepanet.lab import planning_study, studies

    chosen = () if seeds is None else _numbers(seeds)
    with _bars() as progress:
        if name == "planning":
            value = planning_study.conduct(out, progress, seeds=chosen or (10,), workers=workers)
        else:
            value = studies.conduct(name, out, progress, seeds=chosen, workers=workers)

    def show(found: dict[str, Any]) -> None:
        table(found["question"], found["columns"], found["rows"])
        for note in found.get("notes", ()):
            click.echo(note)
        if found["unwritten"] is None:
            click.echo(f"report {out / f'study-{name}.json'}")

    emit(value, as_json, show)
    _refuse_unwritten(value)


def _refuse_unwritten(value: dict[str, Any]) -> None:
    """After the table, which is not lost by it: the report could not be written."""
    if value["unwritten"] is not None:
        raise Fatal(
            f"the report was not written: {value['unwritten']}",
            remedy="call again with an --out that can be written; --json prints all of it as well",
            code=Exit.CONFIG,
        )


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int, str], None]]:
    """A progress bar for every stage that reports; in a file or pipe, a line for whatever is finished."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        began = time.monotonic()

        def line(stage: str, done: int, total: int, what: str) -> None:
            minutes, seconds = divmod(int(time.monotonic() - began), 60)
            click.echo(f"{minutes:3}:{seconds:02} {stage} {done}/{total} {what}".rstrip(), err=True)

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        tasks: dict[str, TaskID] = {}

        def progress(stage: str, done: int, total: int, what: str) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(
                tasks[stage], completed=done, total=total, description=f"{stage}: {what}" if what else stage
            )

        yield progress


def _numbers(text: str) -> tuple[int, ...]:
    try:
        found = tuple(dict.fromkeys(int(part) for part in text.split(",") if part.strip()))
    except ValueError:
        found = ()
    if not found or min(found) < 0:
        raise click.UsageError(f"--seeds {text!r}: give whole numbers from 0, for example 0,1,2")
    return found


def _show(report: dict[str, Any], out: Path) -> None:
    from jepanet.interface.terminal.output import table
    from jepanet.lab.reporting.markdown import target_rows

    columns, lines = report["table"]["columns"], report["table"]["rows"]
    # Two tables: one of so many columns fits no terminal.
    half = columns.index("score")
    for title, wanted in (
        ("Arms, unseen sites: mean over seeds ± half of the 95 % interval", slice(1, half)),
        ("The same: score, solvers' own sites, frame drift in degrees, planning", slice(half, None)),
    ):
        table(title, (columns[0], *columns[wanted]), [(line[0], *line[wanted]) for line in lines])
    if report["controls"]["federation"] is not None:
        beside = report["controls"]
        table(
            f"The federation ({beside['federation']}) beside each control", beside["columns"], beside["rows"]
        )
    if report["probes"]["rows"]:
        table("Probes, on unseen sites", report["probes"]["columns"], report["probes"]["rows"])
        click.echo(report["probes"]["note"])
    if report["targets"]:
        table("Targets", ("what", "target", "mean", "by seed", ""), target_rows(report))
    for note in report["notes"]:
        click.echo(note)
    if report["unwritten"] is None:
        click.echo(f"report {out / 'report.md'}, report.json beside it, picture {out / 'comparison.png'}")
    if report["exported"]:
        click.echo(f"{len(report['exported'])} models with their cards, listed in models.json")
    took = {name: f"{seconds / 60:.1f}" for name, seconds in report["seconds"].items()}
    click.echo(f"minutes: recording {took['record']}, training {took['train']}, in all {took['all']}")
