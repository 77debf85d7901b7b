"""A compiled training: the same bytes once taken up and after kills, also of the compiler, and what the
uncompiled one comes to. `scripts/test kills` plays it: compiling takes minutes.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jepanet.learning.data.shards import Shard
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_loop import Guard, Loop
from jepanet.learning.training.loop import train
from jepanet.learning.training.resuming.checkpoints import Checkpoints
from jepanet.learning.training.resuming.state import StepReport
from jepanet.learning.training.resuming.trace import TRACE
from jepanet.learning.training.step import compiled
from jepanet.tensors import decode_tensors, encode_tensors
from learning_shards import RECIPE, SEED, disc_shard, initial

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(3600)]

STEPS = 12
PLAIN: Recipe = replace(
    RECIPE, inner_steps=STEPS, guard=Guard(every=4), loop=Loop(accumulate=2, trace=4)
)  # fmt: skip
COMPILED: Recipe = replace(PLAIN, loop=replace(PLAIN.loop, compile=True))


def a_shard() -> Shard:
    return disc_shard(1, (0,) * 6 + (1,) * 6)


def ends_in(folder: Path, killed_when: Callable[[], bool] | None = None) -> bool:
    """Trains compiled in a process of its own, which dies of SIGKILL once `killed_when`; whether it ended."""
    folder.mkdir(exist_ok=True)
    child = os.fork()
    if child == 0:
        status = 1
        try:

            def on_step(report: StepReport) -> None:
                (folder / "step").write_text(str(report.step))

            place = Checkpoints(folder / "checkpoints", 1 << 30, pause=0.0)
            result = train(initial(SEED), a_shard(), COMPILED, seed=SEED, checkpoints=place, on_step=on_step)
            (folder / "weights").write_bytes(encode_tensors(result.weights, {}))
            (folder / "trace").write_bytes(TRACE.encode(result.trace))
            status = 0
        finally:
            os._exit(status)
    while killed_when and not killed_when():
        ended, status = os.waitpid(child, os.WNOHANG)
        assert ended == 0, "it ended before it could be killed"
        time.sleep(0.005)
    if killed_when:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert killed_when or status == 0, "the training failed"
    return not os.WIFSIGNALED(status)


def step_of(folder: Path) -> int:
    """The last step that was done, 0 before the first."""
    try:
        return int((folder / "step").read_text() or 0)
    except FileNotFoundError:
        return 0


def test_a_training_killed_while_it_compiles_seals_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "LEAST_STEPS_ON_CPU", 1)
    usual = tmp_path / "usual"
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(usual))
    assert ends_in(tmp_path / "whole")

    folder = tmp_path / "killed"
    below = folder / "checkpoints"
    # The compiler writes libraries in place: one that is there at all may be half of one.
    assert not ends_in(folder, lambda: any(below.glob("compiled-0-*/**/*.so")))
    left = set(below.glob("compiled-0-*"))
    assert len(left) == 1 and step_of(folder) == 0
    for library in next(iter(left)).glob("**/*.so"):
        library.write_bytes(library.read_bytes()[:100])
    assert not ends_in(folder, lambda: step_of(folder) >= 9)
    assert not left & set(below.glob("compiled-0-*")), "what the first one left is gone"
    assert list(below.glob("step-*.safetensors"))
    assert ends_in(folder)
    for name in ("weights", "trace"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not list(below.glob("compiled-*"))
    assert not [item for item in usual.glob("**/*") if item.is_file()]

    weights, _ = decode_tensors((folder / "weights").read_bytes(), max_bytes=1 << 30, what="weights")
    start, plain = initial(SEED), train(initial(SEED), a_shard(), PLAIN, seed=SEED).weights
    way = sum(float(np.square(plain[name] - start[name]).sum()) for name in start)
    off = sum(float(np.square(plain[name] - weights[name]).sum()) for name in start)
    print(f"\ncompiled and not: deltas differ by {np.sqrt(off / way):.3g} after {STEPS} steps")
    assert 0.0 < np.sqrt(off / way) < 1e-3, "0: nothing was compiled"
