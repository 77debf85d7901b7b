"""Audits on another build: honest work ends nearly where it ends here, and no way of cheating does.

Each cheat is an attack on the bound: a bound wide enough to let it pass fails its test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_work_auditing import KEY, NOTHING, SHARD, STEPS, Bench

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.delta import DeltaHeader, delta_bytes
from jepanet.learning.auditing.auditable import MOST_STEPS, check_tolerable
from jepanet.learning.auditing.state_file import digests_of, name_of_state, read_state, state_pieces
from jepanet.learning.presets import preset
from jepanet.learning.recipe_reader import changed
from jepanet.learning.training.resuming.state import Parts
from jepanet.protocol.documents.spec import TOLERANT, TRACE, AuditRule, decode_spec, encode_spec
from jepanet.tensors import decode_tensors
from jepanet.work import transcript as transcript_module
from jepanet.work.audit_rules import check_audits
from jepanet.work.jobs import run
from jepanet.work.transcript import Segment, encode_transcript, losses_digest
from learning_shards import OTHER, RECIPE, disc_shard, scaled
from round_samples import a_spec

pytestmark = pytest.mark.unit

MIDDLE = 1
"""The segment that is cheated in, unless said: after step 2, up to step 4."""
FIRST, LAST = 2, 4


@contextmanager
def otherwise_rounded() -> Iterator[None]:
    """Convolutions by other kernels, as on another build."""
    torch._C._set_mkldnn_enabled(False)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(True)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, mode=TOLERANT).prepared()


@pytest.fixture
def another_build(monkeypatch: pytest.MonkeyPatch) -> None:
    here = transcript_module.surroundings()
    monkeypatch.setattr(transcript_module, "surroundings", lambda: here | {"cpu": "another"})


def held(bench: Bench, step: int) -> Parts:
    """A state of the bench, to be changed."""
    data = (bench.folder / "states" / f"step-{step:010}.state").read_bytes()
    parts = read_state(data, step, max_bytes=1 << 30)
    return {part: {name: array.copy() for name, array in parts[part].items()} for part in parts}


def commits(bench: Bench, parts: Parts, number: int = MIDDLE) -> None:
    """The solver commits to these parts as the end of a segment, whatever led to them."""
    known = bench.transcript
    segments = list(known.segments)
    step = segments[number].end.step
    pieces = state_pieces(step, parts)
    (bench.folder / "states" / f"step-{step:010}.state").write_bytes(b"".join(pieces))
    end = replace(segments[number].end, **digests_of(parts))
    segments[number] = Segment(end, name_of_state(pieces), losses_digest(KEY, step, [0.0]))
    document = encode_transcript(replace(known, segments=tuple(segments)))
    (bench.folder / "transcript").write_bytes(document)
    tensors, _ = decode_tensors((bench.folder / "delta").read_bytes(), max_bytes=1 << 30, what="delta")
    header = DeltaHeader(bench.round.spec.base, bench.round.spec.recipe, digest_of(document))
    (bench.folder / "delta").write_bytes(delta_bytes(tensors, header, bench.codec))


def test_honest_work_of_another_build_is_reproduced(bench: Bench, another_build: None) -> None:
    with otherwise_rounded():
        run(bench.request())
    committed = [segment.end.weights for segment in bench.transcript.segments]
    found = [bench.audited(number) for number in range(3)]
    assert [item.differs for item in found] == [None, None, None]
    shares = [item.share for item in found]
    assert all(share is not None and 0 < share < 0.5 for share in shares), shares
    run(bench.request())
    assert [segment.end.weights for segment in bench.transcript.segments] != committed, "it is not exact"
    assert bench.differs() == NOTHING and bench.audited(0).share == 0


@pytest.mark.parametrize("codec", ["int8"])
def test_codecs_do_not_hide_what_rounding_did(codec: str, tmp_path: Path) -> None:
    bench = Bench(tmp_path, codec, TOLERANT).prepared()
    with otherwise_rounded():
        run(bench.request())
    assert bench.differs() == NOTHING


# Ways of cheating, each within one segment of an otherwise honest training.


def weights_changed(bench: Bench, change: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Parts:
    before, ends = held(bench, FIRST)["weights"], held(bench, LAST)
    ends["weights"] = {
        name: change(before[name], array).astype(np.float32) for name, array in ends["weights"].items()
    }
    return ends


@pytest.mark.parametrize("by", [1.5, 1.05, 1.01])
def test_attack_scaled(bench: Bench, by: float) -> None:
    run(bench.request())
    commits(bench, weights_changed(bench, lambda start, end: start + by * (end - start)))
    found = bench.audited(MIDDLE)
    assert found.differs == "weights" and found.share is not None and found.share > 1


def test_attack_noise_of_one_per_cent(bench: Bench) -> None:
    run(bench.request())
    random, ends = np.random.default_rng(1), held(bench, LAST)
    before, moments = held(bench, FIRST)["weights"], ends["optimiser"]
    for name, end in ends["weights"].items():
        usual = np.sqrt(np.mean((end - before[name]) ** 2)) * (moments[f"square.{name}"] > 0)
        end += (0.01 * usual * random.normal(size=end.shape)).astype(np.float32)
    commits(bench, ends)
    assert bench.audited(MIDDLE).differs == "weights"


def test_attack_a_part_that_is_not_trained(bench: Bench) -> None:
    run(bench.request())
    before, ends = held(bench, FIRST), held(bench, LAST)
    for name in ends["weights"]:
        if name.startswith("encoder."):
            ends["weights"][name] = before["weights"][name]
    commits(bench, ends)
    assert bench.audited(MIDDLE).differs == "weights"


def other_end(bench: Bench, **changes: object) -> Parts:
    """Where a training led that differs, with places in the data as they have to be."""
    run(bench.request())
    honest = held(bench, LAST)
    kept = {path: path.read_bytes() for path in (bench.folder / "states").iterdir()}
    bench.trained(**changes)  # type: ignore[arg-type]
    found = held(bench, LAST)
    for path, data in kept.items():
        path.write_bytes(data)
    return found | {"data": honest["data"], "streams": honest["streams"]}


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": OTHER},
        {"shard": disc_shard(7)},
        {"total_steps": STEPS, "start_step": 0},
    ],
    ids=["another batch", "other data", "another learning rate"],
)
def test_attack_another_training_told_as_this_one(bench: Bench, changes: dict[str, object]) -> None:
    commits(bench, other_end(bench, **changes))
    assert bench.audited(MIDDLE).differs in ("weights", "optimiser")


def test_attack_a_trigger_in_a_few_pictures(bench: Bench) -> None:
    stamped = {name: array.copy() for name, array in SHARD.arrays.items()}
    stamped["frames"][0, :, :, :3, :3] = 255
    commits(bench, other_end(bench, shard=replace(SHARD, arrays=stamped)))
    assert bench.audited(MIDDLE).differs in ("weights", "optimiser")


def test_attack_a_step_left_out(bench: Bench) -> None:
    run(bench.request())
    bench_ends = held(bench, LAST)
    before = held(bench, FIRST)
    before["optimiser"]["steps"] = bench_ends["optimiser"]["steps"]
    commits(bench, before | {"data": bench_ends["data"], "streams": bench_ends["streams"]})
    assert bench.audited(MIDDLE).differs in ("weights", "optimiser")


def test_attack_moments_that_move_weights_in_the_next_part(bench: Bench) -> None:
    """A large mean over a small square: within the bounds of both, and the next steps go where it says."""
    run(bench.request())
    ends = held(bench, LAST)
    moments = ends["optimiser"]
    squares = np.concatenate([a.ravel() for n, a in moments.items() if n.startswith("square.")])
    means = np.concatenate([a.ravel() for n, a in moments.items() if n.startswith("mean.")])
    limit = np.sort(squares)[len(squares) // 100]
    push = np.float32(1e-5 * np.linalg.norm(means) / np.sqrt((squares <= limit).sum()))
    for name in [name for name in moments if name.startswith("square.")]:
        moments[name.replace("square.", "mean.")][moments[name] <= limit] += push
    commits(bench, ends)
    assert bench.audited(MIDDLE).differs == "optimiser"


@pytest.mark.parametrize("part", ["steps", "square", "nan", "shape"])
def test_attack_a_state_that_is_none(bench: Bench, part: str) -> None:
    run(bench.request())
    ends = held(bench, LAST)
    moments = ends["optimiser"]
    name = next(name for name in moments if name.startswith("square."))
    if part == "steps":
        moments["steps"] = moments["steps"] + 1
    elif part == "square":
        moments[name] = -moments[name] - np.float32(1e-6)
    elif part == "nan":
        moments[name] = np.full_like(moments[name], np.nan)
    else:
        moments[name] = np.zeros(3, np.float32)
    commits(bench, ends)
    assert bench.audited(MIDDLE).differs == ("optimiser" if part in ("steps", "square") else "replay")


@pytest.mark.parametrize("part", ["data", "streams"])
def test_attack_data_or_random_numbers_of_another_place(bench: Bench, part: str) -> None:
    """They are whole numbers, equal on all builds: compared byte for byte."""
    run(bench.request())
    ends = held(bench, LAST)
    ends[part] = held(bench, FIRST)[part]
    commits(bench, ends)
    assert bench.audited(MIDDLE).differs == part


def test_attack_an_end_served_that_was_not_committed_to(bench: Bench) -> None:
    run(bench.request())
    path = bench.folder / "states" / f"step-{LAST:010}.state"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert bench.audited(MIDDLE).differs == "state"


@pytest.mark.parametrize("by", [1.5, 1.01])
def test_attack_a_scaled_delta(bench: Bench, by: float) -> None:
    bench.committed(bench.trained(), lambda last: scaled(last.made.parts, by))
    found = bench.differs()
    assert found == {0: None, 1: None, 2: "delta"}


def test_attack_segments_as_long_as_nobody_measured() -> None:
    # Of four the first and the last have one step each.
    for segments, most in ((1, MOST_STEPS), (4, 2 * MOST_STEPS + 2)):
        steps = most + 1
        spec = replace(
            a_spec(inner_steps=steps, start_step=0, total_steps=steps),
            audit=AuditRule(segments, mode=TOLERANT, trace=TRACE),
            codec="int8",
        )
        with pytest.raises(Rejected, match="more segments") as refused:
            check_audits(spec, RECIPE)
        assert refused.value.reason == "not-calibrated"
        check_audits(replace(spec, audit=AuditRule(segments, trace=TRACE)), RECIPE)
        check_audits(replace(spec, inner_steps=most), RECIPE)


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("tworoom-small", "loop.precision", "bf16"),
        ("backbone-tiny", None, None),
        ("vision-language-tiny", None, None),
        ("world-large", None, None),
    ],
)
def test_recipes_without_a_measured_bound_are_refused(name: str, path: str | None, value: object) -> None:
    recipe = preset(name) if path is None else changed(preset(name), path, value)
    with pytest.raises(Rejected) as refused:
        check_tolerable(recipe, 1)
    assert refused.value.reason == "not-calibrated" and "exact" in (refused.value.remedy or "")


def test_a_codec_that_leaves_something_to_the_next_delta_is_refused() -> None:
    spec = replace(
        a_spec(inner_steps=6, start_step=0, total_steps=60),
        audit=AuditRule(3, mode=TOLERANT, trace=TRACE),
        codec="topk10",
    )
    with pytest.raises(Rejected, match="feedback_milli") as refused:
        check_audits(spec, RECIPE)
    assert refused.value.reason == "not-calibrated"
    check_audits(replace(spec, feedback_milli=0), RECIPE)


def test_the_mode_is_left_out_where_it_is_exact_and_refused_where_it_is_unknown() -> None:
    exact = encode_spec(replace(a_spec(), audit=AuditRule(3)))
    tolerant = encode_spec(replace(a_spec(), audit=AuditRule(3, mode=TOLERANT)))
    assert b"mode" not in exact and decode_spec(tolerant).audit == AuditRule(3, mode=TOLERANT)
    with pytest.raises(Rejected):
        decode_spec(tolerant.replace(b'"tolerant"', b'"lenient"'))
    with pytest.raises(Rejected, match="tolerant of builds"):
        encode_spec(replace(a_spec(), audit=AuditRule(3, build={"torch": "2"}, mode=TOLERANT)))
