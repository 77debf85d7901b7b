"""What do honest deltas of `language-tiny` measure, and what does each way of earning without the work earn?

A federation of as many solvers as the dataset has training shards plays rounds in this process: warm start,
training, the real `judge` on a sealed shard at contribution scale (base + delta / N), mean of the accepted,
the outer step. Every honest delta of every round is a row; t is its gain over its standard error. Against
the base of the last round each attack takes the place of the first solver. Pay is the gain less one standard
error, nothing where the judge excludes a delta, as a share of the honest solver's.

    jepanet dataset build words --out words --seed 7
    python benchmarks/language_attacks.py words --seed 1 --rounds 3
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np

from jepanet.federation.deltas.delta import DeltaHeader, delta_of, encode_delta
from jepanet.federation.judging.judge import Claim, Judgement, Metrics, Rules, judge
from jepanet.federation.merging.outer import outer_step
from jepanet.learning.data.on_disk import open_built
from jepanet.learning.data.shards import Shard, load_shard
from jepanet.learning.evaluation.guards import absolute_guards, state_guards
from jepanet.learning.evaluation.metrics import Metrics as Measured
from jepanet.learning.evaluation.metrics import encode, metrics_of
from jepanet.learning.evaluation.scorer import scorer_of
from jepanet.learning.family import Encoded
from jepanet.learning.presets import preset
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import changed
from jepanet.learning.training.loop import train, warm_start
from jepanet.protocol.documents.spec import NormCaps
from jepanet.tensors import Arrays
from jepanet.types import Address, Digest, Verdict

ZERO = Digest(bytes(32))
HEADER = DeltaHeader(base=ZERO, recipe=ZERO)
MOMENTUM, OUTER = 0.6, 0.7
Train = Callable[..., Arrays]


@dataclass
class Row:
    what: str
    round: int
    reason: str
    gain: float
    """Milli-nats."""
    t: float
    pay: float
    variance: float
    rank: float


class OneShard:
    """The judge's scorer over one shard; what was measured once is not measured again."""

    def __init__(self, base: Arrays, recipe: Recipe, shard: Shard) -> None:
        self._recipe, self._shard = recipe, shard
        self._scorer = scorer_of(base, recipe, shard)
        self._known: dict[bytes, Encoded] = {}

    @property
    def unit(self) -> str:
        return self._scorer.unit

    def gain(self, weights: Arrays) -> Any:
        return self._scorer.gain_of(self._encoded(weights))

    def metrics(self, weights: Arrays) -> Metrics:
        return metrics_of(self._encoded(weights), self._shard, self._recipe).to_json()

    def state_guards(self, base: Metrics, candidate: Metrics) -> tuple[str, ...]:
        return state_guards(Measured(**base), Measured(**candidate), self._recipe.gates)

    def merge_guards(self, base: Metrics, merged: Metrics) -> tuple[str, ...]:
        before, after, gates = Measured(**base), Measured(**merged), self._recipe.gates
        return (*state_guards(before, after, gates), *absolute_guards(before, after, gates))

    def _encoded(self, weights: Arrays) -> Encoded:
        name = hashlib.sha256(b"".join(weights[key].tobytes() for key in sorted(weights))).digest()
        if name not in self._known:
            self._known[name] = encode(weights, self._recipe, self._shard)
        return self._known[name]


def judged(base: Arrays, deltas: Sequence[Arrays], recipe: Recipe, scorer: OneShard) -> list[Judgement]:
    claims, caps = [], NormCaps()
    for index, delta in enumerate(deltas):
        data = encode_delta(delta, HEADER, "int8")
        claims.append(Claim(Address(f"0x{index:040x}"), index, Digest(hashlib.sha256(data).digest()), data))
    rules = Rules(
        base=ZERO, recipe=ZERO, codec="int8", max_delta_bytes=1 << 26,
        to_base_milli=caps.to_base_milli, to_median_milli=caps.to_median_milli, zero_nano=caps.zero_nano,
        similarity_milli=900, harm_sigmas_milli=round(1000 * recipe.gates.harm_sigmas),
    )  # fmt: skip
    return list(judge(base, claims, rules, scorer).judgements)


def row(what: str, number: int, found: Judgement, base: Metrics) -> Row:
    seen = found.metrics or {}
    pay = max(0, found.gain - found.stderr) if found.verdict == Verdict.ACCEPTED else 0
    return Row(
        what, number, found.reason, found.gain / 1e3, found.gain / max(1, found.stderr), pay / 1e3,
        seen.get("variance", 0.0) / base["variance"], seen.get("rank", 0.0) / base["rank"],
    )  # fmt: skip


def attacks(
    base: Arrays, own: Arrays, shard: Shard, sealed: Shard, recipe: Recipe, training: Train
) -> dict[str, Callable[[], Arrays]]:
    """Deltas in place of the first solver's `own`, by what was done."""
    generator = np.random.default_rng(0)
    mixed = generator.permutation(shard.episodes)

    def by(path: str, value: float) -> Callable[[], Arrays]:
        return lambda: training(base, shard, changed(recipe, path, value))

    def scaled(factor: float) -> Callable[[], Arrays]:
        return lambda: {name: np.float32(factor) * array for name, array in own.items()}

    def noise() -> Arrays:
        drawn = {name: generator.standard_normal(array.shape) for name, array in own.items()}
        sizes = [np.sqrt(sum(float(np.square(item).sum()) for item in d.values())) for d in (own, drawn)]
        return {name: (array * sizes[0] / sizes[1]).astype(np.float32) for name, array in drawn.items()}

    def of_layers(start: str, factor: float) -> Callable[[], Arrays]:
        return lambda: {
            name: array * np.float32(factor - 1 if name.startswith(start) else 0)
            for name, array in base.items()
        }

    return {
        "honest, another seed": lambda: training(base, shard, recipe),
        "no match term": by("objective.match", 0.0),
        "no match term, twice the steps": lambda: training(
            base, shard, changed(recipe, "objective.match", 0.0), steps=2 * recipe.inner_steps
        ),
        "twice the steps": lambda: training(base, shard, recipe, steps=2 * recipe.inner_steps),
        "match term alone (weight 10)": by("objective.match", 10.0),
        "match term at the score's weight": by("objective.match", recipe.score.match),
        "shuffled pairs": lambda: training(
            base, shard.with_arrays(second=shard.array("second")[mixed]), recipe
        ),
        "lazy, 8 steps": lambda: training(base, shard, recipe, steps=8),
        "zero": scaled(0.0),
        "sign flip": scaled(-1.0),
        "honest x 1.9": scaled(1.9),
        "noise of its norm": noise,
        "last norm at zero": of_layers("encoder.norm.", 0.0),
        "projection x 0.1": of_layers("projection.", 0.1),
        "trained on the sealed shard": lambda: training(base, sealed, recipe),
    }


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--seed", default=1)
@click.option("--rounds", default=3)
@click.option("--recipe", "name", default="language-tiny")
@click.option("--attacks/--no-attacks", "attacked", default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Where all rows are written as JSON.")
def main(data: Path, seed: int, rounds: int, name: str, attacked: bool, out: Path | None) -> None:
    recipe, built = preset(name), open_built(data)
    shards = [load_shard(built.training_path(index)) for index in range(len(built.manifest.training))]

    def seeded(*what: object) -> bytes:
        return hashlib.sha256(repr((seed, *what)).encode()).digest()

    base = warm_start(recipe, load_shard(built.public_path), seeded("warm"))
    velocity: Arrays | None = None
    rows: list[Row] = []
    for number in range(rounds):
        sealed = load_shard(built.sealed[number % len(built.sealed)].path)
        scorer = OneShard(base, recipe, sealed)
        metrics = scorer.metrics(base)

        def training(
            base: Arrays, shard: Shard, recipe: Recipe, steps: int | None = None, *what: object,
            number: int = number,
        ) -> Arrays:  # fmt: skip
            start = number * recipe.inner_steps
            seed = seeded("training", number, *what)
            return delta_of(
                train(base, shard, recipe, seed=seed, steps=steps, start_step=start).weights, base
            )

        deltas = [training(base, shard, recipe, None, index) for index, shard in enumerate(shards)]
        found = judged(base, deltas, recipe, scorer)
        click.echo(f"round {number}: base {scorer._scorer.score:.4f} nats a token, variance "
                   f"{metrics['variance']:.3f}, rank {metrics['rank']:.1f}")  # fmt: skip
        for index, judgement in enumerate(found):
            rows.append(row(f"honest {index}", number, judgement, metrics))
            tell(rows[-1])
        if attacked and number == rounds - 1:
            for what, make in attacks(base, deltas[0], shards[0], sealed, recipe, training).items():
                rows.append(
                    row(what, number, judged(base, [make(), *deltas[1:]], recipe, scorer)[0], metrics)
                )
                tell(rows[-1], rows[-1].pay / max(honest_pay(rows, number), 1e-9))
        mean = {name: np.mean([delta[name] for delta in deltas], axis=0) for name in base}
        base, velocity = outer_step(base, mean, velocity, lr=OUTER, momentum=MOMENTUM)
        gain, merged = scorer.gain(base), scorer.metrics(base)
        kept = ", ".join(scorer.merge_guards(metrics, merged)) or "published"
        ratios = ", ".join(
            f"{key} {merged[key] / metrics[key]:.2f}" for key in ("variance", "rank", "sigreg")
        )
        click.echo(
            f"  the merge: {kept}; {1e3 * gain.mean:+.2f} mnat, t {gain.mean / gain.stderr:+.1f}; {ratios}"
        )
    ts = [item.t for item in rows if item.what.startswith("honest ") and item.what[7:].isdigit()]
    click.echo(f"honest: median t {median(ts):.1f}, {np.mean([t > 2 for t in ts]):.0%} above 2, "
               f"lowest {min(ts):.1f}, of {len(ts)}")  # fmt: skip
    if out is not None:
        out.write_text(json.dumps([asdict(item) for item in rows], indent=1))


def honest_pay(rows: Sequence[Row], number: int) -> float:
    return next(item.pay for item in rows if item.what == "honest 0" and item.round == number)


def tell(item: Row, share: float | None = None) -> None:
    paid = "" if share is None else f"{share:7.0%} of honest pay"
    click.echo(
        f"  {item.what:34s} {item.reason:16s} {item.gain:+8.2f} mnat  t {item.t:+6.1f}  "
        f"var {item.variance:.2f}  rank {item.rank:.2f} {paid}"
    )


if __name__ == "__main__":
    main()
