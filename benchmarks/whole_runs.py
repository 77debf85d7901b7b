"""What becomes of a model that is trained for many rounds beside attackers, and what do they earn?

Whole federations from the same start, honest or not, through judging, mending, merging and pay as proposers
open rounds who change nothing. Every finished run is kept at once: a command that is repeated goes on.

    python benchmarks/whole_runs.py tworoom-small --seeds 3
    python benchmarks/whole_runs.py tworoom-small --seeds 3 --rounds 20 --run clean --run absent --run stealth
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from attacks.federation import NONE, REPORTS, USUAL, Ended, Federation
from attacks.rounds import Data
from attacks.towards_collapse import times, towards_collapse

from jepanet.federation.judging.similarity import norm, upper_median
from jepanet.files import write_atomically
from jepanet.learning.presets import preset
from jepanet.tensors import Arrays

RESULT = Path(__file__).parent / "results" / "whole_runs.json"
CACHE = Path.home() / ".cache" / "jepanet-benchmarks"
Made = Callable[[Federation, int], tuple[list[Arrays | None], int]]
"""The deltas of a round, and how many of them, from the first, are the attacker's."""


def clean(now: Federation, solvers: int) -> tuple[list[Arrays | None], int]:
    return [now.honest(place) for place in range(solvers)], 0


def veto(now: Federation, solvers: int) -> tuple[list[Arrays | None], int]:
    """Five of a fifth of the steps, drawn out to the bound of a round's own median, in one seat's place."""
    honest = [now.honest(place) for place in range(solvers)]
    bound = 1.95 * upper_median([norm(delta) for delta in honest])
    steps = now.recipe.inner_steps // 5
    cheap = [now.honest(solvers + place, steps=steps) for place in range(5)]
    return [*(times(delta, bound / norm(delta)) for delta in cheap), *honest[1:]], 5


def race(now: Federation, solvers: int) -> tuple[list[Arrays | None], int]:
    """All of them draw out their steps."""
    return [times(now.honest(place), 1.8) for place in range(solvers)], solvers


def drawn_out(now: Federation, solvers: int) -> tuple[list[Arrays | None], int]:
    first, *others = clean(now, solvers)[0]
    assert first is not None
    return [times(first, 1.5), *others], 1


def tiny(now: Federation, solvers: int) -> tuple[list[Arrays | None], int]:
    """One more than the honest ones, each a thousandth as long."""
    honest = [now.honest(place) for place in range(solvers)]
    size, steps = norm(honest[0]), now.recipe.inner_steps // 5
    small = [now.honest(solvers + place, steps=steps) for place in range(solvers + 1)]
    return [*(times(delta, 0.001 * size / norm(delta)) for delta in small), *honest], solvers + 1


def clones(now: Federation, solvers: int) -> tuple[list[Arrays | None], int]:
    """One delta under three names, each with noise of its own (cosine .85 to it)."""
    first, *others = [now.honest(place) for place in range(solvers)]
    draw, made = np.random.default_rng(now.number), []
    for _ in range(3):
        noise = {name: draw.standard_normal(array.shape).astype(np.float32) for name, array in first.items()}
        share = 0.62 * norm(first) / norm(noise)
        mixed = {name: first[name] + np.float32(share) * noise[name] for name in first}
        made.append(times(mixed, norm(first) / norm(mixed)))
    return [*made, *others], 3


def absent(now: Federation, solvers: int) -> tuple[list[Arrays | None], int]:
    """One seat stays empty: what no rule brings back."""
    return [now.honest(place) for place in range(1, solvers)], 0


def stealth(now: Federation, solvers: int) -> tuple[list[Arrays | None], int]:
    """One of them leans towards collapse as far as the guards let it."""
    return [towards_collapse(now, solvers), *(now.honest(place) for place in range(1, solvers))], 1


RULES = {"none": NONE, "usual": USUAL}
RUNS: dict[str, Made] = {
    "clean": clean,
    "veto": veto,
    "race": race,
    "tiny": tiny,
    "one x 1.5": drawn_out,
    "clones": clones,
    "stealth": stealth,
    "absent": absent,
}


@click.command()
@click.argument("recipe")
@click.option("--seeds", default=3, type=click.IntRange(1, 99), show_default=True)
@click.option("--first", default=0, type=click.IntRange(0, 99), show_default=True)
@click.option("--rounds", default=8, type=click.IntRange(1, 64), show_default=True)
@click.option("--solvers", default=4, type=click.IntRange(2, 16), show_default=True)
@click.option("--run", "only", multiple=True, type=click.Choice(sorted(RUNS)), help="Any of them; else all.")
@click.option("--rules", default="usual", type=click.Choice(sorted(RULES)), show_default=True)
@click.option("--out", default=RESULT, type=click.Path(path_type=Path), help="Where finished runs are kept.")
def main(
    recipe: str, seeds: int, first: int, rounds: int, solvers: int, only: tuple[str, ...],
    rules: str, out: Path,
) -> None:  # fmt: skip
    """Whole runs of RECIPE."""
    under = RULES[rules]
    kept: list[dict[str, Any]] = json.loads(out.read_text()) if out.exists() else []
    for seed in range(first, first + seeds):
        for name in only or ("clean", "veto", "race", "tiny"):
            where = {"recipe": recipe, "rules": under.name, "run": name, "seed": seed, "rounds": rounds,
                     "solvers": solvers}  # fmt: skip
            if any(all(row[key] == value for key, value in where.items()) for row in kept):
                continue
            data = Data(recipe, seed, solvers, rounds + REPORTS, CACHE / "attacks")
            now = Federation(preset(recipe), data, seed, solvers=solvers, rounds=rounds, under=under)
            ended: list[Ended] = []
            attackers = 0
            for number in range(rounds):
                deltas, attackers = RUNS[name](now, solvers)
                ended.append(now.play(deltas))
                click.echo(
                    f"{name} {seed} {number + 1}/{rounds} published {ended[-1].published} {ended[-1].pay}"
                )
            out.parent.mkdir(parents=True, exist_ok=True)
            row = {
                **where,
                "attackers": attackers,
                "model": now.told(),
                "played": [asdict(it) for it in ended],
            }
            kept = json.loads(out.read_text()) if out.exists() else []  # another process may have added some
            kept.append(row)
            write_atomically(out, (json.dumps(kept, indent=1) + "\n").encode())
    click.echo(table(kept))


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """In parts of the clean run of the same seed, and of that with one seat empty where it was played too: a
    training that is missing is no attack. Pay in parts of an honest seat's of the clean run."""
    lines = [
        "| recipe, rules | rounds, solvers | run | seed | published "
        "| error | rank | variance | attacker's pay | each other's |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        same = ("recipe", "rules", "seed", "rounds", "solvers")
        alike = [it for it in rows if all(it[key] == row[key] for key in same)]
        beside = [it for it in alike if it["run"] == "clean"]
        empty = [it for it in alike if it["run"] == "absent"]
        model, played, many = row["model"], row["played"], row["attackers"]
        whole, published = (
            np.sum([it["pay"] for it in played], axis=0),
            np.mean([it["published"] for it in played]),
        )
        told = [f"{model[key]:.3f}" for key in ("nmse", "rank", "variance")]
        shares = ["-", "-"]
        if beside:
            due = np.sum([it["pay"] for it in beside[0]["played"]]) / int(row["solvers"])
            parts = [
                ", ".join(f"{model[key] / it['model'][key]:.2f}" for it in (*beside, *empty))
                for key in ("nmse", "rank", "variance")
            ]
            told = [f"{one} ({part})" for one, part in zip(told, parts, strict=True)]
            others = whole[many:]
            shares = [f"{whole[:many].sum() / due:.2f}" if many else "-",
                      f"{others.mean() / due:.2f}" if len(others) else "-"]  # fmt: skip
        lines.append(
            f"| {row['recipe']}, {row['rules']} | {row['rounds']}, {row['solvers']} | {row['run']} "
            f"| {row['seed']} | {published:.2f} | {' | '.join(told)} | {' | '.join(shares)} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
