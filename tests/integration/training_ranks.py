"""What the processes of `test_learning_together.py` do: gradients and trainings of float64, and mishaps.

They run as those of a node do, but for what they are asked: `rank.main` with a part of its own.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jepanet.errors import Rejected
from jepanet.work.processes.rank import main

if TYPE_CHECKING:
    from jepanet.learning.family import Weights
    from jepanet.work.processes.rank import Part

STEPS = 40


@dataclass(frozen=True)
class Kind:
    """One comparison: of what, and how it is held."""

    way: str
    """`alone`, `ddp` or `fsdp2`."""
    double: bool
    fault: bool = False
    """Whether the regulariser sees the rows of its own process alone."""
    held: bool = False
    """Whether it is a family whose objective holds on to the base."""

    @property
    def name(self) -> str:
        more = ("-fault" if self.fault else "") + ("-held" if self.held else "")
        return f"{self.way}-{64 if self.double else 32}{more}"


WAYS = ("ddp", "fsdp2")
GRADIENTS = [Kind(way, double) for way in WAYS for double in (False, True)]
FAULTS = [Kind(way, True, fault=True) for way in WAYS]
HELD = [Kind(way, True, held=True) for way in WAYS]


def recipe() -> Any:
    """Colours (of the batch as a whole), a guard, accumulation, and a batch that two cannot share evenly."""
    from jepanet.learning.recipe_loop import Guard, Loop
    from learning_shards import RECIPE, sized

    given = sized(RECIPE, windows=15, colour=True, hues=True, symmetry=True)
    return replace(given, inner_steps=STEPS, guard=Guard(every=10), loop=Loop(accumulate=2, trace=5))


def holding_on() -> Any:
    """Pairs of texts, and an objective of which a part is what the base makes of them."""
    from jepanet.learning.recipe import Optimiser, Recipe
    from throwaway.family import Echo

    given = Recipe(Echo(pairs=5, pull=2.0), "held", Optimiser(learning_rate=1e-2), align_above=180.0)
    return replace(given, inner_steps=STEPS)


def doubled(given: Any) -> Any:
    """The same recipe, whose networks compute in float64."""

    class Doubled(type(given.family)):  # type: ignore[misc]
        __slots__ = ()

        def network(self, weights: Weights, device: str = "cpu", base: Weights | None = None) -> Any:
            return super().network(weights, device, base).double()

    sizes = {name: getattr(given.family, name) for name in given.family.__dataclass_fields__}
    return replace(given, family=Doubled(**sizes))


def shard() -> Any:
    from learning_shards import disc_shard

    return disc_shard(1, site=(0,) * 6 + (1,) * 5)


def streamed(folder: Path) -> Any:
    """Three shards, of which two are in memory at a time; every process has files of its own."""
    from jepanet.learning.data.shards import save_shard
    from jepanet.learning.data.streaming.shard_file import ShardFile
    from jepanet.learning.training.supply import Streamed
    from learning_shards import disc_shard

    folder.mkdir()
    files = []
    for number in range(3):
        path = folder / str(number)
        digest = save_shard(path, disc_shard(number, site=(number,) * 5))
        files.append(ShardFile(path, digest, path.stat().st_size))
    return Streamed(files, mix=2)


def gradient_of(kind: Kind, together: Any = None) -> dict[str, np.ndarray]:
    """The gradient of the first step, whole, in ascending name order."""
    import pytest

    from jepanet.learning import objectives
    from jepanet.learning.machine.determinism import deterministic
    from jepanet.learning.training.beginning import begin
    from jepanet.learning.training.guarding.divergence import DivergenceGate
    from jepanet.learning.training.step.gradient import mean_gradient
    from jepanet.learning.training.supply import InMemory
    from learning_shards import SEED, initial

    given = doubled(recipe()) if kind.double else recipe()
    with pytest.MonkeyPatch.context() as patch, deterministic():
        if kind.fault:
            patch.setattr(objectives, "pooled", lambda mean: mean)
            patch.setattr(objectives, "pooled_rows", lambda rows: rows)
        weights = initial(SEED, given)
        gate = DivergenceGate(given.explode)
        state = begin(
            given, weights, InMemory(shard()), gate, seed=SEED, frozen=(), device="cpu", base=weights
        )
        if together is not None:
            from jepanet.learning.training.processes.spread import spread

            spread(state, together, "cpu")
            if kind.fault:  # that it is noticed in training is another test
                patch.setattr(type(together), "agree", lambda *_: None)
        found = mean_gradient(state, list(islice(state.batches, 2)), (), 0, "fp32", "cpu")
        whole = state.holding.whole(found.gradients)
    return {name: item.numpy().copy() for name, item in zip(state.trained, whole, strict=True)}


def trained(kind: Kind, together: Any = None) -> Any:
    """A whole training; its weights stay in float64 where it computes in it."""
    import pytest

    from jepanet.learning.training import loop
    from learning_shards import SEED, initial, pair_shard

    plain, data = (holding_on(), pair_shard(1, (0,) * 11)) if kind.held else (recipe(), shard())
    given = doubled(plain) if kind.double else plain
    with pytest.MonkeyPatch.context() as patch:
        if kind.double:  # no model file holds them
            patch.setattr(loop, "check_weights", lambda *_, **__: None)
        return loop.train(initial(SEED, given), data, given, seed=SEED, together=together)


def compared(folder: Path, rank: int, count: int) -> None:
    """Gradients and trained weights of every kind, to files that the first process writes."""
    from jepanet.learning.training.processes.together import joined

    with joined(folder / "meeting", rank, count, "ddp", "cpu") as met:
        for kind in (*GRADIENTS, *FAULTS):
            found = gradient_of(kind, replace(met, way=kind.way))
            if rank == 0:
                np.savez(folder / f"gradient-{kind.name}.npz", **found)
        for kind in (*GRADIENTS, *HELD):
            result = trained(kind, replace(met, way=kind.way))
            if rank == 0:
                np.savez(folder / f"trained-{kind.name}.npz", **result.weights)


def resumed(folder: Path, rank: int, count: int) -> None:
    """A training of each way, whole and with an end in the middle of it; both to files."""
    import pytest

    from jepanet.learning.recipe_loop import Guard
    from jepanet.learning.training import loop
    from jepanet.learning.training.processes.together import joined
    from jepanet.learning.training.resuming.checkpoints import Checkpoints
    from jepanet.learning.training.step import taking
    from learning_shards import SEED, initial

    class Ended(Exception):
        pass

    computed = taking.mean_gradient

    def ends(state: Any, *rest: Any) -> Any:
        if state.step == 10:
            raise Ended
        return computed(state, *rest)

    given = replace(recipe(), inner_steps=14, guard=Guard(every=4))
    data = streamed(folder / f"shards-{rank}")
    with joined(folder / "meeting", rank, count, "ddp", "cpu") as met:
        for way in WAYS:
            together = replace(met, way=way)

            def begun(together: Any = together, **more: Any) -> Any:
                return loop.train(initial(SEED, given), data, given, seed=SEED, together=together, **more)

            whole = begun()
            place = Checkpoints(folder / way, 1 << 30, pause=0.0)
            with pytest.MonkeyPatch.context() as patch, pytest.raises(Ended):
                patch.setattr(taking, "mean_gradient", ends)
                begun(checkpoints=place)
            told: list[int] = []
            again = begun(checkpoints=place, on_step=lambda report, told=told: told.append(report.step))
            if rank == 0:
                assert told == [9, 10, 11, 12, 13, 14]
                np.savez(folder / f"whole-{way}.npz", **whole.weights)
                np.savez(folder / f"again-{way}.npz", **again.weights)


PRECISIONS = ("bf16", "fp16")
LOWERED_STEPS = 20


def lowered(precision: str, together: Any = None) -> tuple[Any, list[float]]:
    """A training in lower precision whose first gradients overflow fp16, and the norm of every gradient."""
    from jepanet.learning.recipe_loop import Loop
    from jepanet.learning.training.loop import train
    from learning_shards import RECIPE, SEED, initial, sized

    huge = replace(RECIPE.family.objective, guard=1e4, weight=10.0)
    given = replace(sized(RECIPE, windows=15, objective=huge), loop=Loop(precision=precision, trace=5))
    norms: list[float] = []
    result = train(
        initial(SEED, given), shard(), given, seed=SEED, steps=LOWERED_STEPS, together=together,
        on_step=lambda report: norms.append(report.gradient_norm),
    )  # fmt: skip
    return result, norms


def stopping(together: Any = None) -> Any:
    """A training whose validation loss stands still from its third measurement on."""
    import pytest

    from jepanet.learning.recipe_loop import Guard
    from jepanet.learning.training.guarding.validation import Validation
    from jepanet.learning.training.loop import train
    from learning_shards import SEED, initial

    measured = Validation.loss
    given = replace(recipe(), guard=Guard(every=2, patience=2, minimum_epochs=0))
    losses: list[float] = []

    def standing(self: Any, terms: Any) -> float:
        losses.append(measured(self, terms))
        return losses[0] if len(losses) < 4 else max(losses)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Validation, "loss", standing)
        return train(initial(SEED, given), shard(), given, seed=SEED, together=together)


def spread_out(folder: Path, rank: int, count: int) -> None:
    """Lower precision and an early stop, in each way; weights, norms and the end of each to files."""
    from jepanet.learning.training.processes.together import joined

    with joined(folder / "meeting", rank, count, "ddp", "cpu") as met:
        for way in WAYS:
            together = replace(met, way=way)
            for precision in PRECISIONS:
                result, norms = lowered(precision, together)
                if rank == 0:
                    np.savez(folder / f"{precision}-{way}.npz", **result.weights)
                    np.save(folder / f"{precision}-{way}-norms.npy", np.array(norms))
            ended = stopping(together)
            (folder / f"ended-{way}-{rank}").write_text(f"{ended.status} {ended.steps}")


def noticed(folder: Path, rank: int, count: int) -> None:
    """A training whose regulariser sees the rows of its own process alone."""
    import pytest

    from jepanet.learning import objectives
    from jepanet.learning.training.processes.together import joined

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objectives, "pooled", lambda mean: mean)
        with joined(folder / "meeting", rank, count, "ddp", "cpu") as met:
            trained(Kind("ddp", False), met)


def killed(folder: Path, rank: int, count: int) -> None:
    """The second is killed while the first waits for it."""
    from jepanet.learning.training.processes.together import joined

    with joined(folder / "meeting", rank, count, "ddp", "cpu") as met:
        if rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        met.agree("anything", b"x")


def broken(folder: Path, rank: int, count: int) -> None:
    """The second has a defect while the first waits for it."""
    from jepanet.learning.training.processes.together import joined

    with joined(folder / "meeting", rank, count, "ddp", "cpu") as met:
        if rank == 1:
            raise ZeroDivisionError("a defect")
        met.agree("anything", b"x")


def refused(folder: Path, rank: int, count: int) -> None:
    raise Rejected("training diverged", reason="diverged", remedy="lower the rate")


def waiting(folder: Path, rank: int, count: int) -> None:
    """Tells its number, and stays."""
    (folder / f"here-{rank}").write_text(str(os.getpid()))
    time.sleep(600)


PARTS: dict[str, Callable[[Path, int, int], None]] = {
    item.__name__: item for item in (compared, resumed, spread_out, noticed, killed, broken, refused, waiting)
}


def _asked(folder: Path) -> Part:
    return PARTS[(folder / "asked").read_text()]


if __name__ == "__main__":
    main(Path(sys.argv[1]), lambda: _asked(Path(sys.argv[1])))
