"""`jepanet dataset`: data of real simulators and packages, built deterministically by seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from jepanet.interface.arguments.dataset.own_data import captions, pairs, pictures, tokenizer
from jepanet.interface.arguments.dataset.shown import show_dataset, show_shard, shown_progress
from jepanet.interface.arguments.dataset.split import split
from jepanet.interface.strict import StrictCommand, StrictGroup
from jepanet.interface.terminal.output import emit, json_option

if TYPE_CHECKING:
    from jepanet.operations.datasets import Recordable

_MOST_DIGITS = 9


class _Chosen(TypedDict):
    """The options of a `dataset build` command, as click passes them on."""

    directory: Path
    seed: str
    evaluation_seed: str | None
    workers: int
    sizes: tuple[str, ...]
    as_json: bool
    recipe: str


@click.group("dataset", cls=StrictGroup)
def command() -> None:
    """Build datasets, make shards of one's own data, inspect them.

    \b
    Examples:
      jepanet dataset build tworoom --out data --seed 7
      jepanet dataset build pusht --out pusht --seed 7
      jepanet dataset build words --out words --seed 7
      jepanet dataset build emoji --out pictures --seed 7
      jepanet dataset build minigrid --out scenes --seed 7
      jepanet dataset pictures photos --out photos.safetensors --image 48
      jepanet dataset lerobot so100 --out robot --licence apache-2.0
      jepanet dataset captions photos.jsonl --out photos.safetensors --image 224
      jepanet dataset pairs texts.jsonl --out own.safetensors --tokenizer SmolLM2 --recipe mine.toml
      jepanet dataset split photos.safetensors --recipe image-tiny --licence "(c) me" --out dataset
      jepanet dataset inspect data
    """


def _build_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options of every `dataset build` command."""
    options = (
        click.option("--out", "directory", type=click.Path(file_okay=False, path_type=Path), required=True,
                     help="Folder to write; an interrupted build is taken up again."),
        click.option("--seed", default="0", show_default=True,
                     help="Any text; the same seed gives the same bytes."),
        click.option("--evaluation-seed",
                     help="Reproducible sealed shards, for tests only: whoever knows it can make the shards. "
                     "Left out, they come from the operating system's randomness."),
        click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64),
                     help="Processes."),
        click.option("--size", "sizes", multiple=True, metavar="NAME=N",
                     help="Change a size, for example --size episodes=64 (see docs/models/datasets.md)."),
        json_option,
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


class _Offers(StrictGroup):
    """One command a line of the registry, which is imported only when this group is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from jepanet.operations.datasets import offers

        return sorted(offers())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from jepanet.operations.datasets import offers

        offer = offers().get(cmd_name)
        return None if offer is None else _command_of(offer)


@command.group("build", cls=_Offers)
def build() -> None:
    """Build a dataset with a real simulator, or from a pinned package."""


def _command_of(offer: Recordable) -> click.Command:
    """`dataset build NAME`."""

    def record(**options: Unpack[_Chosen]) -> None:
        _record(offer.name, **options)

    examples = "".join(f"  jepanet dataset build {offer.name} {rest}\n" for rest in offer.examples)
    record.__doc__ = f"{offer.summary}\n\n\b\nExample{'s' if len(offer.examples) > 1 else ''}:\n{examples}"
    with_recipe = click.option(
        "--recipe",
        default=offer.recipes[0],
        show_default=True,
        metavar="NAME|FILE",
        help="The preset or recipe file that is to train on it: its usual sizes.",
    )
    return click.command(offer.name, cls=StrictCommand)(with_recipe(_build_options(record)))


def _record(
    environment: str,
    *,
    directory: Path,
    seed: str,
    evaluation_seed: str | None,
    workers: int,
    sizes: tuple[str, ...],
    as_json: bool,
    recipe: str,
) -> None:
    from jepanet.operations.datasets import build_dataset, seed_of

    wanted = _sizes(sizes)
    with shown_progress() as progress:
        value = build_dataset(
            environment,
            directory,
            seed_of(seed),
            wanted,
            workers=workers,
            recipe=recipe,
            evaluation_seed=seed_of(evaluation_seed) if evaluation_seed is not None else None,
            progress=progress,
        )
    emit(value, as_json, show_dataset)


def _sizes(given: tuple[str, ...]) -> dict[str, int]:
    """Sizes by name. Raises: click.BadParameter."""
    wanted: dict[str, int] = {}
    for item in given:
        name, _, number = item.partition("=")
        if not (number.isascii() and number.isdecimal() and len(number) <= _MOST_DIGITS):
            raise click.BadParameter(f"{item[:60]!r} is not NAME=N", param_hint="--size")
        if name in wanted:
            raise click.BadParameter(f"{name} is given twice: which one counts?", param_hint="--size")
        wanted[name] = int(number)
    return wanted


@command.command("lerobot", cls=StrictCommand)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", "directory", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="Folder to write; an interrupted build is taken up again.")  # fmt: skip
@click.option("--camera", metavar="KEY", help="Which of its videos, as observation.images.top; left out: the "
              "only one it has.")  # fmt: skip
@click.option("--size", "sizes", multiple=True, metavar="N|NAME=N",
              help="N: side of the frames in pixels, a multiple of 16 (64 without it); or another size, for "
              "example --size hold=3 (see docs/models/datasets.md).")  # fmt: skip
@click.option("--sealed", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="A folder of the same robot that nobody else has: it alone is evaluated. Left out: a "
              "secret fifth of FOLDER; whoever has FOLDER sees what is in no public shard.")  # fmt: skip
@click.option("--licence", metavar="TEXT", help="Under which the recordings may be passed on; left out: what "
              "the folder's README says.")  # fmt: skip
@click.option("--seed", default="0", show_default=True, help="Any text; it chooses stretches of recordings.")
@click.option("--evaluation-seed", help="Reproducible sealed shards, for tests only.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@json_option
def lerobot(
    folder: Path,
    directory: Path,
    sealed: Path | None,
    camera: str | None,
    sizes: tuple[str, ...],
    licence: str | None,
    seed: str,
    evaluation_seed: str | None,
    workers: int,
    as_json: bool,
) -> None:
    """Build a dataset from a folder of recordings as LeRobot writes them (v2.0, v2.1, v3.0).

    \b
    Examples:
      jepanet dataset lerobot so100 --out robot --licence apache-2.0
      jepanet dataset lerobot so100 --sealed recorded-today --out robot --licence apache-2.0
      jepanet dataset lerobot so100 --out robot --camera observation.images.top --size 96 --size hold=3
    """
    from jepanet.operations.datasets import build_from_lerobot, seed_of

    wanted = _sizes(tuple(f"image={item}" if item.isdecimal() else item for item in sizes))
    with shown_progress() as progress:
        value = build_from_lerobot(
            folder,
            directory,
            seed_of(seed),
            wanted,
            sealed=sealed,
            camera=camera,
            licence=licence,
            workers=workers,
            evaluation_seed=seed_of(evaluation_seed) if evaluation_seed is not None else None,
            progress=progress,
        )
    emit(value, as_json, show_dataset)


for _made in (pictures, captions, pairs, tokenizer, split):
    command.add_command(_made)


@command.command("inspect", cls=StrictCommand)
@click.argument("place", type=click.Path(exists=True, path_type=Path), metavar="FOLDER|SHARD")
@json_option
def inspect(place: Path, as_json: bool) -> None:
    """Check every digest of a built dataset and list its shards, or say what one shard holds.

    \b
    Examples:
      jepanet dataset inspect data
      jepanet dataset inspect photos.safetensors
    """
    from jepanet.operations import datasets

    if place.is_dir():
        emit(datasets.inspect(place), as_json, show_dataset)
    else:
        emit(datasets.inspect_shard(place), as_json, show_shard)
