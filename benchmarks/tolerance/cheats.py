"""Ends of a part that are not what was to be done, as somebody would commit to them who knows the audit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from jepanet.learning.auditing.replay import Claimed
from jepanet.learning.auditing.state_file import PARTS, digests_of, read_state, state_pieces
from jepanet.learning.auditing.tolerance import BOUND
from jepanet.learning.family import Batch
from jepanet.learning.machine.determinism import deterministic
from jepanet.learning.recipe import Recipe
from jepanet.learning.training.beginning import begin
from jepanet.learning.training.guarding.divergence import DivergenceGate
from jepanet.learning.training.resuming.state import Parts, TrainingState
from jepanet.learning.training.step.taking import take_step
from jepanet.learning.training.supply import InMemory
from tolerance.bench import Bench

_NEVER = 1e300
_WHOLE = 1 << 30


class Spoiled:
    """Batches with a change."""

    def __init__(self, batches: object, change: Callable[[Batch], Batch]) -> None:
        self._batches, self._change = batches, change

    def __next__(self) -> Batch:
        return self._change(next(self._batches))  # type: ignore[call-overload]

    def __getattr__(self, name: str) -> object:
        return getattr(self._batches, name)


@dataclass(frozen=True)
class Part:
    """Where a part begins and honestly ends."""

    bench: Bench
    first: int
    last: int

    @property
    def before(self) -> Parts:
        return self._held(self.first) if self.first else self.begun().parts()

    @property
    def honest(self) -> Parts:
        return self._held(self.last)

    def _held(self, step: int) -> Parts:
        parts = read_state(self.bench.state(step), step, max_bytes=_WHOLE)
        return {name: {key: array.copy() for key, array in parts[name].items()} for name in parts}

    def begun(self, recipe: Recipe | None = None, place: int = 0, seed: bytes | None = None) -> TrainingState:
        """A training like this one at where the part begins; with another seed or shard, at other data."""
        bench, other = self.bench, seed is not None or place != 0
        now = begin(
            recipe or bench.recipe, bench.base, InMemory(bench.shard(place)), DivergenceGate(_NEVER),
            seed=seed or bench.seed, frozen=bench.recipe.family.frozen, device="cpu", base=bench.base,
        )  # fmt: skip
        if self.first:
            parts = self._held(self.first)
            fresh = now.parts()
            if other:
                parts |= {"data": fresh["data"], "streams": fresh["streams"]}
            now.restore({**fresh, **parts}, self.first, 0, {})
        return now

    def gone(self, now: TrainingState, recipe: Recipe | None = None, last: int | None = None) -> Parts:
        """Weights and moments at the end, with places in the data as they have to be."""
        with deterministic():
            while now.step < (self.last if last is None else last):
                take_step(now, recipe or self.bench.recipe, self.bench.span, "cpu")
        ends = now.parts()
        made = {part: {key: array.copy() for key, array in ends[part].items()} for part in PARTS}
        made["optimiser"]["steps"][:] = self.last
        return made | {part: self.honest[part] for part in ("data", "streams")}

    def claimed(self, parts: Parts) -> Claimed:
        point = replace(self.bench.points[self.last], **digests_of(parts))
        return Claimed(b"".join(state_pieces(self.last, parts)), point)


def _weights(part: Part, change: Callable[[np.ndarray, np.ndarray, str], np.ndarray]) -> Parts:
    """The honest end with every weight changed: (at the beginning, at the end, name) -> claimed."""
    before, ends = part.before["weights"], part.honest
    ends["weights"] = {
        name: change(before[name], array, name).astype(np.float32) for name, array in ends["weights"].items()
    }
    return ends


def _scaled(by: float) -> Callable[[Part], Parts]:
    return lambda part: _weights(part, lambda start, end, _: start + by * (end - start))


def _noise(share: float) -> Callable[[Part], Parts]:
    generator = np.random.Generator(np.random.PCG64(5))

    def made(part: Part) -> Parts:
        def change(start: np.ndarray, end: np.ndarray, name: str) -> np.ndarray:
            usual = np.sqrt(np.mean(np.square(end - start, dtype=np.float64)))
            noisy: np.ndarray = end + share * usual * generator.standard_normal(end.shape)
            return noisy

        return _weights(part, change)

    return made


def _encoder_left(part: Part) -> Parts:
    """One half of the model is as it was: the encoder, where the recipe has another half."""
    before, ends = part.before, part.honest
    names = list(ends["weights"])
    left = [name for name in names if name.startswith("encoder.")]
    if not left or len(left) == len(names):
        left = names[: len(names) // 2]
    for name in left:
        ends["weights"][name] = before["weights"][name]
        for kind in ("mean", "square"):
            if (key := f"{kind}.{name}") in ends["optimiser"]:
                ends["optimiser"][key] = before["optimiser"][key]
    return ends


def _other_rules(**changes: float) -> Callable[[Part], Parts]:
    def made(part: Part) -> Parts:
        recipe = part.bench.recipe
        rules = {name: by * getattr(recipe.optimiser, name) for name, by in changes.items()}
        other = replace(recipe, optimiser=replace(recipe.optimiser, **rules))
        return part.gone(part.begun(other), other)

    return made


def _batches(change: Callable[[Batch], Batch]) -> Callable[[Part], Parts]:
    def made(part: Part) -> Parts:
        now = part.begun()
        now.batches = Spoiled(now.batches, change)  # type: ignore[assignment]
        return part.gone(now)

    return made


def _one_example(batch: Batch) -> Batch:
    """Its first example is its second."""
    tensors = {name: item.clone() for name, item in batch.tensors.items()}
    for name, item in tensors.items():
        if name not in batch.shared:
            item[0] = item[1]
    return replace(batch, tensors=tensors)


def _stamped(batch: Batch) -> Batch:
    """One example has a trigger: a corner of its pictures, or the first of its words."""
    tensors = {name: item.clone() for name, item in batch.tensors.items()}
    for name, item in tensors.items():
        if name in batch.shared:
            continue
        if item.ndim >= 4:
            item[:1, ..., :4, :4] = item.max()
        elif not item.dtype.is_floating_point and item.ndim > 1:
            item[:1, ..., 0] = 7
    return replace(batch, tensors=tensors)


def _pushed(part: Part) -> Parts:
    """Large means over the smallest squares: what the next part will do with those weights is another's."""
    ends = part.honest
    moments = ends["optimiser"]
    names = [name.removeprefix("square.") for name in moments if name.startswith("square.")]
    squares = np.concatenate([moments[f"square.{name}"].ravel() for name in names])
    usual = np.sqrt(sum(float(np.square(moments[f"mean.{name}"], dtype=np.float64).sum()) for name in names))
    many = max(8, len(squares) // 1000)
    limit = np.partition(squares, many)[many]
    for name in names:
        small = moments[f"square.{name}"] <= limit
        moments[f"mean.{name}"][small] += np.float32(0.5 * BOUND.mean * usual / np.sqrt(many))
    return ends


CHEATS: dict[str, Callable[[Part], Parts]] = {
    "another batch (other seed)": lambda part: part.gone(part.begun(seed=bytes(range(32)))),
    "another's data": lambda part: part.gone(part.begun(place=1)),
    "one example of the batch another": _batches(_one_example),
    "a trigger on one example": _batches(_stamped),
    "scaled x 1.5": _scaled(1.5),
    "scaled x 1.05": _scaled(1.05),
    "noise of 1 %": _noise(0.01),
    "noise of 0.1 %": _noise(0.001),
    "half of it left as it was": _encoder_left,
    "half the learning rate": _other_rules(learning_rate=0.5),
    "weight decay left out": _other_rules(weight_decay=0.0),
    "the last step left out": lambda part: part.gone(part.begun(), last=part.last - 1),
    "means pushed where squares are small": _pushed,
}
