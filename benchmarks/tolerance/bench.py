"""One training whose states are kept after every step, and any part of it done again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from attacks.rounds import Data

from jepanet.files import write_atomically
from jepanet.learning.auditing.replay import NOT_ROUNDED, Claimed, differing, replay
from jepanet.learning.auditing.segments import Segments
from jepanet.learning.auditing.tolerance import Distance
from jepanet.learning.data.building.plan import PUBLIC, training_name
from jepanet.learning.data.shards import Shard, save_shard
from jepanet.learning.model_file import ModelHeader, load_model, model_bytes
from jepanet.learning.presets import preset
from jepanet.learning.recipe import Recipe
from jepanet.learning.seeding import derive
from jepanet.learning.training.loop import train, warm_start
from jepanet.learning.training.resuming.trace import TRACE, TracePoint
from jepanet.learning.training.step.taking import Span
from jepanet.learning.training.supply import InMemory
from jepanet.tensors import Arrays
from jepanet.work.processes.part import Run
from jepanet.work.processes.together import Training, trained
from jepanet.work.requests.files import TrainingShard
from jepanet.work.requests.machine import Processes

SHARDS = Path.home() / ".cache" / "jepanet-benchmarks" / "attacks"
LENGTHS = (1, 5, 16)
"""Steps of the parts that are done again."""
_SINGLE = 6
"""Parts of one step, spread over the training."""
ROUNDS_BEFORE = {"early": 0, "late": 4}
"""Rounds that one solver alone trained on the public start before this one."""


@dataclass(frozen=True)
class Bench:
    """A training of one round by a recipe, in a folder; `when` as in `ROUNDS_BEFORE`."""

    name: str
    when: str
    folder: Path

    @cached_property
    def recipe(self) -> Recipe:
        return preset(self.name)

    @property
    def steps(self) -> int:
        return self.recipe.inner_steps

    @property
    def span(self) -> Span:
        return Span(self.steps, ROUNDS_BEFORE[self.when] * self.steps, self.recipe.total_steps)

    @property
    def seed(self) -> bytes:
        return derive(bytes(32), f"tolerance {self.when}")

    def shard(self, place: int = 0) -> Shard:
        return self._data.shard(training_name(place))

    @cached_property
    def _data(self) -> Data:
        return Data(self.name, 0, 4, 3, SHARDS)

    @cached_property
    def base(self) -> Arrays:
        """Made once for each recipe and `when`, by whoever asks first."""
        path = self.folder.parent / f"{self.name}-{self.when}.safetensors"
        if not path.exists():
            if ROUNDS_BEFORE[self.when]:
                weights = replace(self, when="early").base
            else:
                weights = warm_start(self.recipe, self._data.shard(PUBLIC), derive(bytes(32), "start"))
            for number in range(ROUNDS_BEFORE[self.when]):
                seed = derive(bytes(32), f"before {number}")
                start = number * self.steps
                weights = train(
                    weights, self.shard(1 + number % 3), self.recipe, seed=seed, start_step=start
                ).weights
            write_atomically(path, model_bytes(weights, ModelHeader.of(self.recipe, 0)))
        return load_model(path.read_bytes(), self.recipe).weights

    def train(self, processes: int = 1) -> None:
        """As a solver does, with the state of every step."""
        self.folder.mkdir(parents=True, exist_ok=True)
        save_shard(self.folder / "shard", self.shard())
        run = Run(
            shards=(TrainingShard.of(self.folder / "shard"),), seed=self.seed, steps=self.steps,
            start_step=self.span.start, total_steps=self.span.horizon, device="cpu", checkpoints=None,
            segments=Segments(self.folder / "states", self.steps),
        )  # fmt: skip
        made, _ = trained(
            Training(self.recipe, self.base, run), Processes(processes), self.folder / "ranks", lambda _: None
        )
        (self.folder / "trace").write_bytes(TRACE.encode(made.trace))

    @cached_property
    def points(self) -> dict[int, TracePoint]:
        return {point.step: point for point in TRACE.decode((self.folder / "trace").read_bytes()).points}

    def state(self, step: int) -> bytes:
        return (self.folder / "states" / f"step-{step:010}.state").read_bytes()

    def parts(self) -> Iterator[tuple[int, int]]:
        """(first, last): all of 5 steps and of 16, some of one."""
        for steps in LENGTHS:
            apart = steps if steps > 1 else max(1, self.steps // _SINGLE)
            for first in range(0, self.steps - steps + 1, apart):
                yield first, first + steps

    def again(self, first: int, last: int, end: Claimed | None = None) -> tuple[Distance, str | None]:
        """How far the end of a part lies from the one here, and what of it is not equal that must be."""
        claimed = Claimed(self.state(last), self.points[last]) if end is None else end
        found = replay(
            self.recipe, self.base, InMemory(self.shard()), seed=self.seed, span=self.span,
            first=first, last=last, state=self.state(first) if first else None,
            claimed=self.points.get(first), end=claimed,
        )  # fmt: skip
        assert found.distance is not None
        return found.distance, differing(found.point, self.points[last], NOT_ROUNDED)
