"""Parts of a training done again: honest work reproduces its own commitment, and no way of cheating does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepanet.cid import blake3_of, digest_of
from jepanet.errors import Rejected, Transient
from jepanet.federation.deltas.delta import DeltaHeader, delta_bytes, schema_of
from jepanet.federation.deltas.feedback import Residual, encode_residual
from jepanet.learning.auditing.segments import Segments
from jepanet.learning.auditing.state_file import PARTS, digests_of
from jepanet.learning.data.shards import Shard, save_shard
from jepanet.learning.machine.surroundings import surroundings
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.training import loop
from jepanet.learning.training.loop import TrainResult, train, warm_start
from jepanet.learning.training.resuming.state import TrainingState
from jepanet.protocol.documents.spec import EXACT, TOLERANT, TRACE, AuditRule, RoundSpec, encode_spec
from jepanet.tensors import Arrays, decode_tensors, encode_tensors
from jepanet.types import Digest
from jepanet.work import auditing as auditing_module
from jepanet.work import transcript as transcript_module
from jepanet.work.auditing import write_transcript
from jepanet.work.jobs import run
from jepanet.work.last_steps import LastSteps, last_steps
from jepanet.work.requests.auditing import (
    AuditedSegment,
    AuditPlace,
    AuditSegment,
    AuditSegments,
    SegmentAgain,
)
from jepanet.work.requests.files import RoundFiles, TrainingShard
from jepanet.work.requests.machine import CheckpointPlace
from jepanet.work.requests.training import RepeatTraining, TrainDelta, TrainedDelta
from jepanet.work.round_files import OpenedRound, open_round
from jepanet.work.transcript import (
    Transcript,
    decode_transcript,
    encode_transcript,
    losses_digest,
    losses_under,
    segment_key,
)
from learning_shards import OTHER, RECIPE, SEED, disc_shard, scaled
from round_samples import a_spec

pytestmark = pytest.mark.unit

STEPS, SEGMENTS = 6, 3
KEY = bytes(range(64, 96))
SHARD = disc_shard(1)
BASE = warm_start(RECIPE, disc_shard(90), SEED, steps=20)


@dataclass(frozen=True)
class Bench:
    """One round whose trainings are audited, and one solver's files in it."""

    folder: Path
    codec: str = "fp32"
    mode: str = EXACT

    def prepared(self) -> Bench:
        data = model_bytes(BASE, ModelHeader.of(RECIPE, 0))
        spec: RoundSpec = replace(
            a_spec(
                base=digest_of(data),
                recipe=RECIPE.digest(),
                inner_steps=STEPS,
                start_step=0,
                total_steps=60,
                codec=self.codec,
            ),
            audit=AuditRule(SEGMENTS, 1000, mode=self.mode, trace=TRACE),
        )
        for name, content in (("base", data), ("recipe", RECIPE.to_bytes()), ("spec", encode_spec(spec))):
            (self.folder / name).write_bytes(content)
        save_shard(self.folder / "shard", SHARD)
        save_shard(self.folder / "probe", disc_shard(91, site=(0,) * 24))
        return self

    @property
    def files(self) -> RoundFiles:
        return RoundFiles(self.folder / "base", self.folder / "recipe", self.folder / "spec")

    @property
    def round(self) -> OpenedRound:
        return open_round(self.files)

    @property
    def place(self) -> AuditPlace:
        return AuditPlace(self.folder / "states", self.folder / "transcript", KEY)

    def request(self, residual: str | None = None) -> TrainDelta:
        return TrainDelta(
            round=self.files,
            shards=(TrainingShard.of(self.folder / "shard"),),
            probe=self.folder / "probe",
            residual=self.folder / residual if residual else None,
            seed=SEED,
            target=self.folder / "delta",
            residual_target=self.folder / "left",
            audit=self.place,
        )

    def again(self, number: int) -> SegmentAgain:
        """Segment `number`, what it goes on from, and where distances are compared its end."""
        ends = [segment.end.step for segment in self.transcript.segments]
        states = [self.folder / "states" / f"step-{step:010}.state" for step in ends]
        after = states[number] if self.mode == TOLERANT else None
        return SegmentAgain(number, states[number - 1] if number else None, after)

    def together(self, *numbers: int) -> tuple[AuditedSegment, ...]:
        """Segments of one request, in this order."""
        alone = self.request_for(0)
        names = (item.name for item in fields(AuditSegments) if item.name != "segments")
        shared = {name: getattr(alone, name) for name in names}
        return run(AuditSegments(segments=tuple(map(self.again, numbers)), **shared)).found

    def audited(self, number: int, residual: str | None = None) -> AuditedSegment:
        return run(self.request_for(number, residual))

    def request_for(self, number: int, residual: str | None = None) -> AuditSegment:
        again = self.again(number)
        return AuditSegment(
            round=self.files,
            shards=(TrainingShard.of(self.folder / "shard"),),
            probe=self.folder / "probe",
            seed=SEED,
            transcript=self.folder / "transcript",
            number=again.number,
            state=again.state,
            residual=self.folder / residual if residual else None,
            claimed=self.folder / "delta",
            state_after=again.after,
        )

    @property
    def transcript(self) -> Transcript:
        data = (self.folder / "transcript").read_bytes()
        return decode_transcript(data, spec=digest_of((self.folder / "spec").read_bytes()))

    def tells(self, **changes: Digest | None) -> None:
        """The transcript says something else, and the same delta names it."""
        document = encode_transcript(replace(self.transcript, **changes))  # type: ignore[arg-type]
        (self.folder / "transcript").write_bytes(document)
        parts, _ = decode_tensors((self.folder / "delta").read_bytes(), max_bytes=1 << 30, what="delta")
        header = DeltaHeader(self.round.spec.base, self.round.spec.recipe, digest_of(document))
        (self.folder / "delta").write_bytes(delta_bytes(parts, header, self.codec))

    def differs(self) -> dict[int, str | None]:
        """By segment, what an audit of it finds."""
        return {number: self.audited(number).differs for number in range(len(self.transcript.segments))}

    def committed(
        self, result: TrainResult, made: Callable[[LastSteps], Arrays] = lambda last: last.made.parts
    ) -> None:
        """What somebody commits to who can do anything: `result` as a training, any tensors as a delta."""
        last = last_steps(
            result.weights, self.round, probe=self.folder / "probe", residual=None, device="cpu"
        )
        spec = digest_of((self.folder / "spec").read_bytes())
        left = write_transcript(result, last, None, spec, self.place, self.segments)
        header = DeltaHeader(self.round.spec.base, self.round.spec.recipe, left.transcript)
        (self.folder / "delta").write_bytes(delta_bytes(made(last), header, self.codec))

    @property
    def segments(self) -> Segments:
        return Segments(self.folder / "states", SEGMENTS)

    def trained(self, shard: Shard = SHARD, weights: Arrays = BASE, **changes: object) -> TrainResult:
        given = {"seed": SEED, "steps": STEPS, "total_steps": 60} | changes
        return train(weights, shard, RECIPE, **{"segments": self.segments} | given)  # type: ignore[arg-type]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path).prepared()


NOTHING = {0: None, 1: None, 2: None}


def test_honest_work_reproduces_its_own_commitment(bench: Bench) -> None:
    made: TrainedDelta = run(bench.request())
    assert made.left is not None and made.digest == digest_of((bench.folder / "delta").read_bytes())
    assert [state.step for state in made.left.states] == [2, 4, 6]
    assert [state.digest for state in made.left.states] == [s.state for s in bench.transcript.segments]
    assert bench.differs() == NOTHING
    for number, segment in enumerate(bench.transcript.segments):
        found = bench.audited(number)
        assert len(found.losses) == 2 and segment.end.weights.hex() in found.detail
        opened = segment_key(KEY, segment.end.step)
        assert losses_under(opened, found.losses) == losses_digest(KEY, segment.end.step, found.losses)
        assert losses_under(opened, found.losses) == segment.losses
        assert losses_under(opened, [*found.losses[:-1], found.losses[-1] * (1 + 1e-15)]) != segment.losses
    bench.committed(bench.trained())
    assert made.digest == digest_of((bench.folder / "delta").read_bytes()), "the bench commits as a node does"


def test_segments_of_one_request_are_found_as_each_alone(bench: Bench) -> None:
    """In any order, and after one that was refused: what they share carries nothing from one to the next."""
    run(bench.request())
    alone = {number: bench.audited(number) for number in range(SEGMENTS)}
    for order in ((0, 1, 2), (2, 0, 1), (1, 1, 0, 2)):
        assert [plain(item) for item in bench.together(*order)] == [plain(alone[item]) for item in order]
    path = bench.folder / "states" / "step-0000000002.state"
    arrays, header = decode_tensors(path.read_bytes(), max_bytes=1 << 30, what="state")
    name = next(name for name in arrays if name.startswith("weights."))
    path.write_bytes(encode_tensors({**arrays, name: arrays[name] + np.float32(1)}, header))
    found = bench.together(0, 1, 2)
    assert [item.differs for item in found] == [None, "state", None]
    assert plain(found[2]) == plain(alone[2])


def plain(found: AuditedSegment) -> AuditedSegment:
    return replace(found, seconds=0.0)


@pytest.mark.parametrize("codec", ["int8", "topk10"])
def test_the_last_segment_holds_what_codecs_do(codec: str, tmp_path: Path) -> None:
    bench = Bench(tmp_path, codec).prepared()
    made = run(bench.request())
    assert bench.differs() == NOTHING and (bench.transcript.left is None) == (codec == "int8")
    if made.residual is None:
        return
    (tmp_path / "before").write_bytes((tmp_path / "left").read_bytes())
    run(bench.request(residual="before"))
    assert bench.transcript.taken == made.residual
    assert bench.audited(2, residual="before").differs is None
    # What somebody would rather have left out before than what it did.
    values = {name: np.ones_like(array) for name, array in BASE.items()}
    (tmp_path / "made-up").write_bytes(encode_residual(Residual(values, made.digest, None, codec)))
    for other in ("made-up", None):
        with pytest.raises(Rejected) as refused:
            bench.audited(2, residual=other)
        assert refused.value.reason == "other-residual"


def test_a_training_is_repeated_whole_though_its_key_is_not_known(bench: Bench) -> None:
    made = run(bench.request())
    (bench.folder / "revealed").write_bytes((bench.folder / "delta").read_bytes())
    again = replace(bench.request(), audit=None)
    found = run(RepeatTraining(again, bench.folder / "revealed"))
    assert found.same and found.cosine == 1.0 and made.left is not None


# Ways of cheating, each with the segments in which it shows.


def test_attack_a_scaled_delta(bench: Bench) -> None:
    bench.committed(bench.trained(), lambda last: scaled(last.made.parts, 1.5))
    assert bench.differs() == {0: None, 1: None, 2: "delta"}


def test_attack_one_delta_under_several_identities_by_noise_or_masks(bench: Bench) -> None:
    random = np.random.default_rng(1)

    def noisy(last: LastSteps) -> Arrays:
        return {
            name: array + random.normal(0, 1e-4, array.shape).astype(np.float32)
            for name, array in last.made.parts.items()
        }

    def masked(last: LastSteps) -> Arrays:
        return {name: array * (random.random(array.shape) < 0.2) * np.float32(5)
                for name, array in last.made.parts.items()}  # fmt: skip

    for cheat in (noisy, masked):
        bench.committed(bench.trained(), cheat)
        assert bench.differs() == {0: None, 1: None, 2: "delta"}


def test_attack_a_state_that_no_training_led_to(bench: Bench) -> None:
    """Scaling, noise, triggers or ascent on the score put into the committed state, not into the delta."""
    honest = bench.trained()
    better = replace(
        honest, weights={n: b + (honest.weights[n] - b) * np.float32(1.5) for n, b in BASE.items()}
    )
    points = list(honest.trace.points)
    ended = bench.trained(weights=better.weights, steps=2)  # a state of theirs at the end of the last segment
    points[-1] = replace(ended.trace.points[-1], step=STEPS)
    states = bench.folder / "states"
    (states / "step-0000000006.state").write_bytes((states / "step-0000000002.state").read_bytes())
    bench.trained(steps=4, total_steps=60)  # states 2 and 4 are honest again
    bench.committed(replace(better, trace=replace(honest.trace, points=tuple(points))))
    assert bench.differs()[2] is not None


def test_attack_training_a_part_of_the_model(bench: Bench) -> None:
    bench.committed(bench.trained(frozen=("encoder",)))
    assert bench.differs() == {0: "weights", 1: "replay", 2: "replay"}  # moments of a part are no state


def test_attack_fewer_steps(bench: Bench) -> None:
    bench.committed(bench.trained(steps=4))
    assert bench.differs() == {0: "segments", 1: "segments"}
    assert "after steps 2, 4; by the round's rules after 2, 4, 6" in bench.audited(0).detail


def test_attack_one_long_segment_that_nobody_would_repeat(bench: Bench) -> None:
    long = Segments(bench.folder / "states", 1)
    result = train(BASE, SHARD, RECIPE, segments=long, seed=SEED, steps=STEPS, total_steps=60)
    bench.committed(result)
    assert bench.differs() == {0: "segments"}


def test_attack_a_state_file_that_says_more_than_was_committed_to(bench: Bench) -> None:
    """A scale of the loss is no part of a point: who could name one would have gradients multiplied by it."""
    run(bench.request())
    path = bench.folder / "states" / "step-0000000002.state"
    arrays, header = decode_tensors(path.read_bytes(), max_bytes=1 << 30, what="state")
    for name, value in (("scale.scale", np.array([8.0])), ("gate.strikes", np.array([0]))):
        path.write_bytes(encode_tensors({**arrays, name: value}, header))
        found = bench.audited(1)
        assert found.differs == "replay" and name in found.detail


def test_attack_steps_that_were_left_out(bench: Bench) -> None:
    """Two steps instead of six, told as six: every state is one that steps led to, only not enough."""
    short = bench.trained(steps=2, segments=replace(bench.segments, count=1))
    states, point = bench.folder / "states", short.trace.points[0]
    for step in (4, 6):
        for kind in ("state", "losses"):
            data = (states / f"step-0000000002.{kind}").read_bytes()
            (states / f"step-{step:010}.{kind}").write_bytes(data)
    points = tuple(replace(point, step=step) for step in (2, 4, 6))
    bench.committed(replace(short, trace=replace(short.trace, points=points)))
    found = bench.differs()
    assert found == {0: "weights", 1: "batch", 2: "replay"} and "not after 4" in bench.audited(2).detail


def test_attack_other_data(bench: Bench) -> None:
    """A leaked sealed shard, somebody else's shard, or pictures with a trigger."""
    bench.committed(bench.trained(disc_shard(7)))
    assert bench.differs() == {0: "batch", 1: "batch", 2: "batch"}


def test_attack_another_seed(bench: Bench) -> None:
    """The best of several trainings."""
    bench.committed(bench.trained(seed=OTHER))
    assert bench.differs()[0] == "batch"


def test_attack_a_longer_training_of_which_only_the_end_is_shown(bench: Bench) -> None:
    before = bench.trained()
    bench.committed(bench.trained(weights=before.weights))
    assert bench.differs()[0] == "weights"


def test_attack_a_transcript_of_another_delta(bench: Bench, tmp_path: Path) -> None:
    run(bench.request())
    honest = (bench.folder / "transcript").read_bytes()
    bench.committed(bench.trained(seed=OTHER))
    (bench.folder / "transcript").write_bytes(honest)
    with pytest.raises(Rejected) as refused:
        bench.audited(0)
    assert refused.value.reason == "other-transcript"


def test_attack_a_state_served_that_was_not_committed_to(bench: Bench) -> None:
    run(bench.request())
    path = bench.folder / "states" / "step-0000000002.state"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    found = bench.audited(1)
    assert found.differs == "state" and bench.transcript.segments[0].end.streams.hex() in found.detail


def forged(bench: Bench, changed: Callable[[Arrays], Arrays]) -> None:
    """Commits to an honest training whose first state was changed, with all digests as they then are."""
    path = bench.folder / "states" / "step-0000000002.state"
    arrays, header = decode_tensors((bench.folder / "honest").read_bytes(), max_bytes=1 << 30, what="state")
    arrays = changed(dict(arrays))
    path.write_bytes(encode_tensors(arrays, header))
    parts: dict[str, Arrays] = {part: {} for part in PARTS}
    for key, array in arrays.items():
        part, _, name = key.partition(".")
        parts[part][name] = array
    first, *others = decode_transcript(
        (bench.folder / "committed").read_bytes(), spec=digest_of((bench.folder / "spec").read_bytes())
    ).segments
    end = replace(first.end, **digests_of(parts))
    first = replace(first, end=end, state=blake3_of([path.read_bytes()]))
    document = encode_transcript(replace(bench.transcript, segments=(first, *others)))
    (bench.folder / "transcript").write_bytes(document)
    spec = bench.round.spec
    tensors, _ = decode_tensors((bench.folder / "delta").read_bytes(), max_bytes=1 << 30, what="delta")
    header_now = DeltaHeader(spec.base, spec.recipe, digest_of(document))
    (bench.folder / "delta").write_bytes(delta_bytes(dict(tensors), header_now, bench.codec))


def odd(array: np.ndarray) -> list[np.ndarray]:
    """An array as nobody wrote it who trained."""
    found = [array[None], array.reshape(-1)[:0], array.astype(np.int64), array.astype(np.uint8)]
    if array.dtype.kind == "f":
        values = (np.finfo(array.dtype).max, np.finfo(array.dtype).tiny / 2, np.nan, np.inf, -1.0, -0.0)
    else:
        values = (np.iinfo(array.dtype).max, np.iinfo(array.dtype).min, 1, 0)
    return [*found, *(np.full_like(array, value) for value in values)]


def test_attack_states_that_no_training_writes_are_findings_and_no_defects(bench: Bench) -> None:
    """Whole and consistent files: a digest that does not fit would be seen before anything is taken up."""
    run(bench.request())
    (bench.folder / "honest").write_bytes((bench.folder / "states" / "step-0000000002.state").read_bytes())
    (bench.folder / "committed").write_bytes((bench.folder / "transcript").read_bytes())
    arrays, _ = decode_tensors((bench.folder / "honest").read_bytes(), max_bytes=1 << 30, what="state")
    forged(bench, lambda same: same)
    assert bench.differs() == NOTHING, "the bench forges as a node commits"
    random = np.random.default_rng(5)
    small = [
        name for name in arrays if not name.startswith(("weights.", "optimiser.mean", "optimiser.square"))
    ]
    others = random.choice(sorted(set(arrays) - set(small)), 6, replace=False)
    for name in (*small, *map(str, others)):
        wrong = odd(arrays[name])
        for array in wrong:
            if array.dtype == arrays[name].dtype and np.array_equal(array, arrays[name]):
                continue
            forged(bench, lambda same, array=array, name=name: same | {name: array})  # type: ignore[misc]
            assert bench.together(0, 1)[0].differs is not None, (name, array.dtype, array.shape)
        forged(bench, lambda same, name=name: {key: same[key] for key in same if key != name})  # type: ignore[misc]
        assert bench.together(0, 1)[1].differs is not None, name


@pytest.mark.parametrize(
    "error", [RuntimeError("a view of size 3"), KeyError("steps"), AssertionError(), OverflowError("x")]
)
def test_attack_a_state_that_breaks_the_steps_is_a_finding(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Else one solver's bytes would be a defect of every auditor, and nobody would be scored."""
    run(bench.request())
    monkeypatch.setattr(auditing_module, "replay", raising(error))
    found = bench.together(1, 2)
    assert [item.differs for item in found] == ["replay", "replay"]
    with pytest.raises(type(error)):  # what begins without a state has nothing of the solver's in it
        bench.audited(0)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory"),
        OSError(5, "Input/output error"),
    ],
)
def test_what_this_machine_lacks_is_no_finding(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    run(bench.request())
    for name in ("replay", "last_steps", "compared_deltas"):
        with monkeypatch.context() as patch:
            patch.setattr(auditing_module, name, raising(error))
            with pytest.raises(Transient):
                bench.audited(2)
    assert bench.audited(2).differs is None


def raising(error: Exception) -> Callable[..., object]:
    def raises(*given: object, **named: object) -> object:
        raise error

    return raises


# What is no evidence, and what is malformed.


def test_another_build_is_no_evidence(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run(bench.request())
    here = transcript_module.surroundings()
    monkeypatch.setattr(
        transcript_module, "surroundings", lambda: here | {"cpu": "another set of instructions"}
    )
    with pytest.raises(Rejected, match="another set of instructions") as refused:
        bench.audited(0)
    assert refused.value.reason == "other-build" and "nothing of the solver" in (refused.value.remedy or "")


def test_a_round_without_audits_takes_no_transcript_and_one_with_them_needs_one(bench: Bench) -> None:
    made = run(bench.request())
    plain = replace(bench.round.spec, audit=None)
    header = DeltaHeader(plain.base, plain.recipe)
    data = (bench.folder / "delta").read_bytes()
    parts = bench.round.delta(data)
    bare = delta_bytes({f"{name}/value": array for name, array in parts.items()}, header, "fp32")
    for spec, wrong in ((plain, data), (bench.round.spec, bare)):
        with pytest.raises(Rejected) as refused:
            replace(bench.round, spec=spec).delta(wrong)
        assert refused.value.reason == "malformed"
    assert made.bytes == len(data) and set(schema_of(parts)) == set(BASE)
    (bench.folder / "spec").write_bytes(encode_spec(plain))
    with pytest.raises(Rejected) as refused:
        run(bench.request())
    assert refused.value.reason == "not-audited"


def named(bench: Bench, build: dict[str, str]) -> None:
    """Makes the rules of the bench's round name a build."""
    spec = bench.round.spec
    assert spec.audit is not None
    rules = replace(spec, audit=replace(spec.audit, build=build))
    (bench.folder / "spec").write_bytes(encode_spec(rules))


def test_where_the_rules_name_this_build_honest_work_reproduces(bench: Bench) -> None:
    named(bench, surroundings())
    run(bench.request())
    assert bench.transcript.build == surroundings() and bench.differs() == NOTHING


def test_nobody_trains_in_a_round_of_another_build(bench: Bench) -> None:
    named(bench, {**surroundings(), "cpu": "VSX"})
    with pytest.raises(Rejected, match="cpu VSX there") as refused:
        run(bench.request())
    assert refused.value.reason == "other-build"
    assert not (bench.folder / "delta").exists() and not (bench.folder / "states").exists()


def test_attack_a_training_said_to_be_of_another_build_than_the_rules_name_escapes_no_audit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could compare its digests: it would never be found, whatever it is."""
    named(bench, surroundings())
    with monkeypatch.context() as patch:
        patch.setattr(auditing_module, "surroundings", lambda: {**surroundings(), "cpu": "VSX"})
        bench.committed(bench.trained(SHARD, seed=bytes(32)))
    for number in range(3):
        found = bench.audited(number)
        assert found.differs == "build" and "cpu" in found.detail and "VSX" in found.detail


def test_a_transcript_of_other_rules_or_out_of_order_is_refused(bench: Bench) -> None:
    run(bench.request())
    good = bench.transcript
    data = encode_transcript(good)
    with pytest.raises(Rejected) as refused:
        decode_transcript(data, spec=bytes(32))
    assert refused.value.reason == "wrong-spec"
    with pytest.raises(Rejected) as refused:
        encode_transcript(replace(good, segments=good.segments[::-1]))
    assert refused.value.reason == "wrong-order"
    with pytest.raises(Rejected):
        decode_transcript(data[:-1], spec=good.spec)
    with pytest.raises(Rejected) as refused:
        bench.audited(3)
    assert refused.value.reason == "no-segment"


def test_a_training_that_lost_its_states_is_trained_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checkpoints outlived what was kept for audits: the states before them cannot be had otherwise."""

    class Killed(BaseException):
        pass

    step = loop.take_step

    def dies(state: TrainingState, *rest: Any) -> Any:
        if state.step == 5:
            raise Killed
        return step(state, *rest)

    place = CheckpointPlace(bench.folder / "checkpoints", 1 << 30, pause=0.0)
    request = replace(bench.request(), checkpoints=place)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(loop, "take_step", dies)
        run(request)
    assert list(place.folder.iterdir())
    shutil.rmtree(bench.folder / "states")
    run(request)
    assert bench.differs() == NOTHING


def test_attack_a_transcript_that_is_named_by_another_hash(bench: Bench) -> None:
    """Stores take it under that name: the solver is at fault, and the audit has to say so."""
    run(bench.request())
    parts, _ = decode_tensors((bench.folder / "delta").read_bytes(), max_bytes=1 << 30, what="delta")
    named = blake3_of([(bench.folder / "transcript").read_bytes()])
    header = DeltaHeader(bench.round.spec.base, bench.round.spec.recipe, named)
    (bench.folder / "delta").write_bytes(delta_bytes(parts, header, bench.codec))
    assert bench.differs() == {0: "transcript", 1: "transcript", 2: "transcript"}


def test_attack_a_residual_that_is_named_by_another_hash(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "topk10").prepared()
    run(bench.request())
    shutil.copy(tmp_path / "left", tmp_path / "before")
    run(bench.request(residual="before"))
    bench.tells(taken=blake3_of([(tmp_path / "before").read_bytes()]))
    assert bench.audited(2, residual="before").differs == "taken"


def test_attack_a_remainder_of_ones_choice_is_committed_to(tmp_path: Path) -> None:
    """The next delta would take it on, and its audit would find that as it was committed to here."""
    bench = Bench(tmp_path, "topk10").prepared()
    run(bench.request())
    for other in (Digest(b"\x05" * 32), None):
        bench.tells(left=other)
        assert bench.differs() == {0: None, 1: None, 2: "left"}
