"""Does honest work of a family measure as gain, and does anything else?

Plays rounds without chain or network on the family's own dataset: every solver trains from the same weights
on a shard of its own, deltas are coded and judged by `federation.judging` at 1/N on a sealed shard that no
other round uses, and merged. In the last round the attacks are judged as well, each in the place of the last
solver, beside the honest deltas of the others. Yardstick: what the honest deltas of the same round gain.

    python benchmarks/family_attacks.py image-tiny --seeds 3 --rounds 3

prints every delta and the table, and writes them to `benchmarks/results/family_attacks_<recipe>.json`.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from jepanet.federation.deltas.delta import DeltaHeader, delta_of, encode_delta
from jepanet.federation.judging.judge import Claim, Judgement, Rules, judge, judge_merge, merge
from jepanet.federation.judging.similarity import norm
from jepanet.learning.data.building.plan import PUBLIC, plan, sealed_name, training_name
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.gain import Gain
from jepanet.learning.evaluation.guards import absolute_guards, state_guards
from jepanet.learning.evaluation.metrics import Metrics, encode, metrics_of
from jepanet.learning.evaluation.scorer import scorer_of
from jepanet.learning.presets import preset
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import read_recipe
from jepanet.learning.seeding import derive, numpy_generator
from jepanet.learning.sources.registry import dataset_for
from jepanet.learning.training.loop import train, warm_start
from jepanet.protocol.documents.spec import NormCaps
from jepanet.tensors import Arrays, canonical_json, parse_json
from jepanet.types import Address, Digest, Verdict

RESULTS = Path(__file__).parent / "results"
HONEST, MERGE = "honest", "merge"
SIMILARITY = 900
console = Console(width=150)


@dataclass(slots=True)
class Row:
    """One judged delta, or a merge; gains in micro-nats."""

    seed: int
    round: int
    kind: str
    gain: int
    stderr: int
    verdict: str
    reason: str
    variance: float = 0.0
    rank: float = 0.0
    """Both relative to the base."""

    @property
    def t(self) -> float:
        return self.gain / max(1, self.stderr)

    @property
    def pay(self) -> int:
        """Micro-nats that are paid for: gain less one standard error, of what is accepted."""
        return max(0, self.gain - self.stderr) if self.verdict == Verdict.ACCEPTED.name else 0


class Held:
    """The scorer of one round, as `work/scoring.py` makes it; what was measured once is kept."""

    def __init__(self, base: Arrays, recipe: Recipe, shard: Shard) -> None:
        self._recipe, self._shard = recipe, shard
        self._scorer = scorer_of(base, recipe, shard)
        self._known: dict[bytes, tuple[Gain, Metrics]] = {}

    @property
    def score(self) -> float:
        return self._scorer.score

    def gain(self, weights: Arrays) -> Gain:
        return self._found(weights)[0]

    def metrics(self, weights: Arrays) -> dict[str, float]:
        return self._found(weights)[1].to_json()

    def state_guards(self, base: Mapping[str, float], candidate: Mapping[str, float]) -> tuple[str, ...]:
        return state_guards(Metrics(**base), Metrics(**candidate), self._recipe.gates)

    def merge_guards(self, base: Mapping[str, float], merged: Mapping[str, float]) -> tuple[str, ...]:
        before, after, gates = Metrics(**base), Metrics(**merged), self._recipe.gates
        return (*state_guards(before, after, gates), *absolute_guards(before, after, gates))

    def _found(self, weights: Arrays) -> tuple[Gain, Metrics]:
        digest = hashlib.sha256(b"".join(array.tobytes() for _, array in sorted(weights.items()))).digest()
        if digest not in self._known:
            encoded = encode(weights, self._recipe, self._shard)
            self._known[digest] = (
                self._scorer.gain_of(encoded),
                metrics_of(encoded, self._shard, self._recipe),
            )
        return self._known[digest]


@dataclass(frozen=True)
class Round:
    """What attackers have of a round."""

    base: Arrays
    recipe: Recipe
    shard: Shard
    seed: bytes
    start: int
    honest: Arrays
    """The delta of the solver in whose place the attack stands."""

    def trained(self, recipe: Recipe, shard: Shard, steps: int | None = None) -> Arrays:
        made = train(self.base, shard, recipe, seed=self.seed, steps=steps, start_step=self.start)
        return delta_of(made.weights, self.base)

    def scaled(self, factor: float) -> Arrays:
        return {name: np.float32(factor) * array for name, array in self.honest.items()}

    def moved(self, **change: Callable[[np.ndarray], np.ndarray]) -> Arrays:
        """No delta but what `change` adds to parameters, named with `__` for dots."""
        delta = {name: np.zeros_like(array) for name, array in self.base.items()}
        for name, added in change.items():
            key = name.replace("__", ".")
            delta[key] = added(self.base[key]).astype(np.float32)
        return delta


def noise(now: Round) -> Arrays:
    draw = numpy_generator(now.seed, "noise")
    drawn = {name: draw.standard_normal(array.shape).astype(np.float32) for name, array in now.base.items()}
    return {name: array * np.float32(norm(now.honest) / norm(drawn)) for name, array in drawn.items()}


def collapse(now: Round) -> Arrays:
    """Trained without a regulariser: no longer than others, or the norm gate would stop it."""
    tree = parse_json(now.recipe.to_bytes(), max_bytes=1 << 20, what="recipe")
    assert isinstance(tree, dict) and isinstance(tree["objective"], dict)
    free = read_recipe(canonical_json({**tree, "objective": {**tree["objective"], "weight": 0.0}}))
    return now.trained(free, now.shard)


def shuffled(now: Round) -> Arrays:
    """Trained on pictures whose right halves are other pictures': nothing can be predicted across."""
    images = now.shard.array("images").copy()
    half = images.shape[-1] // 2
    images[..., half:] = images[numpy_generator(now.seed, "halves").permutation(len(images)), :, :, half:]
    return now.trained(now.recipe, now.shard.with_arrays(images=images))


ATTACKS: Mapping[str, Callable[[Round], Arrays]] = {
    "nothing": lambda now: now.scaled(0.0),
    "noise of the same norm": noise,
    "sign flipped": lambda now: now.scaled(-1.0),
    "honest x 1.9": lambda now: now.scaled(1.9),
    "honest x 3": lambda now: now.scaled(3.0),
    "lazy, 4 steps": lambda now: now.trained(now.recipe, now.shard, 4),
    "lazy, 4 steps, x 5": lambda now: {
        name: 5 * array for name, array in now.trained(now.recipe, now.shard, 4).items()
    },
    "collapse, no regulariser": collapse,
    "collapse x 0.2": lambda now: {name: np.float32(0.2) * array for name, array in collapse(now).items()},
    "shuffled targets": shuffled,
    "norm gain zero": lambda now: now.moved(encoder__norm__weight=np.negative),
    "norm gain x 0.7": lambda now: now.moved(encoder__norm__weight=lambda gain: -0.3 * gain),
    "constant bias + 3": lambda now: now.moved(encoder__head__bias=lambda bias: 0 * bias + 3.0),
    "latents x 0.1": lambda now: now.moved(
        encoder__head__weight=lambda head: -0.9 * head, encoder__head__bias=lambda bias: -0.9 * bias
    ),
    "latents x 0.7": lambda now: now.moved(
        encoder__head__weight=lambda head: -0.3 * head, encoder__head__bias=lambda bias: -0.3 * bias
    ),
}


def judged(
    base: Arrays, deltas: Sequence[Arrays], scorer: Held, recipe: Recipe
) -> tuple[dict[Digest, Arrays], tuple[Judgement, ...]]:
    """The deltas as they arrive, and the findings on them in their order."""
    header = DeltaHeader(base=Digest(bytes(32)), recipe=recipe.digest())
    files = [encode_delta(delta, header, "int8") for delta in deltas]
    caps = NormCaps()
    rules = Rules(
        base=header.base, recipe=header.recipe, codec="int8", max_delta_bytes=1 << 28,
        to_base_milli=caps.to_base_milli, to_median_milli=caps.to_median_milli, zero_nano=caps.zero_nano,
        similarity_milli=SIMILARITY, harm_sigmas_milli=round(1000 * recipe.gates.harm_sigmas),
    )  # fmt: skip
    claims = [
        Claim(Address(f"0x{place:040x}"), place, Digest(hashlib.sha256(data).digest()), data)
        for place, data in enumerate(files)
    ]
    found = judge(base, claims, rules, scorer)
    return found.deltas, found.judgements


def play(
    recipe: Recipe, seed: int, rounds: int, solvers: int, attacks: bool, tell: Callable[[Row], None]
) -> None:
    offer = dataset_for(recipe.name)
    assert offer is not None, "the recipe has no usual dataset"
    making = offer[0].load()
    sizes = replace(making.sizes[offer[1].recipe], training_sites=solvers, evaluation_shards=rounds)
    secret = derive(bytes(32), f"attacks {seed}")
    recordings = plan(making.environment, sizes, derive(secret, "public"), derive(secret, "sealed"))

    def shard(name: str) -> Shard:
        return making.environment.record(recordings[name])

    began = time.process_time()
    public, shards = shard(PUBLIC), [shard(training_name(place)) for place in range(solvers)]
    console.print(
        f"seed {seed}: drew {sum(item.episodes for item in shards)} in {time.process_time() - began:.0f} s"
    )
    began = time.process_time()
    base, velocity = warm_start(recipe, public, derive(secret, "start")), None
    console.print(
        f"seed {seed}: start of {recipe.warm_steps} steps in {time.process_time() - began:.0f} s of CPU"
    )
    for number in range(rounds):
        scorer, start = Held(base, recipe, shard(sealed_name(number))), number * recipe.inner_steps
        own = scorer.metrics(base)
        seeds = [derive(secret, f"round {number} solver {place}") for place in range(solvers)]
        began = time.process_time()
        honest = [
            delta_of(train(base, data, recipe, seed=one, start_step=start).weights, base)
            for data, one in zip(shards, seeds, strict=True)
        ]
        each = (time.process_time() - began) / solvers
        console.print(
            f"seed {seed} round {number}: base scores {scorer.score:.4f}, variance {own['variance']:.2f}, "
            f"rank {own['rank']:.1f}; a solver trains {each:.1f} s of CPU"
        )

        def row(kind: str, finding: Judgement, own: Mapping[str, float] = own, number: int = number) -> Row:
            more = finding.metrics or {}
            return Row(
                seed, number, kind, finding.gain, finding.stderr, finding.verdict.name,
                finding.reason if finding.reason != "state-guard" else finding.detail,
                more.get("variance", 0.0) / own["variance"], more.get("rank", 0.0) / own["rank"],
            )  # fmt: skip

        arrived, findings = judged(base, honest, scorer, recipe)
        for finding in findings:
            tell(row(HONEST, finding))
        accepted = [
            (item.digest, arrived[item.digest]) for item in findings if item.verdict is Verdict.ACCEPTED
        ]
        if attacks and number == rounds - 1:
            now = Round(base, recipe, shards[-1], derive(secret, "attack"), start, honest[-1])
            for kind, make in ATTACKS.items():
                tell(row(kind, judged(base, [*honest[:-1], make(now)], scorer, recipe)[1][-1]))
        if accepted:
            merged, moving = merge(base, velocity, accepted, lr_milli=700, momentum_milli=600)
            verdict = judge_merge(merged, own, scorer)
            gain = scorer.gain(merged)
            more = verdict.metrics
            word = "PUBLISHED" if verdict.published else "WITHHELD"
            ratios = [more[name] / own[name] for name in ("variance", "rank")]
            tell(Row(seed, number, MERGE, gain.micro, gain.stderr_micro, word, verdict.note, *ratios))
            if verdict.published:
                base, velocity = merged, moving


@click.command()
@click.argument("recipe", default="image-tiny")
@click.option("--seeds", default=1, type=click.IntRange(1, 9), show_default=True)
@click.option("--rounds", default=3, type=click.IntRange(1, 64), show_default=True)
@click.option("--solvers", default=4, type=click.IntRange(2, 16), show_default=True)
@click.option("--attacks/--no-attacks", default=True, show_default=True)
def main(recipe: str, seeds: int, rounds: int, solvers: int, attacks: bool) -> None:
    """Honest deltas and attacks of one family, through the judge."""
    rows: list[Row] = []

    def tell(row: Row) -> None:
        rows.append(row)
        console.print(
            f"  {row.kind:<28} {row.gain / 1000:+9.2f} milli-nats, t {row.t:+6.1f}, variance x "
            f"{row.variance:.2f}, rank x {row.rank:.2f}  {row.verdict} {row.reason}"
        )

    for seed in range(seeds):
        play(preset(recipe), seed, rounds, solvers, attacks, tell)
    _report(rows, recipe)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"family_attacks_{recipe}.json"
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


def _report(rows: Sequence[Row], recipe: str) -> None:
    honest = [row for row in rows if row.kind == HONEST]
    last = max(row.round for row in rows)
    usual = statistics.median(row.pay for row in honest if row.round == last) or 1
    table = Table(title=f"{recipe}: gains at 1/N in milli-nats; pay as a share of honest work's")
    for head in ("delta", "gain", "t", "accepted", "why not", "pay"):
        table.add_column(head, justify="left" if head in ("delta", "why not") else "right")
    for kind in dict.fromkeys(row.kind for row in rows):
        some = [row for row in rows if row.kind == kind and (row.round == last or kind == MERGE)]
        gains = sorted(row.gain / 1000 for row in some)
        table.add_row(
            kind,
            f"{statistics.median(gains):+.2f} [{gains[0]:+.2f}, {gains[-1]:+.2f}]",
            f"{statistics.median(row.t for row in some):+.1f}",
            f"{sum(row.verdict in ('ACCEPTED', 'PUBLISHED') for row in some)}/{len(some)}",
            ", ".join(dict.fromkeys(row.reason for row in some if row.reason not in ("accepted", ""))),
            "" if kind == MERGE else f"{statistics.median(row.pay for row in some) / usual:.2f}",
        )
    console.print(table)
    above = sum(row.t > 2 for row in honest) / len(honest)
    console.print(f"honest: median t {statistics.median(row.t for row in honest):.1f}, {above:.0%} above 2")


if __name__ == "__main__":
    main()
