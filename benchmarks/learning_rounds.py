"""Does a model get better on sites nobody trains on, and does the grounded score tell work from garbage?

Plays rounds of federated training on the real simulator without chain or network: every solver trains from
the same weights on a shard of its own, deltas are int8-coded, scored at 1/N on a sealed shard that no other
round uses, averaged, and the outer step taken. Beside the honest deltas, garbage is scored at the same
scale: nothing of it may earn. Yardsticks in the same run: the base before the round, and a delta of the same
norm that is pure noise. `--seeds` repeats everything; figures are medians and extremes over rounds and seeds.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from jepanet.federation.deltas.codecs import BY_ARRAY
from jepanet.federation.deltas.delta import delta_of
from jepanet.federation.judging.similarity import norm
from jepanet.federation.merging.mean import mean
from jepanet.federation.merging.outer import outer_step
from jepanet.learning.data.building.builder import build
from jepanet.learning.data.shards import Shard, joined, load_shard
from jepanet.learning.evaluation.grounded import GroundedScorer
from jepanet.learning.evaluation.guards import absolute_guards, state_guards
from jepanet.learning.evaluation.metrics import Metrics, encode, heldout_metrics, metrics_of
from jepanet.learning.families.world.family import World
from jepanet.learning.presets import PRESETS, preset
from jepanet.learning.recipe import Recipe
from jepanet.learning.simulators.tworoom.dataset import DEMO, TASK
from jepanet.learning.training.loop import train, warm_start
from jepanet.tensors import Arrays

RESULT = Path(__file__).parent / "results" / "learning_rounds.json"
MERGE = "merge"
console = Console(width=150)


@dataclass(slots=True)
class Scored:
    """One candidate of one round, in micro-nats; `guards` are the state guards it trips."""

    seed: int
    round: int
    kind: str
    gain: int
    stderr: int
    guards: tuple[str, ...]

    def pay(self, shrink: float) -> float:
        return max(0.0, self.gain - shrink * self.stderr) * (not self.guards)


@dataclass(slots=True)
class Record:
    scored: list[Scored] = field(default_factory=list)
    rounds: list[dict[str, Any]] = field(default_factory=list)


def added(base: Arrays, delta: Mapping[str, np.ndarray], scale: float) -> Arrays:
    return {name: base[name] + np.float32(scale) * delta[name] for name in base}


def coded(delta: Arrays) -> Arrays:
    """The delta as it arrives: through the int8 codec."""
    codec = BY_ARRAY["int8"]
    return {name: codec.decode(codec.encode(array), array.shape) for name, array in delta.items()}


def garbage(
    base: Arrays, honest: Arrays, shard: Shard, recipe: Recipe, seed: bytes, start: int
) -> dict[str, Arrays]:
    """Deltas that deserve nothing, at the scale a solver would submit them."""
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(seed[:8], "big")))
    size = norm(honest)
    noise = {name: generator.standard_normal(array.shape).astype(np.float32) for name, array in base.items()}
    noise = {name: array * np.float32(size / norm(noise)) for name, array in noise.items()}
    world = recipe.family
    assert isinstance(world, World), "the objective without its regulariser is the world model's"
    greedy = replace(recipe, family=replace(world, objective=replace(world.objective, weight=0.0)))
    collapse = delta_of(train(base, shard, greedy, seed=seed, start_step=start).weights, base)
    lazy = delta_of(train(base, shard, recipe, seed=seed, steps=4, start_step=start).weights, base)
    zero = {name: np.zeros_like(array) for name, array in base.items()}

    def head(factor: float) -> Arrays:
        heads = ("encoder.head.weight", "encoder.head.bias")
        return zero | {name: np.float32(factor - 1.0) * base[name] for name in heads}

    return {
        "zero": zero,
        "noise": noise,
        "shuffled": {
            name: generator.permutation(array.ravel()).reshape(array.shape) for name, array in honest.items()
        },
        "sign flip": {name: -array for name, array in honest.items()},
        "lazy, 4 steps": lazy,
        "collapse (lambda 0)": collapse,
        "collapse x 0.3": {name: array * np.float32(0.3) for name, array in collapse.items()},
        "collapse x 0.1": {name: array * np.float32(0.1) for name, array in collapse.items()},
        "latents x 0.1": head(0.1),
        "constant encoder": head(0.0),
        "honest x 5": {name: array * np.float32(5.0) for name, array in honest.items()},
    }


def scored(
    into: list[Scored],
    scorer: GroundedScorer,
    base: Metrics,
    recipe: Recipe,
    shard: Shard,
    place: tuple[int, int],
    kind: str,
    candidate: Arrays,
) -> Scored:
    """Measures one candidate and appends it; the merge also has to pass the absolute guards."""
    encoded = encode(candidate, recipe, shard)
    gain = scorer.gain_of(encoded)
    guards: tuple[str, ...] = ("non-finite",)
    if encoded.finite:
        measured = metrics_of(encoded, shard, recipe)
        guards = state_guards(base, measured, recipe.gates)
        guards += absolute_guards(base, measured, recipe.gates) if kind == MERGE else ()
    into.append(Scored(*place, kind, gain.micro, gain.stderr_micro, guards))
    return into[-1]


def play(data: Path, recipe: Recipe, number: int, options: Mapping[str, Any], record: Record) -> None:
    """One seed: warm start and rounds."""
    seed = hashlib.sha256(f"learning rounds {number}".encode()).digest()
    training = [load_shard(path) for path in sorted(data.glob("training-*.safetensors"))]
    sealed = [load_shard(path) for path in sorted((data / "sealed").glob("shard-*.safetensors"))]
    rounds, solvers = options["rounds"], options["solvers"]
    report = joined(sealed[rounds:])
    began = time.process_time()
    weights = warm_start(recipe, load_shard(data / "public.safetensors"), seed)
    console.print(f"seed {number}: warm start {time.process_time() - began:.1f} s CPU")
    velocity: Arrays | None = None
    before = heldout_metrics(weights, recipe, report)
    record.rounds.append({"seed": number, "round": 0, **before.to_json()})
    for turn in range(rounds):
        start = turn * recipe.inner_steps
        deltas: list[Arrays] = []
        began = time.process_time()
        for solver in range(solvers):
            shard = training[(turn * solvers + solver) % len(training)]
            own = hashlib.sha256(seed + bytes([turn, solver])).digest()
            deltas.append(
                coded(delta_of(train(weights, shard, recipe, seed=own, start_step=start).weights, weights))
            )
        trained = (time.process_time() - began) / solvers
        began = time.process_time()
        scorer = GroundedScorer(weights, recipe, sealed[turn])
        state = heldout_metrics(weights, recipe, sealed[turn])

        score = partial(scored, record.scored, scorer, state, recipe, sealed[turn], (number, turn + 1))
        shares = [score("honest", added(weights, delta, 1.0 / solvers)) for delta in deltas]
        new, velocity = outer_step(
            weights, mean(deltas), velocity, lr=options["outer_lr"], momentum=options["momentum"]
        )
        merge = score(MERGE, new)
        scoring = time.process_time() - began
        if options["garbage"]:
            bad = garbage(weights, deltas[0], training[turn % len(training)], recipe, seed, start)
            for kind, delta in bad.items():
                score(kind, added(weights, delta, 1.0 / solvers))
        weights = new
        after = heldout_metrics(weights, recipe, report)
        record.rounds.append({"seed": number, "round": turn + 1, **after.to_json()})
        console.print(
            f"  round {turn + 1}: nmse {before.nmse:.3f} -> {after.nmse:.3f}, skill {before.skill:.2f} -> "
            f"{after.skill:.2f}, rank {after.rank:.1f}, variance {after.variance:.2f}; merge {merge.gain:+d} "
            f"± {merge.stderr} {' '.join(merge.guards)}; honest "
            + ", ".join(f"{s.gain:+d} ± {s.stderr} {' '.join(s.guards)}" for s in shares)
            + f"; train {trained:.1f} s, score {scoring:.1f} s CPU"
        )
        before = after


def table_of(record: Record, shrink: float) -> tuple[Table, dict[str, Any]]:
    table = Table(
        title=f"Gain at 1/N in thousandths of a nat; pay after {shrink:g} standard errors and guards"
    )
    for column in (
        "candidate",
        "scored",
        "median gain",
        "least",
        "most",
        "median stderr",
        "guarded",
        "paid",
        "pay",
    ):
        table.add_column(column, justify="left" if column == "candidate" else "right")
    summary: dict[str, Any] = {}
    kinds = list(dict.fromkeys(item.kind for item in record.scored))
    for kind in kinds:
        items = [item for item in record.scored if item.kind == kind]
        gains = [item.gain / 1000 for item in items]
        pays = [item.pay(shrink) / 1000 for item in items]
        row = {
            "scored": len(items),
            "median": statistics.median(gains),
            "least": min(gains),
            "most": max(gains),
            "stderr": statistics.median(item.stderr / 1000 for item in items),
            "guarded": sum(bool(item.guards) for item in items),
            "paid": sum(pay > 0 for pay in pays),
            "mean_pay": statistics.mean(pays),
        }
        summary[kind] = row
        cells = [f"{value:.1f}" if isinstance(value, float) else str(value) for value in row.values()]
        table.add_row(kind, *cells)
    return table, summary


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path), help="Folder with a demo-size dataset; built if absent."
)
@click.option("--recipe", "name", type=click.Choice(sorted(PRESETS)), default="tworoom-small")
@click.option("--seeds", default=3)
@click.option("--first-seed", default=0)
@click.option("--rounds", default=4)
@click.option("--solvers", default=2)
@click.option("--outer-lr", default=0.7)
@click.option("--momentum", default=0.3)
@click.option("--inner-steps", type=int)
@click.option("--shrink", default=2.0, help="Standard errors taken off a gain before it is paid.")
@click.option("--garbage/--no-garbage", default=True)
@click.option("--write/--no-write", default=True)
def main(
    data: Path | None, name: str, seeds: int, first_seed: int, shrink: float, write: bool, **options: Any
) -> None:
    recipe = preset(name)
    if options["inner_steps"]:
        recipe = replace(recipe, inner_steps=options["inner_steps"])
    record = Record()
    with tempfile.TemporaryDirectory() as temporary:
        folder = data or Path(temporary) / "data"
        sizes = replace(DEMO, image=recipe.family.sizes.image)
        build(TASK.environment, sizes, folder, hashlib.sha256(b"benchmark data").digest(),
              evaluation_seed=hashlib.sha256(b"benchmark secret").digest())  # fmt: skip
        for number in range(first_seed, first_seed + seeds):
            play(folder, recipe, number, options, record)
    table, summary = table_of(record, shrink)
    console.print(table)
    progress = {
        turn: statistics.median(row["nmse"] for row in record.rounds if row["round"] == turn)
        for turn in range(options["rounds"] + 1)
    }
    console.print(
        "median held-out nmse by round:", {turn: round(value, 4) for turn, value in progress.items()}
    )
    if write:
        RESULT.write_text(
            json.dumps(
                {
                    "recipe": name,
                    "options": {**options, "shrink": shrink, "seeds": seeds},
                    "nmse_by_round": progress,
                    "candidates": summary,
                    "rounds": record.rounds,
                },
                indent=1,
            )
            + "\n"
        )


if __name__ == "__main__":
    main()
