"""Rounds of one recipe and seed, without chain or network."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from attacks.attempt import Attempt
from attacks.judging import Held, judged
from attacks.rows import HONEST, MERGE, Row
from attacks.shared import attacks_on, parts_of
from jepanet.federation.deltas.delta import delta_of
from jepanet.federation.judging.judge import Judgement, judge_merge, merge
from jepanet.federation.judging.similarity import norm, upper_median
from jepanet.files import write_atomically
from jepanet.learning.data.building.plan import PUBLIC, plan, sealed_name, training_name
from jepanet.learning.data.shards import Shard, load_shard, shard_bytes
from jepanet.learning.recipe import Recipe
from jepanet.learning.seeding import derive
from jepanet.learning.sources.registry import dataset_for
from jepanet.learning.training.loop import train, warm_start
from jepanet.tensors import Arrays
from jepanet.types import Verdict

LEARNING_RATE, MOMENTUM = 700, 600
"""Of the outer step, thousandths: what proposers use who change nothing."""


class Data:
    """The shards of a recipe's usual dataset, with as many sites as solvers; drawn once, then read."""

    def __init__(self, recipe: str, seed: int, solvers: int, rounds: int, folder: Path) -> None:
        offer = dataset_for(recipe)
        assert offer is not None, f"recipe {recipe} has no usual dataset"
        making = offer[0].load()
        sizes = replace(making.sizes[offer[1].recipe], training_sites=solvers, evaluation_shards=rounds)
        secret = derive(bytes(32), f"attacks {seed}")
        self._environment, self._folder = making.environment, folder
        self._recordings = plan(making.environment, sizes, derive(secret, "public"), derive(secret, "sealed"))

    def shard(self, name: str) -> Shard:
        recording = self._recordings[name]
        path = self._folder / f"{recording.build}.safetensors"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, shard_bytes(self._environment.record(recording)))
        return load_shard(path)


class Rounds:
    """What one seed of a recipe gives: `rows`, and beside them `scores` and `seconds` as `rows.Run` has them.

    The attacks are judged in the last round, each in the place of the last solver, beside the honest deltas
    of the others.
    """

    def __init__(
        self, recipe: Recipe, data: Data, seed: int, solvers: int, tell: Callable[[Row], None]
    ) -> None:
        self._recipe, self._data, self._tell = recipe, data, tell
        self._secret = derive(bytes(32), f"attacks {seed}")
        self._shards = [data.shard(training_name(place)) for place in range(solvers)]
        self.rows: list[Row] = []
        self.scores: list[float] = []
        began = time.process_time()
        self._base = warm_start(recipe, data.shard(PUBLIC), derive(self._secret, "start"))
        self.seconds = {"start": time.process_time() - began, "training": 0.0}
        self._velocity: Arrays | None = None

    def play(self, number: int, *, attacked: bool, only: Sequence[str] = ()) -> None:
        recipe, base, sealed = self._recipe, self._base, self._data.shard(sealed_name(number))
        scorer, start = Held(base, recipe, sealed), number * recipe.inner_steps
        self.scores.append(scorer.score)
        own = scorer.metrics(base)
        began = time.process_time()
        honest = [self._trained(place, number, start) for place in range(len(self._shards))]
        self.seconds["training"] = (time.process_time() - began) / len(honest)
        usual = upper_median([norm(delta) for delta in honest])

        def keep(kind: str, found: Judgement, length: float) -> None:
            reason = found.detail if found.reason == "state-guard" else found.reason
            row = Row(number, kind, found.gain, found.stderr, found.verdict.name, reason, length)
            row.ratios = {
                name: found.metrics[name] / own[name]
                for name in ("variance", "rank", "sigreg")
                if found.metrics
            }
            self._keep(row)

        arrived, findings = judged(base, honest, scorer, recipe)
        for delta, finding in zip(honest, findings, strict=True):
            keep(HONEST, finding, norm(delta) / usual)
        if attacked:
            seed = derive(self._secret, "attack")
            now = Attempt(base, recipe, self._shards[-1], sealed, seed, start, honest[-1], parts_of(recipe))
            for kind, make in attacks_on(recipe).items():
                if not only or kind in only:
                    delta = make(now)
                    found = judged(base, [*honest[:-1], delta], scorer, recipe)[1][-1]
                    keep(kind, found, norm(delta) / usual)
        accepted = [
            (item.digest, arrived[item.digest]) for item in findings if item.verdict is Verdict.ACCEPTED
        ]
        if not accepted:
            return
        merged, velocity = merge(
            base,
            self._velocity,
            accepted,
            longest_milli=round(1000 * recipe.gates.longest),
            lr_milli=LEARNING_RATE,
            momentum_milli=MOMENTUM,
        )
        verdict = judge_merge(merged, own, scorer)
        gain = scorer.gain(merged)
        word = "PUBLISHED" if verdict.published else "WITHHELD"
        ratios = {name: verdict.metrics[name] / own[name] for name in ("variance", "rank", "sigreg")}
        self._keep(Row(number, MERGE, gain.micro, gain.stderr_micro, word, verdict.note, 0.0, ratios))
        if verdict.published:
            self._base, self._velocity = merged, velocity

    def _trained(self, place: int, number: int, start: int) -> Arrays:
        seed = derive(self._secret, f"round {number} solver {place}")
        made = train(self._base, self._shards[place], self._recipe, seed=seed, start_step=start)
        return delta_of(made.weights, self._base)

    def _keep(self, row: Row) -> None:
        self.rows.append(row)
        self._tell(row)
