"""What becomes of a model that is trained for many rounds beside attackers, and what do they earn?

Whole federations from the same start, honest or not, through judging, mending, merging and pay as proposers
open rounds who change nothing. Every finished run is kept at once: a command that is repeated goes on.

    python benchmarks/whole_runs.py tworoom-small --seeds 3
    python benchmarks/whole_runs.py tworoom-small --seeds 3 --rounds 20 --solvers 2 --run clean --run stealth
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
from attacks.shared import parts_of

from jepanet.federation.judging.similarity import norm, upper_median
from jepanet.files import write_atomically
from jepanet.learning.evaluation.guards import state_guards
from jepanet.learning.presets import preset
from jepanet.learning.recipe import Gates
from jepanet.learning.recipe_reader import changed
from jepanet.tensors import Arrays

RESULT = Path(__file__).parent / "results" / "whole_runs.json"
CACHE = Path.home() / ".cache" / "jepanet-benchmarks"
WITHIN = 0.7
"""Of every tolerance of a guard: as far as an attacker goes that the guards are not to see."""
SHARES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0)
Made = Callable[[Federation, int], tuple[list[Arrays | None], int]]
"""The deltas of a round, and how many of them, from the first, are the attacker's."""


def times(delta: Arrays, factor: float) -> Arrays:
    return {name: array * np.float32(factor) for name, array in delta.items()}


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


def stealth(now: Federation, solvers: int) -> tuple[list[Arrays | None], int]:
    """The largest step towards collapse that passes seven tenths of every guard on public frames."""
    recipe = now.recipe
    for path, value in parts_of(now.recipe).free:
        recipe = changed(recipe, path, value)
    away, others = now.honest(0, recipe=recipe), [now.honest(place) for place in range(1, solvers)]
    before, gates, taken = now.public_metrics(now.base), narrowed(now.recipe.gates), 0.0
    for share in SHARES:
        candidate = {name: now.base[name] + np.float32(share / solvers) * away[name] for name in away}
        if state_guards(before, now.public_metrics(candidate), gates):
            break
        taken = share
    return [times(away, taken) if taken else None, *others], 1


def narrowed(gates: Gates) -> Gates:
    """Guards as an attacker keeps to them that wants never to be seen."""
    return Gates(
        variance_floor=1 - WITHIN * (1 - gates.variance_floor),
        variance_ceiling=1 + WITHIN * (gates.variance_ceiling - 1),
        variance_cap=gates.variance_cap,
        sigreg_log=WITHIN * gates.sigreg_log,
        rank_ratio=1 - WITHIN * (1 - gates.rank_ratio),
        healthy_variance=gates.healthy_variance,
        harm_sigmas=gates.harm_sigmas,
    )


RULES = {"none": NONE, "usual": USUAL}
RUNS: dict[str, Made] = {
    "clean": clean,
    "veto": veto,
    "race": race,
    "tiny": tiny,
    "one x 1.5": drawn_out,
    "clones": clones,
    "stealth": stealth,
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
    """Beside the clean run of the same seed; pay in parts of an honest seat's of it."""
    lines = [
        "| recipe, rules | rounds, solvers | run | seed | published "
        "| error | rank | variance | attacker's pay | each other's |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        same = ("recipe", "rules", "seed", "rounds", "solvers")
        beside = [it for it in rows if it["run"] == "clean" and all(it[key] == row[key] for key in same)]
        model, played, many = row["model"], row["played"], row["attackers"]
        whole, published = (
            np.sum([it["pay"] for it in played], axis=0),
            np.mean([it["published"] for it in played]),
        )
        told = [f"{model[key]:.3f}" for key in ("nmse", "rank", "variance")]
        shares = ["-", "-"]
        if beside:
            due = np.sum([it["pay"] for it in beside[0]["played"]]) / int(row["solvers"])
            ratio = [model[key] / beside[0]["model"][key] for key in ("nmse", "rank", "variance")]
            told = [f"{one} ({part:.2f})" for one, part in zip(told, ratio, strict=True)]
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
