"""A training that was killed goes on where it was: the same bytes, never from a damaged or foreign file."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jepanet.errors import Rejected
from jepanet.files import keep
from jepanet.learning.recipe import Loop
from jepanet.learning.recipe_reader import read_recipe
from jepanet.learning.training.beginning import begin
from jepanet.learning.training.guarding.divergence import DivergenceGate
from jepanet.learning.training.loop import TrainResult, train
from jepanet.learning.training.resuming.checkpoints import KEPT, Checkpoints
from jepanet.learning.training.resuming.state import StepReport, TrainingState
from jepanet.learning.training.resuming.trace import (
    TRACE,
    TracePoint,
    cadence,
    digest_of_arrays,
    points_as_arrays,
)
from jepanet.learning.training.resuming.training_file import checkpoint_bytes, restore, run_of
from jepanet.learning.training.supply import InMemory
from jepanet.tensors import Arrays, decode_tensors, encode_tensors
from jepanet.types import Digest
from learning_shards import OTHER, RECIPE, SEED, disc_shard, initial, sized

pytestmark = pytest.mark.unit

STEPS = 9
TRAINED = replace(
    sized(RECIPE, colour=True, symmetry=True), inner_steps=STEPS, total_steps=60, loop=Loop(trace=2)
)
SHARD = disc_shard(1, site=(0, 0, 0, 1, 1, 2))
START = initial(SEED)
BUDGET = 1 << 30


class Killed(Exception):
    """Stands for kill -9: nothing that comes after it happens."""


def killed_at(step: int) -> Callable[[StepReport], None]:
    def on_step(report: StepReport) -> None:
        if report.step == step:
            raise Killed

    return on_step


def begun(
    folder: Path, on_step: Callable[[StepReport], None] | None = None, seed: bytes = SEED
) -> TrainResult:
    return train(
        START, SHARD, TRAINED, seed=seed, on_step=on_step, checkpoints=Checkpoints(folder, BUDGET, pause=0.0)
    )


def killed(folder: Path, step: int) -> None:
    with pytest.raises(Killed):
        begun(folder, killed_at(step))


def same(one: TrainResult, other: TrainResult) -> bool:
    return (
        {name: array.tobytes() for name, array in one.weights.items()}
        == {name: array.tobytes() for name, array in other.weights.items()}
        and one.trace == other.trace
        and one.metrics == other.metrics
    )


@contextmanager
def said() -> Iterator[Callable[[], list[dict[str, object]]]]:
    from jepanet.telemetry import configure_logging

    stream = io.StringIO()
    configure_logging(level="info", json=True, stream=stream)
    try:
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    finally:
        configure_logging(level="error")


WHOLE = train(START, SHARD, TRAINED, seed=SEED)


# ------------------------------------------------------------------ going on


@pytest.mark.parametrize("step", [1, 2, 3, 6, STEPS])
def test_a_training_killed_at_any_step_ends_in_the_same_bytes(step: int, tmp_path: Path) -> None:
    killed(tmp_path, step)
    steps: list[int] = []
    assert same(begun(tmp_path, lambda report: steps.append(report.step)), WHOLE)
    # A checkpoint is written behind the callback of its step.
    assert steps[0] == 2 * ((step - 1) // 2) + 1


def test_a_training_killed_again_and_again_ends_in_the_same_bytes(tmp_path: Path) -> None:
    for step in (3, 4, 5, 5, 7, 8):
        killed(tmp_path, step)
    assert same(begun(tmp_path), WHOLE)


def test_checkpoints_change_nothing(tmp_path: Path) -> None:
    assert same(begun(tmp_path / "missing"), WHOLE)


def test_a_checkpoint_remembers_the_losses_that_divergence_is_judged_by(tmp_path: Path) -> None:
    killed(tmp_path, 7)
    state = Checkpoints(tmp_path, BUDGET).resume(fresh, run(), STEPS)
    assert state.step == 6 and len(state.gate.position()["recent"]) == 6
    assert state.metrics["loss_first"] == WHOLE.metrics["loss_first"]
    assert state.samples == 6 * 16 and state.epoch == state.samples // state.batches.examples


def run(**changes: object) -> Digest:
    given: dict[str, object] = {
        "recipe": TRAINED, "weights": START, "data": InMemory(SHARD).identity(), "seed": SEED,
        "steps": (STEPS, 0, 60), "frozen": (), "device": "cpu",
    }  # fmt: skip
    return run_of(**(given | changes))  # type: ignore[arg-type]


def test_checkpoints_do_not_know_penalties(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="penalties"):
        train(
            START, SHARD, TRAINED, seed=SEED, penalties=[lambda model, step: model.loss], # type: ignore[list-item, return-value]
            checkpoints=Checkpoints(tmp_path, BUDGET),
        )  # fmt: skip


# ------------------------------------------------------------------ damaged and foreign files


def newest(folder: Path) -> Path:
    return max(folder.glob("step-*.safetensors"))


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "without its digest"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(damage: str, tmp_path: Path) -> None:
    killed(tmp_path, 8)
    path = newest(tmp_path)
    assert path.name == "step-0000000006.safetensors"
    data = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(data[:-1])
    elif damage == "flipped":
        data[-7] ^= 1
        path.write_bytes(data)
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        path.with_name(path.name + ".sha256").unlink()
    with said() as lines:
        steps: list[int] = []
        result = begun(tmp_path, lambda report: steps.append(report.step))
    assert steps[0] == 5
    assert same(result, WHOLE)
    named = [line for line in lines() if line["event"] == "file.damaged"]
    assert [line["path"] for line in named] == [str(path)]


def kept_as(folder: Path, data: bytes) -> Path:
    """A newest checkpoint with a digest that fits."""
    path = folder / "step-0000000008.safetensors"
    keep(path, data)
    return path


def fresh() -> TrainingState:
    gate = DivergenceGate(TRAINED.explode)
    return begin(TRAINED, START, InMemory(SHARD), gate, seed=SEED, frozen=(), device="cpu", base=START)


def refused(folder: Path) -> tuple[list[object], int]:
    """The reasons for which checkpoints are refused, and the steps that are done as the training goes on."""
    with said() as lines:
        state = Checkpoints(folder, BUDGET).resume(fresh, run(), STEPS)
    return [line["reason"] for line in lines() if line["event"] == "checkpoint.refused"], state.step


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """Checkpoints after steps 4 and 6."""
    folder = tmp_path_factory.mktemp("saved")
    killed(folder, 8)
    four, six = (folder / f"step-000000000{step}.safetensors" for step in (4, 6))
    return four.read_bytes(), six.read_bytes()


def test_a_foreign_checkpoint_is_named_and_the_one_before_is_used(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        begun(tmp_path / "other", killed_at(9), seed=OTHER)
    killed(tmp_path, 7)
    kept_as(tmp_path, newest(tmp_path / "other").read_bytes())
    assert refused(tmp_path) == (["foreign"], 6)
    assert same(begun(tmp_path), WHOLE)


def test_with_no_usable_checkpoint_a_training_begins_anew(tmp_path: Path) -> None:
    tmp_path.mkdir(exist_ok=True)
    for step in (2, 4):
        keep(tmp_path / f"step-{step:010}.safetensors", b"nothing")
    assert refused(tmp_path) == (["truncated", "truncated"], 0)


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("weights.encoder.head.bias", lambda array: array + 1.0, "damaged"),
        ("weights.encoder.head.bias", lambda array: array * np.float32("nan"), "non-finite"),
        ("weights.encoder.head.bias", lambda array: array[:-1], "wrong-shape"),
        ("weights.encoder.head.bias", lambda array: array.astype(np.float64), "wrong-shape"),
        ("weights.encoder.head.bias", None, "wrong-shape"),
        ("weights.more", lambda _: np.zeros(1, np.float32), "wrong-shape"),
        ("more.weights", lambda _: np.zeros(1, np.float32), "wrong-shape"),
        ("optimiser.mean.encoder.head.bias", lambda array: array + 1.0, "damaged"),
        ("optimiser.steps", lambda array: array + 1, "damaged"),
        ("streams.directions", lambda array: array[:-8], "wrong-shape"),
        ("streams.directions", lambda array: array * 0, "bad-position"),
        ("streams.directions", None, "wrong-shape"),
        ("data.windows", lambda array: array[:8], "bad-position"),
        ("data.order.0", lambda array: array + 1000, "bad-position"),
        ("data.order.0", lambda array: -1 - array, "bad-position"),
        ("data.order.0", lambda array: array[1:], "damaged"),
        ("data.order.7", lambda _: np.zeros(1, np.int64), "bad-position"),
        ("gate.recent", lambda array: array * np.nan, "non-finite"),
        ("gate.recent", lambda array: np.zeros(33), "wrong-shape"),
        ("gate.strikes", lambda array: array - 1, "wrong-shape"),
        ("trace.steps", lambda array: array[::-1].copy(), "wrong-shape"),
        ("trace.steps", lambda array: array[:-1], "wrong-shape"),
        ("trace.digests", lambda array: array[:, 1:].copy(), "wrong-shape"),
        ("trace.digests", lambda array: array ^ 1, "damaged"),
    ],
)
def test_what_is_no_state_of_this_training_is_refused(
    name: str,
    change: Callable[[np.ndarray], np.ndarray] | None,
    reason: str,
    tmp_path: Path,
    saved: tuple[bytes, bytes],
) -> None:
    before, last = saved
    keep(tmp_path / "step-0000000004.safetensors", before)
    arrays, header = decode_tensors(last, max_bytes=1 << 30, what="checkpoint")
    changed: Arrays = dict(arrays)
    if change is None:
        del changed[name]
    else:
        changed[name] = change(arrays.get(name, np.zeros(1)))
    kept_as(tmp_path, encode_tensors(changed, header))
    assert refused(tmp_path) == ([reason], 4)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", "jepanet.training.1"), ("step", 0), ("step", STEPS + 1), ("step", "6"), ("step", True),
        ("samples", -1), ("samples", 1.5), ("metrics", []), ("metrics", {"loss": "1"}), ("more", 1),
    ],
)  # fmt: skip
def test_what_a_header_may_not_say_is_refused(
    field: str, value: object, tmp_path: Path, saved: tuple[bytes, bytes]
) -> None:
    arrays, header = decode_tensors(saved[1], max_bytes=1 << 30, what="checkpoint")
    kept_as(tmp_path, encode_tensors(arrays, {**header, field: value}))
    assert refused(tmp_path) == (["malformed"], 0)


def test_a_training_is_told_from_every_other() -> None:
    runs = [
        run(),
        run(recipe=replace(TRAINED, name="another")),
        run(weights=initial(OTHER)),
        run(data=InMemory(disc_shard(2, site=(0, 0, 0, 1, 1, 2))).identity()),
        run(data=InMemory(replace(SHARD, site=(0, 0, 1, 1, 1, 2))).identity()),
        run(seed=OTHER),
        run(steps=(STEPS, 1, 60)),
        run(steps=(STEPS, 0, 61)),
        run(frozen=("encoder.",)),
        run(device="cuda:0"),
    ]
    assert len(set(runs)) == len(runs)
    assert run() == run()


def test_another_build_or_processor_is_another_training(monkeypatch: pytest.MonkeyPatch) -> None:
    from jepanet.learning.training.resuming import training_file

    here = run()
    monkeypatch.setattr(training_file, "surroundings", lambda: {"torch": "another"})
    assert run() != here


# ------------------------------------------------------------------ budget and moments


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def test_the_newest_checkpoints_are_kept_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / ".step-0000000002.safetensors.draft").write_bytes(b"left by a kill")
    (tmp_path / "notes").write_bytes(b"not ours")
    begun(tmp_path)
    steps = (4, 6, 8)
    assert len(steps) == KEPT
    files = [f"step-{step:010}.safetensors{end}" for step in steps for end in ("", ".sha256")]
    assert names(tmp_path) == ["notes", *files]
    assert all(item.stat().st_mode & 0o077 == 0 for item in tmp_path.glob("step-*"))


def test_checkpoints_stay_within_their_budget(tmp_path: Path, saved: tuple[bytes, bytes]) -> None:
    one = len(saved[1])
    for budget, wanted in ((int(2.5 * one), 2), (int(1.5 * one), 1)):
        folder = tmp_path / str(wanted)
        train(START, SHARD, TRAINED, seed=SEED, checkpoints=Checkpoints(folder, budget, pause=0.0))
        files = list(folder.glob("*.safetensors"))
        assert len(files) == wanted and sum(item.stat().st_size for item in files) <= budget


def test_what_is_larger_than_the_budget_is_not_written_and_said_once(tmp_path: Path) -> None:
    with said() as lines:
        result = train(START, SHARD, TRAINED, seed=SEED, checkpoints=Checkpoints(tmp_path, 1000, pause=0.0))
    assert same(result, WHOLE)
    assert names(tmp_path) == []
    assert [line["event"] for line in lines()].count("checkpoint.skipped") == 1


def test_a_disk_that_takes_no_checkpoint_stops_no_training(tmp_path: Path) -> None:
    (tmp_path / "folder").write_bytes(b"a file where the folder should be")
    with said() as lines:
        result = begun(tmp_path / "folder")
    assert same(result, WHOLE)
    assert "checkpoint.skipped" in [line["event"] for line in lines()]


def test_between_two_checkpoints_passes_fifty_times_what_one_costs(tmp_path: Path) -> None:
    class Clock:
        """A second passes between any two looks at it."""

        now = 0.0

        def __call__(self) -> float:
            self.now += 1.0
            return self.now

    checkpoints, state = Checkpoints(tmp_path, BUDGET, pause=50.0, clock=Clock()), fresh()
    written = []
    for state.step in range(1, 130):
        if checkpoints.offer(state, run(), state.parts()):
            written.append(state.step)
    # The first after half a second, which its size is taken to cost; each then takes one second to write.
    assert written == [2, 52, 102]


# ------------------------------------------------------------------ the trace


def test_a_trace_has_a_point_at_every_cadence_and_at_the_end() -> None:
    assert [point.step for point in WHOLE.trace.points] == [2, 4, 6, 8, 9]
    assert TRACE.decode(TRACE.encode(WHOLE.trace)) == WHOLE.trace


def test_a_trace_says_what_differs() -> None:
    """Another batch order, and nothing else: the data differs from the first point, the streams never."""
    other = train(START, SHARD, replace(TRAINED, optimiser=replace(TRAINED.optimiser, clip=0.5)), seed=SEED)
    first, changed = WHOLE.trace.points[0], other.trace.points[0]
    assert (first.data, first.streams, first.batch) == (changed.data, changed.streams, changed.batch)
    assert first.weights != changed.weights and first.optimiser != changed.optimiser
    seeded = train(START, SHARD, TRAINED, seed=OTHER).trace.points[0]
    for part in ("weights", "optimiser", "streams", "data", "batch"):
        assert getattr(seeded, part) != getattr(first, part)


def test_a_digest_of_arrays_tells_names_shapes_and_types_apart() -> None:
    one = np.arange(4, dtype=np.float32)
    arrays: list[Arrays] = [
        {"a": one}, {"b": one}, {"a": one.reshape(2, 2)}, {"a": one.view(np.int32)}, {"a": one, "b": one},
        {}, {"a": one[:0]}, {"a": np.array(0, np.float32)}, {"a": one[::2]},
    ]  # fmt: skip
    assert len({digest_of_arrays(item) for item in arrays}) == len(arrays)
    assert digest_of_arrays({"a": one[::2]}) == digest_of_arrays({"a": one[::2].copy()})


def test_the_usual_cadence_follows_from_the_sizes_and_a_recipe_may_set_another() -> None:
    assert cadence(TRAINED) == 2
    usual = replace(TRAINED, loop=Loop())
    wide = sized(usual, windows=64)
    assert cadence(usual) > cadence(wide) > 1, "longer steps pay for more points"
    assert b"loop" not in usual.to_bytes()
    assert read_recipe(TRAINED.to_bytes()) == TRAINED


@pytest.mark.parametrize("trace", [-1, 1.5, True, 20_001])
def test_a_cadence_has_bounds(trace: object) -> None:
    with pytest.raises(Rejected, match="loop: trace") as caught:
        Loop(trace=trace)  # type: ignore[arg-type]
    assert caught.value.reason == "bad-recipe"


def test_points_survive_their_arrays() -> None:
    from jepanet.learning.training.resuming.trace import points_from_arrays

    points: list[TracePoint] = list(WHOLE.trace.points)
    assert points_from_arrays(points_as_arrays(points)) == points
    assert points_from_arrays(points_as_arrays([])) == []


def test_a_checkpoint_is_canonical_and_the_same_every_time() -> None:
    one, other = (checkpoint_bytes(fresh(), run(), fresh().parts()) for _ in range(2))
    assert one == other
    with pytest.raises(Rejected):
        restore(fresh(), one, run(), steps=STEPS, max_bytes=1 << 30)
