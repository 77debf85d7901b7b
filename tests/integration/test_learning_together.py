"""Several processes that train one model: their number changes nothing but rounding.

One process is held against two, under DDP and FSDP2, over gloo on the CPU. A regulariser of the rows of one
process alone, which is how this goes wrong elsewhere, is planted and found.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
import training_ranks as ranks
from training_ranks import (
    FAULTS,
    GRADIENTS,
    HELD,
    PRECISIONS,
    WAYS,
    Kind,
    gradient_of,
    lowered,
    stopping,
    trained,
)

from jepanet.errors import Rejected, Transient
from jepanet.tensors import Arrays
from jepanet.work.processes.ranks import run_ranks
from learning_shards import SEED, initial

pytestmark = pytest.mark.integration

HERE = Path(__file__).parent
TESTS = HERE.parent
START = initial(SEED, ranks.recipe())


@pytest.fixture(scope="module", autouse=True)
def _parts_are_found() -> object:
    with pytest.MonkeyPatch.context() as patch:
        known = os.environ.get("PYTHONPATH")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(TESTS), *([known] if known else [])]))
        yield None


def play(folder: Path, part: str, count: int = 2) -> None:
    (folder / "asked").write_text(part)
    run_ranks(folder, count, lambda _: None, module="training_ranks")


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of what two processes computed."""
    folder = tmp_path_factory.mktemp("together")
    play(folder, "compared")
    return folder


def loaded(path: Path) -> Arrays:
    with np.load(path) as found:
        return dict(found)


def far(one: Arrays, other: Arrays, start: Arrays | None = None) -> float:
    """Distance of two sets of arrays as a share of the first's length, both counted from `start`."""
    way = off = 0.0
    for name, array in one.items():
        mine, theirs = array.astype(np.float64), other[name].astype(np.float64)
        way += float(np.square(mine - (start[name] if start else 0.0)).sum())
        off += float(np.square(mine - theirs).sum())
    return float(np.sqrt(off / way))


@pytest.mark.parametrize("kind", GRADIENTS, ids=lambda kind: kind.name)
def test_the_gradient_of_a_step_is_that_of_one_process(kind: Kind, together: Path) -> None:
    alone = gradient_of(Kind("alone", kind.double))
    found = loaded(together / f"gradient-{kind.name}.npz")
    assert set(found) == set(alone)
    assert all(found[name].dtype == (np.float64 if kind.double else np.float32) for name in found)
    off = far(alone, found)
    print(f"\n{kind.name}: gradients differ by {off:.3g}")
    assert off <= (1e-10 if kind.double else 1e-5)


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.name)
def test_a_regulariser_of_the_rows_of_one_process_is_another_gradient(kind: Kind, together: Path) -> None:
    """The bound above tells them apart: this is what it is there for."""
    off = far(gradient_of(Kind("alone", True)), loaded(together / f"gradient-{kind.name}.npz"))
    print(f"\n{kind.name}: gradients differ by {off:.3g}")
    assert off > 1e-3


@pytest.mark.parametrize("way", WAYS)
def test_after_all_steps_the_delta_is_that_of_one_process(way: str, together: Path) -> None:
    kind = Kind(way, True)
    off = far(trained(Kind("alone", True)).weights, loaded(together / f"trained-{kind.name}.npz"), START)
    print(f"\n{kind.name}: deltas differ by {off:.3g} after {ranks.STEPS} steps")
    assert off <= 1e-6


@pytest.mark.parametrize("kind", HELD, ids=lambda kind: kind.name)
def test_an_objective_that_holds_on_to_the_base_does_so_in_every_process(kind: Kind, together: Path) -> None:
    """The base is whole beside each, however the model in training is held."""
    start = initial(SEED, ranks.holding_on())
    alone = trained(Kind("alone", True, held=True)).weights
    off = far(alone, loaded(together / f"trained-{kind.name}.npz"), start)
    print(f"\n{kind.name}: deltas differ by {off:.3g} after {ranks.STEPS} steps")
    assert off <= 1e-6


def test_in_float32_it_differs_as_it_does_by_the_number_of_threads(
    together: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = trained(Kind("alone", False)).weights
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with monkeypatch.context() as patch:
            patch.setattr(torch, "set_num_threads", lambda _: None)
            threaded = trained(Kind("alone", False)).weights
    finally:
        torch.set_num_threads(threads)
    found = {
        way: far(alone, loaded(together / f"trained-{Kind(way, False).name}.npz"), START) for way in WAYS
    }
    print(f"\nfloat32, {ranks.STEPS} steps: two threads {far(alone, threaded, START):.3g}, two processes "
          + ", ".join(f"{way} {off:.3g}" for way, off in found.items()))  # fmt: skip
    assert all(off < 0.05 for off in found.values())


@pytest.mark.slow
def test_three_that_are_taken_up_end_in_the_same_bytes(tmp_path: Path) -> None:
    """Sums of three depend on their order; and some parameters have no part on the third."""
    play(tmp_path, "resumed", count=3)
    for way in WAYS:
        whole, again = (loaded(tmp_path / f"{name}-{way}.npz") for name in ("whole", "again"))
        assert all(whole[name].tobytes() == again[name].tobytes() for name in whole), way


# ------------------------------------------------------------------ lower precision, and an early end


@pytest.fixture(scope="module")
def spread_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spread out")
    play(folder, "spread_out")
    return folder


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_lower_precision_is_the_same_training_on_two_processes(
    precision: str, way: str, spread_out: Path
) -> None:
    """Each rounds the products of its own rows; weights, moments and statistics are float32 on both."""
    result, norms = lowered(precision)
    found = loaded(spread_out / f"{precision}-{way}.npz")
    theirs = np.load(spread_out / f"{precision}-{way}-norms.npy")
    assert all(found[name].dtype == np.float32 for name in found)
    skipped = [norm == 0.0 for norm in norms]
    assert any(skipped) == (precision == "fp16") and not all(skipped)
    assert (theirs == 0.0).tolist() == skipped, "where one overflows, both leave the step out"
    off = far(result.weights, found, START)
    print(f"\n{precision}, {way}: deltas differ by {off:.3g} after {len(norms)} steps")
    assert off < 0.2


@pytest.mark.parametrize("way", WAYS)
def test_all_processes_stop_early_in_one_step(way: str, spread_out: Path) -> None:
    alone = stopping()
    assert alone.status == "early_stop" and alone.steps < ranks.STEPS
    for rank in range(2):
        assert (spread_out / f"ended-{way}-{rank}").read_text() == f"early_stop {alone.steps}"


# ------------------------------------------------------------------ when one fails


def test_a_family_that_does_not_pool_is_noticed_in_its_first_step(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="process 1 of 2 differs from process 0 in") as caught:
        play(tmp_path, "noticed")
    assert caught.value.reason == "processes-differ"


def test_a_process_that_is_killed_ends_the_job_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(Transient, match=r"process 1 of 2 .* was killed by SIGKILL"):
        play(tmp_path, "killed")


def test_a_process_with_a_defect_ends_the_job_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="process 1 of 2: ZeroDivisionError: a defect") as caught:
        play(tmp_path, "broken")
    assert caught.value.reason == "worker-error"


def test_what_they_raise_on_purpose_arrives_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="training diverged") as caught:
        play(tmp_path, "refused")
    assert (caught.value.reason, caught.value.remedy) == ("diverged", "lower the rate")


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    (tmp_path / "asked").write_text("waiting")
    code = (
        "from pathlib import Path; from jepanet.work.processes.ranks import run_ranks; "
        f"run_ranks(Path({str(tmp_path)!r}), 2, lambda _: None, module='training_ranks')"
    )
    starter = subprocess.Popen([sys.executable, "-c", code])
    try:
        deadline = time.monotonic() + 120
        here = [tmp_path / f"here-{rank}" for rank in range(2)]
        while not all(item.exists() and item.read_text() for item in here):
            assert time.monotonic() < deadline and starter.poll() is None, "they do not begin"
            time.sleep(0.1)
    finally:
        starter.kill()
        starter.wait()
    gone = [
        psutil.Process(int(item.read_text())) for item in here if psutil.pid_exists(int(item.read_text()))
    ]
    _, left = psutil.wait_procs(gone, timeout=30)
    assert not left
