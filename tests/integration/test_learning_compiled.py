"""A compiled training: the same bytes twice and once taken up, and what the uncompiled one comes to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepanet.learning.recipe_loop import Guard, Loop
from jepanet.learning.training import loop
from jepanet.learning.training.loop import TrainResult, train
from jepanet.learning.training.resuming.checkpoints import Checkpoints
from jepanet.learning.training.step import compiled
from learning_shards import RECIPE, SEED, disc_shard, initial

pytestmark = [pytest.mark.integration, pytest.mark.slow]

STEPS = 12


class Ended(Exception):
    pass


def trained(checkpoints: Checkpoints | None = None, *, compile_: bool = True) -> TrainResult:
    recipe = replace(
        RECIPE, inner_steps=STEPS, guard=Guard(every=4), loop=Loop(compile=compile_, accumulate=2, trace=4)
    )
    shard = disc_shard(1, (0,) * 6 + (1,) * 6)
    return train(initial(SEED), shard, recipe, seed=SEED, checkpoints=checkpoints)


def test_a_compiled_training_is_the_same_bytes_and_the_same_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "LEAST_STEPS_ON_CPU", 1)
    parts: list[object] = []
    genuine = loop.compile_parts
    monkeypatch.setattr(loop, "compile_parts", lambda model, **more: parts.append(genuine(model, **more)))
    whole = trained()
    assert len(parts) == 1, "it is compiled"
    computed = loop.mean_gradient

    def ends(state: Any, *rest: Any) -> Any:
        if state.step == 10:
            raise Ended
        return computed(state, *rest)

    place = Checkpoints(tmp_path, 1 << 30, pause=0.0)
    with monkeypatch.context() as patch, pytest.raises(Ended):
        patch.setattr(loop, "mean_gradient", ends)
        trained(place)
    assert list(tmp_path.glob("*.safetensors"))
    again = trained(place)
    assert again.trace == whole.trace
    assert all(again.weights[name].tobytes() == whole.weights[name].tobytes() for name in whole.weights)
    plain, start = trained(compile_=False).weights, initial(SEED)
    way = sum(float(np.square(plain[name] - start[name]).sum()) for name in start)
    off = sum(float(np.square(plain[name] - whole.weights[name]).sum()) for name in start)
    print(f"\ncompiled and not: deltas differ by {np.sqrt(off / way):.3g} after {STEPS} steps")
    assert np.sqrt(off / way) < 1e-3
