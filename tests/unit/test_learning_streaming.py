"""Shards that are bigger together than memory: checked before use, read ahead, taken up where one was."""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jepanet.errors import JepanetError, Rejected, Transient
from jepanet.learning.data.shards import Shard, joined, load_shard, save_shard
from jepanet.learning.data.streaming import shard_file as shard_file_module
from jepanet.learning.data.streaming.ahead import Ahead
from jepanet.learning.data.streaming.batches import StreamedBatches
from jepanet.learning.data.streaming.shard_file import ShardFile, Stopped, read_shard
from jepanet.learning.family import Batch, Batches
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_loop import Guard, Loop
from jepanet.learning.training.loop import TrainResult, train
from jepanet.learning.training.resuming.checkpoints import Checkpoints
from jepanet.learning.training.resuming.state import StepReport
from jepanet.learning.training.supply import InMemory, Streamed, supply_of
from jepanet.tensors import Arrays
from learning_shards import OTHER, RECIPE, SEED, disc_shard, initial, sized

pytestmark = pytest.mark.unit

COUNT, MIX, STEPS = 5, 2, 21
RECIPE_OF_MANY = replace(RECIPE, inner_steps=STEPS, total_steps=60, loop=Loop(trace=3, mix=MIX))
START = initial(SEED)


class Killed(Exception):
    """Stands for kill -9: nothing that comes after it happens."""


def written(folder: Path, shards: Sequence[Shard]) -> list[ShardFile]:
    files = []
    for number, shard in enumerate(shards):
        path = folder / f"training-{number:02}.safetensors"
        digest = save_shard(path, shard)
        files.append(ShardFile(path, digest, path.stat().st_size))
    return files


@pytest.fixture
def files(tmp_path: Path) -> list[ShardFile]:
    return written(tmp_path, [disc_shard(number, site=(number,) * 6) for number in range(COUNT)])


def stream(
    files: Sequence[ShardFile], seed: bytes = SEED, recipe: Recipe = RECIPE_OF_MANY
) -> StreamedBatches:
    batches = Streamed(files, recipe.loop.mix).batches(recipe.family, seed, guarded=False)
    assert isinstance(batches, StreamedBatches)
    return batches


def content(batch: Batch) -> tuple[bytes, ...]:
    return tuple(item.numpy().tobytes() for _, item in sorted(batch.tensors.items()))


def drawn(batches: StreamedBatches, count: int) -> list[tuple[bytes, ...]]:
    found = [content(next(batches)) for _ in range(count)]
    batches.close()
    return found


def visited(batches: StreamedBatches) -> list[int]:
    return batches.position()["visits"].tolist()


# ------------------------------------------------------------------ a shard in a file


def test_a_shard_is_held_against_its_digest_before_any_of_it_is_decoded(
    files: list[ShardFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    def decoded(*_: object, **__: object) -> Shard:
        raise AssertionError("decoded before it was known what it is")

    data = bytearray(files[0].path.read_bytes())
    data[-1] ^= 1
    files[0].path.write_bytes(data)
    monkeypatch.setattr(shard_file_module, "load_shard", decoded)
    with pytest.raises(Transient, match=rf"{files[0].name}.*does not have the content"):
        read_shard(files[0], threading.Event())


def test_a_shard_larger_than_it_is_said_to_be_is_refused_unread(files: list[ShardFile]) -> None:
    with pytest.raises(Rejected) as caught:
        read_shard(replace(files[0], bytes=files[0].bytes - 1), threading.Event())
    assert caught.value.reason == "too-large" and files[0].name in caught.value.message


def test_what_is_no_shard_is_refused_by_name(tmp_path: Path) -> None:
    from jepanet.cid import digest_of

    (tmp_path / "blob").write_bytes(b"no shard at all")
    file = ShardFile(tmp_path / "blob", digest_of(b"no shard at all"), 15)
    with pytest.raises(Rejected, match=file.name):
        read_shard(file, threading.Event())


def test_a_missing_shard_is_named_at_once_unless_somebody_brings_it(files: list[ShardFile]) -> None:
    data = files[0].path.read_bytes()
    files[0].path.unlink()
    with pytest.raises(Transient, match=f"{files[0].name} is not at"):
        read_shard(files[0], threading.Event())
    awaited, stopped = replace(files[0], awaited=True), threading.Event()
    found: list[object] = []

    def read() -> None:
        try:
            found.append(read_shard(awaited, stopped).episodes)
        except Stopped as error:
            found.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    arriving = files[0].path.with_suffix(".part")
    arriving.write_bytes(data)
    arriving.rename(files[0].path)  # as a node puts it there: whole or not at all
    reader.join(10)
    assert found == [6]
    files[0].path.unlink()
    reader = threading.Thread(target=read)
    reader.start()
    stopped.set()
    reader.join(10)
    assert isinstance(found[1], Stopped), "whoever waits for one lets go when the training ends"


# ------------------------------------------------------------------ the order of data


def test_batches_follow_from_seed_and_list_alone(files: list[ShardFile]) -> None:
    first = drawn(stream(files), 40)
    assert drawn(stream(files), 40) == first
    assert drawn(stream(files, OTHER), 40) != first
    assert drawn(stream(files[::-1]), 40) != first


def test_when_a_shard_arrives_changes_nothing(files: list[ShardFile], tmp_path: Path) -> None:
    first = drawn(stream(files), 40)
    late = tmp_path / "late"
    late.mkdir()
    awaited = [replace(file, path=late / file.path.name, awaited=True) for file in files]

    def bring() -> None:
        for file in reversed(files):
            (late / f"{file.path.name}.draft").write_bytes(file.path.read_bytes())
            (late / f"{file.path.name}.draft").rename(late / file.path.name)

    bringer = threading.Timer(0.1, bring)
    bringer.start()
    assert drawn(stream(awaited), 40) == first
    bringer.join()


def test_every_window_of_every_shard_is_drawn_before_any_is_drawn_twice(tmp_path: Path) -> None:
    recipe = sized(RECIPE_OF_MANY, windows=4)
    files = written(tmp_path, [disc_shard(number, site=(0,) * 3) for number in range(COUNT)])
    windows = 3 * (9 - recipe.family.sizes.window + 1)
    assert windows % 4 == 0, "visits end exactly"
    batches, seen = stream(files, recipe=recipe), Counter[bytes]()
    while True:
        batch = next(batches)
        if max(visited(batches)) >= COUNT:
            break
        seen.update(item.tobytes() for item in batch.tensors["frames"].numpy())
    batches.close()
    assert set(seen.values()) == {1} and len(seen) >= (COUNT - MIX) * windows


def test_no_more_shards_than_the_mix_and_the_next_one_are_held(files: list[ShardFile]) -> None:
    alive: weakref.WeakSet[Batches] = weakref.WeakSet()

    def make(place: int, seed: bytes, stopped: threading.Event) -> Batches:
        made = RECIPE.family.batches(read_shard(files[place], stopped), seed)
        alive.add(made)
        return made

    batches = StreamedBatches(len(files), MIX, SEED, make)
    most = 0
    for _ in range(60):
        next(batches)
        most = max(most, len(alive))
    assert visited(batches)[0] > 2 * COUNT and most <= MIX + 1
    batches.close()


def test_shards_end_one_by_one(files: list[ShardFile]) -> None:
    """If all of a mix ended together, one that is read ahead would hide little of the reading."""
    batches = stream(files)
    before, ends = [0], []
    for number in range(200):
        next(batches)
        now = visited(batches)
        ends += [number] * len(set(before) - set(now))
        before = now
    batches.close()
    assert len(ends) > 5 and min(np.diff(ends[2:])) >= 1


# ------------------------------------------------------------------ places in it


@pytest.mark.parametrize("place", [0, 1, 7, 23, 41])
def test_a_stream_goes_on_from_any_place(files: list[ShardFile], place: int) -> None:
    whole = drawn(stream(files), 60)
    left = stream(files)
    for _ in range(place):
        next(left)
    position = {name: item.copy() for name, item in left.position().items()}
    left.close()
    other = stream(files)
    other.go_to(position)
    again = {name: item.tobytes() for name, item in other.position().items()}
    assert again == {name: item.tobytes() for name, item in position.items()}
    assert drawn(other, 60 - place) == whole[place:]


def _without(name: str) -> Callable[[Arrays], Arrays]:
    return lambda position: {key: item for key, item in position.items() if key != name}


def _with(**changes: np.ndarray) -> Callable[[Arrays], Arrays]:
    return lambda position: {**position, **{name.replace("__", "."): item for name, item in changes.items()}}


@pytest.mark.parametrize(
    "spoilt",
    [
        _without("visits"),
        _without("seen"),
        _without("shards"),
        _without("1.windows"),
        _with(visits=np.array([3, 2])),
        _with(visits=np.array([2])),
        _with(visits=np.array([-1, 2])),
        _with(visits=np.array([1, 1 << 60])),
        _with(visits=np.array([1.0, 2.0])),
        _with(seen=np.array([-1, 0])),
        _with(seen=np.array([0])),
        _with(shards=np.zeros(3, np.uint8)),
        _with(__windows=np.zeros(3, np.uint8)),
        _with(**{"7__windows": np.zeros(3, np.uint8)}),
        _with(**{"01__windows": np.zeros(3, np.uint8)}),
        _with(odd=np.zeros(3, np.uint8)),
    ],
)
def test_attack_a_position_that_is_none_is_refused(
    files: list[ShardFile], spoilt: Callable[[Arrays], Arrays]
) -> None:
    left = stream(files)
    for _ in range(9):
        next(left)
    position = left.position()
    with pytest.raises(Rejected) as caught:
        left.go_to(spoilt(position))
    left.close()
    assert caught.value.reason == "bad-position"


# ------------------------------------------------------------------ training


def trained(
    files: Sequence[ShardFile],
    folder: Path | None = None,
    on_step: Callable[[StepReport], None] | None = None,
    recipe: Recipe = RECIPE_OF_MANY,
) -> TrainResult:
    return train(
        START, supply_of(files, recipe), recipe, seed=SEED, on_step=on_step,
        checkpoints=None if folder is None else Checkpoints(folder, 1 << 30, pause=0.0),
    )  # fmt: skip


def same(one: TrainResult, other: TrainResult) -> bool:
    weights = [{name: item.tobytes() for name, item in made.weights.items()} for made in (one, other)]
    return weights[0] == weights[1] and one.trace == other.trace and one.metrics == other.metrics


def killed_at(step: int) -> Callable[[StepReport], None]:
    def on_step(report: StepReport) -> None:
        if report.step == step:
            raise Killed

    return on_step


def test_few_shards_are_joined_in_memory_and_one_trains_the_bytes_that_it_always_did(
    files: list[ShardFile],
) -> None:
    one, two = (replace(RECIPE_OF_MANY, loop=Loop(mix=mix)) for mix in (1, 2))
    shards = [load_shard(file.path) for file in files[:2]]
    assert same(trained(files[:1], recipe=one), train(START, shards[0], one, seed=SEED))
    assert same(trained(files[:2], recipe=two), train(START, joined(shards), two, seed=SEED))
    assert isinstance(supply_of(files[:2], two), InMemory) and isinstance(supply_of(files[:2], one), Streamed)


@pytest.mark.parametrize("guard", [None, Guard(every=3)])
def test_a_training_killed_in_the_middle_of_its_shards_ends_in_the_same_bytes(
    files: list[ShardFile], tmp_path: Path, guard: Guard | None
) -> None:
    recipe = replace(RECIPE_OF_MANY, guard=guard)
    whole = trained(files, recipe=recipe)
    for step in (1, 4, 16):
        folder = tmp_path / f"killed-{step}"
        with pytest.raises(Killed):
            trained(files, folder, killed_at(step), recipe)
        assert step < 4 or any(folder.iterdir())
        assert same(trained(files, folder, recipe=recipe), whole)


def test_other_shards_or_another_order_are_another_training(files: list[ShardFile], tmp_path: Path) -> None:
    assert Streamed(files, MIX).identity() != Streamed(files[::-1], MIX).identity()
    assert Streamed(files, MIX).identity() != Streamed(files[:-1], MIX).identity()


def test_a_shard_that_is_damaged_ends_the_training_by_its_name(files: list[ShardFile]) -> None:
    files[3].path.write_bytes(files[2].path.read_bytes())
    reached = 0

    def on_step(report: StepReport) -> None:
        nonlocal reached
        reached = report.step

    with pytest.raises(Transient, match=files[3].name):
        trained(files, on_step=on_step)
    assert 0 < reached < STEPS, "those before it were trained on"


def test_a_shard_that_does_not_fit_the_recipe_ends_the_training_by_its_name(
    files: list[ShardFile], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    odd = written(tmp_path / "other", [disc_shard(1, frames=4)])[0]
    with pytest.raises(Rejected, match=odd.name) as caught:
        trained([*files[:3], odd])
    assert caught.value.reason == "shard-mismatch"


def test_a_guard_measures_on_a_fifth_of_the_first_shards_and_trains_on_none_of_any(
    files: list[ShardFile],
) -> None:
    held = Streamed(files, MIX).held_out()
    assert sorted(set(held.site)) == [0, 1]
    supply = Streamed(files, MIX)
    batches = supply.batches(RECIPE.family, SEED, guarded=True)
    whole = sum(load_shard(file.path).episodes for file in files)
    assert batches.examples == (whole - COUNT) * 4
    supply.close()


def test_nothing_is_read_any_more_once_a_training_is_over(files: list[ShardFile]) -> None:
    before = threading.active_count()
    never = [replace(file, awaited=True) for file in files]
    never[4].path.unlink()
    few = replace(RECIPE_OF_MANY, inner_steps=4, total_steps=4)
    trained(never, recipe=few)
    with pytest.raises(JepanetError):
        trained([replace(never[0], path=Path("/nowhere"), awaited=False), *never[1:]], recipe=few)
    assert threading.active_count() <= before + 1


def test_what_is_made_ahead_is_what_is_asked_for() -> None:
    made: list[int] = []
    free = threading.Event()

    def make(number: int, stopped: threading.Event) -> int:
        if number == 7:
            raise Transient("there is no seventh")
        free.wait(10)
        made.append(number)
        return number

    ahead = Ahead(make)
    ahead.expect(1)
    free.set()
    assert ahead.take(1) == 1
    ahead.expect(2)
    assert ahead.take(5) == 5, "another one than was expected"
    with pytest.raises(Transient, match="seventh"):
        ahead.take(7)
    assert ahead.take(2) == 2
    ahead.close()
