"""`jepanet dataset pictures|captions|pairs|tokenizer`: a shard of one's own data, for training by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import emit, json_option

if TYPE_CHECKING:
    from jepanet.operations.views.projects import Shard
    from jepanet.operations.views.recipes import PairsWritten

_KEYS = ("first", "second")


@click.command("pictures", cls=StrictCommand)
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--out",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File to write: one shard.",
)
@click.option(
    "--image",
    "side",
    type=click.IntRange(16, 448),
    required=True,
    help="Side of the pictures in pixels, as the recipe wants it.",
)
@json_option
def pictures(source: Path, path: Path, side: int, as_json: bool) -> None:
    """Make a shard of pictures in a folder, or in a tar as WebDataset packs them.

    Example: jepanet dataset pictures photos --out photos.safetensors --image 48
    """
    from jepanet.operations.datasets import shard_of_pictures

    def show(value: Shard) -> None:
        click.echo(f"{value.episodes} pictures, {value.bytes:,} bytes: {path}")

    emit(shard_of_pictures(source, path, side), as_json, show)


@click.command("captions", cls=StrictCommand)
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--out",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File to write: one shard.",
)
@click.option(
    "--image",
    "side",
    type=click.IntRange(16, 448),
    required=True,
    help="Side of the pictures in pixels, as the recipe wants it.",
)
@click.option(
    "--vocabulary",
    type=click.Path(exists=True, path_type=Path),
    help="The source whose texts tokens are learnt from: the same for all sites. Default: SOURCE.",
)
@click.option(
    "--tokens",
    type=click.IntRange(257, 65_536),
    default=8192,
    show_default=True,
    help="Tokens of the vocabulary, as the recipe's model.vocabulary.",
)
@click.option(
    "--query",
    type=click.IntRange(1, 512),
    default=32,
    show_default=True,
    help="Tokens of the longest question, as the recipe's model.query.",
)
@click.option(
    "--answer",
    type=click.IntRange(1, 512),
    default=32,
    show_default=True,
    help="Tokens of the longest answer, as the recipe's model.answer.",
)
@json_option
def captions(
    source: Path,
    path: Path,
    side: int,
    vocabulary: Path | None,
    tokens: int,
    query: int,
    answer: int,
    as_json: bool,
) -> None:
    """Make a shard of pictures with captions, or questions and answers, from a file of JSON lines, or from a
    folder where one.jpg has its caption in one.txt.

    \b
    Each line names a picture beside the file, or below:
      {"image": "one.jpg", "caption": "two dogs in the surf"}
      {"image": "two.jpg", "questions": [["how many dogs", "two"], ["where", "on the beach"]]}

    Example: jepanet dataset captions photos.jsonl --out photos.safetensors --image 224
    """
    from jepanet.operations.datasets import shard_of_captions

    def show(value: Shard) -> None:
        click.echo(f"{value.episodes} pictures with texts, {value.bytes:,} bytes: {path}")

    made = shard_of_captions(source, path, vocabulary, side=side, query=query, answer=answer, tokens=tokens)
    emit(made, as_json, show)


@click.command("pairs", cls=StrictCommand)
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", "path", type=click.Path(dir_okay=False, path_type=Path), required=True,
              help="File to write: one shard.")  # fmt: skip
@click.option("--tokenizer", type=click.Path(exists=True, path_type=Path), required=True,
              help="The model's folder with tokenizer.json, or its GGUF file.")  # fmt: skip
@click.option("--recipe", required=True, metavar="NAME|FILE", help="The recipe that is to train on it.")
@click.option("--longest", type=click.IntRange(1, 2048),
              help="Tokens of a text; longer ones are left out; default: the recipe's.")  # fmt: skip
@click.option("--key", "keys", nargs=2, default=_KEYS, show_default=True, help="Of a line's two texts.")
@json_option
def pairs(
    source: Path,
    path: Path,
    tokenizer: Path,
    recipe: str,
    longest: int | None,
    keys: tuple[str, str],
    as_json: bool,
) -> None:
    """Make a shard of pairs of texts from a file of JSON lines, in a tokenizer's tokens.

    Example: jepanet dataset pairs texts.jsonl --out own.safetensors --tokenizer SmolLM2 --recipe mine.toml
    """
    from jepanet.operations.backbones import write_pairs

    made = write_pairs(source, path, tokenizer=tokenizer, recipe=recipe, longest=longest, keys=keys)

    def show(value: PairsWritten) -> None:
        click.echo(f"{value.pairs} pairs, {value.bytes:,} bytes: {value.shard}; {value.left_out} left out")

    emit(made, as_json, show)


@click.command("tokenizer", cls=StrictCommand)
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", "directory", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="Folder to write tokenizer.json to.")  # fmt: skip
@click.option("--tokens", default=4096, show_default=True, type=click.IntRange(300, 65_536),
              help="Of the vocabulary.")  # fmt: skip
@click.option("--key", "keys", nargs=2, default=_KEYS, show_default=True, help="Of a line's two texts.")
@json_option
def tokenizer(source: Path, directory: Path, tokens: int, keys: tuple[str, str], as_json: bool) -> None:
    """Learn a tokenizer from a file of JSON lines, for a model that begins with random weights.

    Example: jepanet dataset tokenizer texts.jsonl --out tokenizer --tokens 4096
    """
    from jepanet.operations.backbones import write_tokenizer

    made = write_tokenizer(source, directory, size=tokens, keys=keys)
    emit(made, as_json, lambda value: click.echo(f"at most {value.tokens:,} tokens: {value.file}"))
