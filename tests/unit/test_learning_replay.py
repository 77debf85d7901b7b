"""A part of a training done again by a stranger: the same bytes, and every way of cheating gives others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from jepanet.cid import blake3_of
from jepanet.division import most_steps, segment_count, segment_points, segment_steps
from jepanet.errors import Rejected
from jepanet.learning.auditing.division import segment_ends
from jepanet.learning.auditing.replay import START, Replayed, check_auditable, differing, replay
from jepanet.learning.auditing.segments import Segments
from jepanet.learning.auditing.state_file import read_state, state_pieces
from jepanet.learning.data.shards import save_shard
from jepanet.learning.data.streaming.shard_file import ShardFile
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_loop import Guard, Loop
from jepanet.learning.training.loop import TrainResult, train
from jepanet.learning.training.resuming.checkpoints import Checkpoints
from jepanet.learning.training.resuming.state import StepReport
from jepanet.learning.training.step.taking import Span
from jepanet.learning.training.supply import InMemory, Streamed, Supply
from jepanet.tensors import Arrays, decode_tensors, encode_tensors
from learning_shards import OTHER, RECIPE, SEED, disc_shard, initial, scaled, sized

pytestmark = pytest.mark.unit

STEPS, SEGMENTS = 10, 3
PLAIN = replace(sized(RECIPE, colour=True, symmetry=True), inner_steps=STEPS, total_steps=60)
SHARD = disc_shard(1, site=(0, 0, 0, 1, 1, 2))
START_WEIGHTS = initial(SEED)
RECIPES = {
    "plain": PLAIN,
    "guard": replace(PLAIN, guard=Guard(every=3)),
    "several batches a step": replace(PLAIN, loop=Loop(accumulate=2)),
    "bf16": replace(PLAIN, loop=Loop(precision="bf16")),
}


@dataclass(frozen=True)
class Made:
    """A training whose segments are kept."""

    recipe: Recipe
    result: TrainResult
    segments: Segments
    supply: Callable[[], Supply]

    def again(
        self,
        number: int,
        *,
        seed: bytes = SEED,
        start: int = 0,
        tampered: Callable[[bytes], bytes] = bytes,
        base: Arrays = START_WEIGHTS,
    ) -> Replayed:
        """Its segment `number` once more."""
        points = self.result.trace.points
        claimed = points[number - 1] if number else None
        state = None
        if claimed is not None:
            kept = self.segments.kept([point.step for point in points])
            state = tampered(kept[number - 1].state.read_bytes())
        return replay(
            self.recipe,
            base,
            self.supply(),
            seed=seed,
            span=Span(STEPS, start, 60),
            first=claimed.step if claimed else START,
            last=points[number].step,
            state=state,
            claimed=claimed,
        )


def made(
    recipe: Recipe,
    folder: Path,
    *,
    supply: Callable[[], Supply] = lambda: InMemory(SHARD),
    on_step: Callable[[StepReport], None] | None = None,
    checkpoints: Checkpoints | None = None,
) -> Made:
    segments = Segments(folder, SEGMENTS)
    result = train(
        START_WEIGHTS,
        supply(),
        recipe,
        seed=SEED,
        segments=segments,
        on_step=on_step,
        checkpoints=checkpoints,
    )
    return Made(recipe, result, segments, supply)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(PLAIN, tmp_path_factory.mktemp("segments"))


def equal(one: Arrays, other: Arrays) -> bool:
    return {n: a.tobytes() for n, a in one.items()} == {n: a.tobytes() for n, a in other.items()}


def every_segment_agrees(training: Made) -> None:
    points = training.result.trace.points
    kept = training.segments.kept([point.step for point in points])
    found = [training.again(number) for number in range(len(points))]
    assert [item.point for item in found] == list(points)
    assert [item.losses for item in found] == [item.losses for item in kept]
    assert equal(found[-1].weights, training.result.weights)


@pytest.mark.parametrize("name", RECIPES)
def test_every_segment_leads_to_the_state_that_the_trainer_had(name: str, tmp_path: Path) -> None:
    training = made(RECIPES[name], tmp_path)
    steps = [point.step for point in training.result.trace.points]
    assert steps == ([3, 4, 6, 8, 9, 10] if name == "guard" else [4, 8, 10])
    every_segment_agrees(training)


def test_a_segment_of_streamed_shards_goes_on_in_the_right_shard(tmp_path: Path) -> None:
    files = []
    for number in range(5):
        path = tmp_path / f"{number}.safetensors"
        digest = save_shard(path, disc_shard(number, site=(number,) * 6))
        files.append(ShardFile(path, digest, path.stat().st_size))
    recipe = replace(PLAIN, loop=Loop(mix=2))
    every_segment_agrees(made(recipe, tmp_path / "kept", supply=lambda: Streamed(files, 2)))


def test_keeping_segments_changes_no_byte_of_the_weights(plain: Made) -> None:
    assert equal(plain.result.weights, train(START_WEIGHTS, SHARD, PLAIN, seed=SEED).weights)


def test_a_training_that_was_killed_has_all_segments(plain: Made, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def ends(report: StepReport) -> None:
        if report.step == 6:
            raise Killed

    place = Checkpoints(tmp_path / "checkpoints", 1 << 30, pause=0.0)
    with pytest.raises(Killed):
        made(PLAIN, tmp_path / "kept", on_step=ends, checkpoints=place)
    steps = list[int]()
    again = made(PLAIN, tmp_path / "kept", on_step=lambda step: steps.append(step.step), checkpoints=place)
    assert steps == [5, 6, 7, 8, 9, 10]
    assert again.result.trace == plain.result.trace
    every_segment_agrees(again)


def test_a_state_is_named_as_its_file_is(plain: Made) -> None:
    for item in plain.segments.kept([point.step for point in plain.result.trace.points]):
        data = item.state.read_bytes()
        assert item.digest == blake3_of([data])
        arrays, header = decode_tensors(data, max_bytes=1 << 30, what="state")
        assert encode_tensors(arrays, header) == data and header["step"] == item.step


def test_a_missing_segment_is_named(plain: Made, tmp_path: Path) -> None:
    training = made(PLAIN, tmp_path)
    steps = [point.step for point in training.result.trace.points]
    for name, spoil in (
        ("step-0000000004.state", Path.unlink),
        ("step-0000000008.losses", lambda path: path.write_bytes(path.read_bytes()[8:])),
    ):
        path, whole = tmp_path / name, (tmp_path / name).read_bytes()
        spoil(path)
        with pytest.raises(Rejected, match="not whole") as refused:
            training.segments.kept(steps)
        assert refused.value.reason == "segments-missing"
        path.write_bytes(whole)
    assert training.segments.kept(steps)


def test_a_state_that_finds_no_room_ends_the_training_and_not_the_node(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"")  # a file where the folder belongs
    with pytest.raises(Rejected, match="cannot be kept") as refused:
        made(PLAIN, tmp_path / "kept")
    assert refused.value.reason == "no-room"


# Cheating: each of these gives another state than the one committed to.


def test_a_state_that_is_not_the_claimed_one_is_refused_by_part(plain: Made) -> None:
    for part in ("weights", "optimiser", "streams", "data"):

        def tampered(data: bytes, part: str = part) -> bytes:
            arrays, header = decode_tensors(data, max_bytes=1 << 30, what="state")
            name = next(name for name in arrays if name.startswith(f"{part}."))
            changed = np.array(arrays[name])
            changed.reshape(-1).view(np.uint8)[0] ^= 1
            return encode_tensors(arrays | {name: changed}, header)

        with pytest.raises(Rejected, match=part) as refused:
            plain.again(1, tampered=tampered)
        assert refused.value.reason == "state-differs"


def test_a_state_of_another_step_or_form_is_refused(plain: Made) -> None:
    states = plain.segments.kept([point.step for point in plain.result.trace.points])
    for data, reason in (
        (states[1].state.read_bytes(), "wrong-step"),
        (b"", "truncated"),
        (
            encode_tensors({"x.y": np.zeros(1, np.float32)}, {"schema": "jepanet.state.2", "step": 4}),
            "wrong-shape",
        ),
        (encode_tensors({}, {"schema": "jepanet.training.1", "step": 4}), "malformed"),
        (states[0].state.read_bytes() + bytes(1 << 24), "too-large"),
    ):
        with pytest.raises(Rejected) as refused:
            plain.again(1, tampered=lambda _, data=data: data)
        assert refused.value.reason == reason, reason


def test_another_seed_shard_base_or_place_in_the_schedule_leads_elsewhere(plain: Made) -> None:
    points = plain.result.trace.points
    assert differing(plain.again(1).point, points[1]) is None
    assert differing(plain.again(0, seed=OTHER).point, points[0]) == "batch"
    assert differing(plain.again(0, base=initial(OTHER)).point, points[0]) == "weights"
    assert differing(plain.again(1, start=30).point, points[1]) == "weights"
    other = replace(plain, supply=lambda: InMemory(disc_shard(2, site=(0, 0, 0, 1, 1, 2))))
    assert differing(other.again(1).point, points[1]) == "batch"


def test_scaled_weights_in_a_committed_state_are_found_in_the_segment_before(tmp_path: Path) -> None:
    """Who scales after the fourth step commits to the scaled state: the way does not lead there."""
    honest = made(PLAIN, tmp_path)
    points = honest.result.trace.points
    parts = read_state(honest.segments.kept([4, 8, 10])[0].state.read_bytes(), 4, max_bytes=1 << 30)
    parts["weights"] = scaled(parts["weights"], 1.5)
    (tmp_path / "step-0000000004.state").write_bytes(b"".join(state_pieces(4, parts)))
    found = honest.again(0)
    assert found.point == points[0], "the honest way leads to the honest state"
    with pytest.raises(Rejected) as refused:  # and the scaled one is not what was committed to
        honest.again(1)
    assert refused.value.reason == "state-differs"


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (replace(PLAIN, loop=Loop(deterministic=False)), "order of sums"),
        (replace(PLAIN, loop=Loop(compile=True)), "compiled"),
        (replace(PLAIN, loop=Loop(precision="fp16")), "overflowed"),
        (replace(PLAIN, guard=Guard(every=2, patience=3)), "ends early"),
    ],
)
def test_recipes_whose_segments_cannot_be_repeated_are_refused(recipe: Recipe, said: str) -> None:
    with pytest.raises(Rejected, match=said) as refused:
        check_auditable(recipe)
    assert refused.value.reason == "not-auditable"
    check_auditable(PLAIN)


def test_segments_are_as_many_as_asked_for() -> None:
    """None is longer than it has to be; where four or more are asked for, the outer ones have one step."""
    for steps in range(1, 200):
        for segments in range(1, 40):
            ends = segment_ends(PLAIN, steps, segments)
            lengths = [end - before for before, end in zip([0, *ends], ends, strict=False)]
            every, outer = segment_steps(steps, segments), steps >= 4 and segments >= 4
            assert segment_count(steps, segments) == len(ends)
            assert ends[-1] == steps and len(ends) <= segments and max(lengths) == every
            assert not outer or lengths[0] == lengths[-1] == 1
            inner, most = (steps - 2, segments - 2) if outer else (steps, segments)
            assert every == 1 or -(-inner // (every - 1)) > most


def test_segments_that_a_guard_adds_are_counted_without_being_made() -> None:
    for steps in range(1, 60):
        for segments in (1, 2, 3, 4, 7, 12, 40):
            for every in range(9):
                ends = segment_points(steps, segments, every)
                assert ends == segment_ends(
                    replace(PLAIN, guard=Guard(every=every) if every else None), steps, segments
                )
                assert segment_count(steps, segments, every) == len(ends)
                lengths = [end - before for before, end in zip([0, *ends], ends, strict=False)]
                for opened in (0, 1, 3, 50):
                    least = sum((lengths[0], *lengths[1:][-1:], *sorted(lengths[1:-1])[-opened:][:opened]))
                    assert least <= most_steps(steps, segments, opened, every) <= steps
    assert segment_count(10_000_000, 1024, 1) == 10_000_000
