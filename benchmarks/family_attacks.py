"""Does honest work of a family measure as gain, and does anything else?

Plays rounds without chain or network on the recipe's usual dataset, at its shipped sizes: four solvers train
from the same weights, each on a shard of its own; deltas are coded and judged by `federation.judging` at 1/N
on a sealed shard that no other round uses, and merged. In the last round every attack (`attacks/`) is judged
as well, in the place of the last solver, beside the honest deltas of the others. Pay is the gain less one
standard error, of what is accepted; the yardstick is the median honest delta of the same round.

    python benchmarks/family_attacks.py all --seeds 3 --rounds 3
    python benchmarks/family_attacks.py image-tiny --seeds 3 --report image.md
    python benchmarks/family_attacks.py language-tiny --set score.match=0.6 --out match.json

A seed that is finished is kept in the JSON file and not played again, so a run may be interrupted, and
several may keep theirs in one file. Shards are drawn once, into `~/.cache/jepanet-benchmarks`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
from attacks.report import by_recipe, report, summary
from attacks.rounds import Data, Rounds
from attacks.rows import Row, Run, keep_run, kept_runs

from jepanet.learning.presets import preset
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import changed

RESULT = Path(__file__).parent / "results" / "family_attacks.json"
SHARDS = Path.home() / ".cache" / "jepanet-benchmarks" / "attacks"
SMALL = ("world-tiny", "image-tiny", "vision-language-tiny", "language-tiny", "backbone-tiny")
"""One of each family, small enough to be played on a CPU: what `all` means."""


@click.command()
@click.argument("recipe")
@click.option("--seeds", default=3, type=click.IntRange(1, 99), show_default=True)
@click.option("--first", default=0, type=click.IntRange(0, 99), help="The first seed.", show_default=True)
@click.option("--rounds", default=3, type=click.IntRange(1, 64), show_default=True)
@click.option("--solvers", default=4, type=click.IntRange(2, 16), show_default=True)
@click.option("--only", multiple=True, help="An attack by name; without any, all of them.")
@click.option("--set", "changes", multiple=True, help="Another value of a field: score.match=0.6.")
@click.option("--out", default=RESULT, type=click.Path(path_type=Path), help="Where runs are kept.")
@click.option("--report", "written", type=click.Path(path_type=Path), help="Where the tables are written.")
def main(
    recipe: str,
    seeds: int,
    first: int,
    rounds: int,
    solvers: int,
    only: tuple[str, ...],
    changes: tuple[str, ...],
    out: Path,
    written: Path | None,
) -> None:
    """Honest deltas and attacks of RECIPE, or of one recipe of each family (`all`), through the judge."""
    names = SMALL if recipe == "all" else (recipe,)
    texts = []
    for name in names:
        played, settings = _recipe(name, changes), {"rounds": rounds, "solvers": solvers, "only": list(only)}
        settings["recipe"] = played.digest().hex()
        for seed in range(first, first + seeds):
            known = kept_runs(out).get(f"{name}, seed {seed}")
            if known is None or known.settings != settings:
                click.echo(f"{name}, seed {seed}")
                keep_run(out, _run(name, played, seed, settings, only))
        runs = [item for item in by_recipe(kept_runs(out))[name] if item.settings == settings]
        click.echo(f"{name}: {summary(runs)}")
        texts.append(f"## {name}\n\n{report(runs)}")
    text = "\n".join(texts)
    if written is None:
        click.echo(text)
    else:
        written.write_text(text, encoding="utf-8")


def _recipe(name: str, changes: Sequence[str]) -> Recipe:
    recipe = preset(name)
    for change in changes:
        path, _, value = change.partition("=")
        recipe = changed(recipe, path, json.loads(value))
    return recipe


def _run(name: str, recipe: Recipe, seed: int, settings: dict[str, object], only: Sequence[str]) -> Run:
    rounds, solvers = settings["rounds"], settings["solvers"]
    assert isinstance(rounds, int) and isinstance(solvers, int)
    data = Data(name, seed, solvers, rounds, SHARDS)
    playing = Rounds(recipe, data, seed, solvers, _tell)
    for number in range(rounds):
        playing.play(number, attacked=number == rounds - 1, only=only)
    return Run(name, seed, settings, playing.rows, playing.scores, playing.seconds)


def _tell(row: Row) -> None:
    ratios = ", ".join(f"{name} x {value:.2f}" for name, value in row.ratios.items())
    click.echo(
        f"  {row.round} {row.kind:<36} {row.gain / 1000:+9.2f} milli-nats, t {row.t:+6.1f}, norm x "
        f"{row.length:.2f}, {ratios}  {row.verdict} {row.reason}"
    )


if __name__ == "__main__":
    main()
