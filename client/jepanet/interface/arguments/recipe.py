"""`jepanet recipe`: what solvers of a project run, as people write, read and compare it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.errors import Exit, Fatal
from jepanet.interface.strict import StrictGroup, never_both
from jepanet.interface.terminal.output import emit, json_option, pairs, shown, table

if TYPE_CHECKING:
    from jepanet.operations.views.recipes import (
        RecipeChecked,
        RecipesCompared,
        RecipeShown,
        RecipeSummary,
    )


@click.group("recipe", cls=StrictGroup)
def command() -> None:
    """List, show, check and compare recipes: presets by name, files in TOML or JSON.

    \b
    Examples:
      jepanet recipe list
      jepanet recipe show tworoom-small --toml > mine.toml
      jepanet recipe check mine.toml
      jepanet recipe diff tworoom-small mine.toml
      jepanet recipe from-backbone SmolLM2-135M --out mine --lora 8
    """


@command.command("list")
@json_option
def listed(as_json: bool) -> None:
    """List the presets, and about how long a round's training takes on one core.

    Example: jepanet recipe list
    """
    from jepanet.operations.recipes import list_recipes

    def show(items: tuple[RecipeSummary, ...]) -> None:
        columns = ("name", "family", "data", "parameters", "steps", "samples", "training")
        rows = [(item.name, item.family, item.data, f"{item.parameters:,}", item.steps, f"{item.samples:,}",
                 item.training or "-") for item in items]  # fmt: skip
        table("Recipes: steps, samples and training are of one round", columns, rows)

    emit(list_recipes(), as_json, show)


@command.command("show")
@click.argument("recipe")
@click.option("--toml", "as_toml", is_flag=True,
              help="Print a TOML file to begin another from: every field, defaults as comments.")  # fmt: skip
@json_option
@never_both("as_toml", "as_json", "which one?")
def show(recipe: str, as_toml: bool, as_json: bool) -> None:
    """Show every field of a recipe, what it means, and whether it holds its default.

    \b
    Examples:
      jepanet recipe show tworoom-small
      jepanet recipe show tworoom-small --toml > mine.toml
    """
    from jepanet.operations.recipes import recipe_as_toml, show_recipe

    if as_toml:
        click.echo(recipe_as_toml(recipe), nl=False)
    else:
        emit(show_recipe(recipe), as_json, _show)


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def check(file: Path, as_json: bool) -> None:
    """Check a recipe file, and say all that is wrong with it, with keys, ranges and lines.

    Example: jepanet recipe check mine.toml
    """
    from jepanet.operations.recipes import check_recipe

    value = check_recipe(file)
    emit(value, as_json, _show_checked)
    if value.faults:
        count = len(value.faults) + value.more
        raise Fatal(
            f"{file} is no recipe: {count} thing{'s' if count > 1 else ''} to correct",
            remedy="correct what is listed, and check again",
            code=Exit.USAGE,
        )


@command.command("diff")
@click.argument("one")
@click.argument("other")
@json_option
def diff(one: str, other: str, as_json: bool) -> None:
    """Compare two recipes field by field.

    Example: jepanet recipe diff tworoom-small mine.toml
    """
    from jepanet.operations.recipes import compare_recipes

    emit(compare_recipes(one, other), as_json, _show_compared)


@command.command("from-backbone")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--out", "folder", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="Folder to write: recipe, first model, and with --lora the backbone's file.")  # fmt: skip
@click.option("--name", default="backbone", show_default=True, help="Of the recipe.")
@click.option("--lora", "rank", type=click.IntRange(1, 256), metavar="RANK",
              help="Train adapters of this rank in place of the whole model.")  # fmt: skip
@click.option(
    "--alpha", type=click.FloatRange(0.01, 1024.0), help="Weight of adapters; default: twice the rank."
)
@click.option("--target", "targets", multiple=True, metavar="LAYER",
              help="A layer of each block with adapters, for example q_proj; repeat for more.")  # fmt: skip
@click.option("--context", default=128, show_default=True, type=click.IntRange(1, 2048),
              help="Tokens of the longest text.")  # fmt: skip
@click.option("--latent", default=64, show_default=True, type=click.IntRange(2, 1024),
              help="Dimensions in which two texts are compared.")  # fmt: skip
@click.option("--border", type=click.IntRange(0, 65_535),
              help="The token that begins and ends a text; default: the configuration's.")  # fmt: skip
@json_option
def from_backbone(
    source: Path,
    folder: Path,
    name: str,
    rank: int | None,
    alpha: float | None,
    targets: tuple[str, ...],
    context: int,
    latent: int,
    border: int | None,
    as_json: bool,
) -> None:
    """Make a recipe and a first model of a folder in Hugging Face's form, or of a GGUF file.

    Nothing is fetched and no code of the folder runs; weights are read from safetensors and GGUF alone.

    \b
    Examples:
      jepanet recipe from-backbone SmolLM2-135M --out mine --lora 8
      jepanet recipe from-backbone model.Q4_1.gguf --out mine --name smol
    """
    from jepanet.operations.backbones import Chosen, recipe_from_backbone

    if rank is None and (alpha is not None or targets):
        raise click.UsageError("--alpha and --target are of adapters: give --lora RANK")
    chosen = Chosen(name, context, latent, border, rank, alpha, targets or None)
    value = recipe_from_backbone(source, folder, chosen)
    emit(value, as_json, lambda made: pairs(name, shown(made)))


def _show(value: RecipeShown) -> None:
    told = shown(value.summary) | {"project_steps": value.project_steps, "warm_steps": value.warm_steps}
    pairs(value.summary.name, told)
    rows = [
        (item.key, _value(item.value), "yes" if item.default else "", item.meaning) for item in value.fields
    ]
    table("Fields", ("field", "value", "default", "meaning"), rows)


def _show_checked(value: RecipeChecked) -> None:
    if value.summary:
        pairs(f"{value.file} can be used", shown(value.summary))
        return
    rows = [("" if item.line is None else item.line, item.message, item.remedy) for item in value.faults]
    table(str(value.file), ("line", "what is wrong", "what to do"), rows)
    if value.more:
        click.echo(f"and {value.more} more")


def _show_compared(value: RecipesCompared) -> None:
    if not value.differences:
        click.echo(f"the same recipe, {value.one.cid}")
        return
    rows = [(item.key, _value(item.one), _value(item.other)) for item in value.differences]
    table("Differences", ("field", value.one.name, value.other.name), rows)


def _value(value: object) -> str:
    return "-" if value is None else json.dumps(value, ensure_ascii=False)
