"""`jepanet dataset split`: one's own shards become a dataset that a project is created from."""

from __future__ import annotations

from pathlib import Path

import click

from jepanet.interface.arguments.dataset.shown import show_dataset, shown_progress
from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import emit, json_option

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("split", cls=StrictCommand)
@click.argument("shards", nargs=-1, required=True, type=_FILE, metavar="SHARD...")
@click.option("--out", "directory", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="Folder to write; an interrupted call is taken up again.")  # fmt: skip
@click.option("--recipe", required=True, metavar="NAME|FILE", help="The recipe that is to train on it.")
@click.option("--licence", required=True, metavar="TEXT",
              help="Under which solvers are given the training shards, which are public.")  # fmt: skip
@click.option("--sites", default=4, show_default=True, type=click.IntRange(1, 256),
              help="Training shards: a solver trains on one.")  # fmt: skip
@click.option("--rounds", default=8, show_default=True, type=click.IntRange(1, 256),
              help="Sealed shards: each round of the project uses one up.")  # fmt: skip
@click.option("--each", type=click.IntRange(4, 10_000),
              help="Pictures or pairs in a sealed shard: the more, the surer is a score. Left out: a fifth "
              "of all in all of them, or what the recipe needs.")  # fmt: skip
@click.option("--sealed", multiple=True, type=_FILE, metavar="SHARD",
              help="A shard that nobody else has: such alone are sealed.")  # fmt: skip
@click.option("--evaluation-seed", help="Reproducible sealed shards, for tests only.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@json_option
def split(
    shards: tuple[Path, ...],
    directory: Path,
    recipe: str,
    licence: str,
    sites: int,
    rounds: int,
    each: int | None,
    sealed: tuple[Path, ...],
    evaluation_seed: str | None,
    workers: int,
    as_json: bool,
) -> None:
    """Make a dataset for a project out of shards of your own: training, public and sealed ones.

    Pictures, captions and pairs are dealt in a secret order. What is there twice is dealt once; nothing is
    sealed that resembles something else.

    \b
    Examples:
      jepanet dataset split photos.safetensors --recipe image-tiny --licence "(c) me" --out dataset
      jepanet dataset split one.safetensors two.safetensors --recipe a.toml --licence MIT --rounds 20 --out a
      jepanet dataset split web.safetensors --sealed mine.safetensors --recipe a.toml --licence MIT --out a
    """
    from jepanet.operations.datasets import seed_of
    from jepanet.operations.own_datasets import split_shards

    with shown_progress() as progress:
        value = split_shards(
            shards,
            directory,
            recipe=recipe,
            sites=sites,
            rounds=rounds,
            each=each,
            sealed=sealed,
            licence=licence,
            workers=workers,
            evaluation_seed=seed_of(evaluation_seed) if evaluation_seed is not None else None,
            progress=progress,
        )
    emit(value, as_json, show_dataset)
