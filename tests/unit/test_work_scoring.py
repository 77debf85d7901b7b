"""The job that scores a round: a shard that measures nothing has an outcome, and no number stands for it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from jepanet.cid import digest_of
from jepanet.errors import Rejected, Transient
from jepanet.federation.deltas.delta import DeltaHeader, encode_delta
from jepanet.federation.judging import judge as judging
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.data.measured_part import part_of
from jepanet.learning.data.shards import Shard, load_shard, shard_bytes
from jepanet.learning.evaluation import grounded
from jepanet.learning.evaluation.doubt import SURE
from jepanet.learning.evaluation.grounded import GroundedScorer
from jepanet.learning.evaluation.metrics import encode
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.recipe import Recipe
from jepanet.learning.training.loop import warm_start
from jepanet.protocol.documents.spec import encode_spec
from jepanet.protocol.settling import reasons
from jepanet.roles.steps.scoring import MEASURED
from jepanet.tensors import Arrays, encode_tensors
from jepanet.types import Address, Verdict
from jepanet.work import scoring
from jepanet.work.jobs import run
from jepanet.work.requests.files import EvaluationFiles, RoundFiles
from jepanet.work.requests.scoring import ClaimedDelta, ScoreClaims, ScoredDeltas
from learning_shards import RECIPE, SEED, constant_encoder, disc_shard, initial
from round_samples import a_spec

pytestmark = pytest.mark.unit

SITES = (3, 3, 3, 8, 8, 8)
MANY = (3,) * 30 + (8,) * 30
"""Enough for a base to predict more of them than their mean."""
SOLVERS = (Address("0x" + "11" * 20), Address("0x" + "22" * 20))


@pytest.fixture(scope="module")
def base() -> Arrays:
    return warm_start(RECIPE, disc_shard(1, (0,) * 12), SEED, steps=80)


def score(
    folder: Path,
    base: Arrays,
    evaluation: bytes,
    announced: tuple[int, ...] = (3, 8),
    recipe: Recipe = RECIPE,
    episodes: int = 6,
    measured: int = 0,
    beacon: bytes | None = bytes(32),
) -> ScoredDeltas:
    """What a coordinator measures of one honest delta and one with another base, on an evaluation shard."""
    model = model_bytes(base, ModelHeader.of(recipe, 0))
    spec = a_spec(
        base=digest_of(model), recipe=recipe.digest(), codec="fp32", max_delta_bytes=1 << 20,
        evaluation_episodes=measured,
    )  # fmt: skip
    entry = ShardEntry(0, digest_of(b"shard"), 1, 1)
    manifest = DatasetManifest(
        "discs", {}, SEED, (entry,), entry, entry, EvaluationEntry(1, None, episodes, announced)
    )
    noise = {name: np.float32(0.02) * array for name, array in initial(SEED[::-1]).items()}
    header = DeltaHeader(base=spec.base, recipe=spec.recipe)
    deltas = [
        encode_delta(noise, header, "fp32"),
        encode_delta(noise, replace(header, base=digest_of(b"another")), "fp32"),
    ]
    files = {
        "base": model, "recipe": recipe.to_bytes(), "spec": encode_spec(spec), "evaluation": evaluation,
        "manifest": manifest.to_bytes(), "first": deltas[0], "second": deltas[1],
    }  # fmt: skip
    for name, data in files.items():
        (folder / name).write_bytes(data)
    claims = tuple(
        ClaimedDelta(solver, index, digest_of(data), folder / name)
        for index, (solver, data, name) in enumerate(zip(SOLVERS, deltas, ("first", "second"), strict=True))
    )
    return run(
        ScoreClaims(
            RoundFiles(folder / "base", folder / "recipe", folder / "spec"),
            EvaluationFiles(folder / "evaluation", folder / "manifest", beacon),
            claims,
        )
    )


def test_a_sound_shard_measures(tmp_path: Path, base: Arrays) -> None:
    found = score(tmp_path, base, shard_bytes(disc_shard(2, SITES))).judgements
    assert found[0].reason != "shard-refused" and found[0].stderr > 0
    assert found[1].verdict is Verdict.INVALID


def test_a_delta_is_encoded_once_for_its_gain_and_its_metrics(
    tmp_path: Path, base: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[Arrays] = []

    def counting(weights: Arrays, *rest: Any, **more: Any) -> Any:
        encoded.append(weights)
        return encode(weights, *rest, **more)

    monkeypatch.setattr(scoring, "encode", counting)
    monkeypatch.setattr(grounded, "encode", counting)
    found = score(tmp_path, base, shard_bytes(disc_shard(2, SITES))).judgements
    assert found[0].metrics and found[0].stderr > 0
    assert len(encoded) == 2, "the base, and the one delta without a fault"


@pytest.mark.parametrize(
    "error",
    [np.linalg.LinAlgError("SVD did not converge"), ValueError("x"), RuntimeError("shape"), KeyError("x")],
)
@pytest.mark.parametrize("place", ["encode", "metrics_of"])
def test_attack_a_delta_that_breaks_its_measurement_ends_no_round(
    tmp_path: Path, base: Arrays, monkeypatch: pytest.MonkeyPatch, error: Exception, place: str
) -> None:
    """What nobody foresaw was a defect of every coordinator, and left all deltas without a score."""
    first = after_the_base(monkeypatch, place, error)
    found = score(tmp_path, base, shard_bytes(disc_shard(2, SITES))).judgements
    assert first["calls"] > 1
    assert (found[0].verdict, found[0].reason) == (Verdict.EXCLUDED, "not-measurable")
    assert found[1].verdict is Verdict.INVALID


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_attack_a_delta_whose_metrics_no_report_can_hold(
    tmp_path: Path, base: Arrays, monkeypatch: pytest.MonkeyPatch, number: float
) -> None:
    made = scoring.plain_metrics
    seen: list[int] = []

    def wild(metrics: Any) -> dict[str, float]:
        seen.append(1)
        return {**made(metrics), "rank": number} if len(seen) == 2 else made(metrics)

    monkeypatch.setattr(scoring, "plain_metrics", wild)
    found = score(tmp_path, base, shard_bytes(disc_shard(2, SITES))).judgements
    assert len(seen) == 3 and (found[0].reason, found[0].metrics) == ("not-measurable", ())


@pytest.mark.parametrize("place", ["encode", "metrics_of"])
def test_a_machine_that_can_measure_nothing_blames_no_delta(
    tmp_path: Path, base: Arrays, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Two machines of one build with one defect would take a part of every honest bond."""
    after_the_base(monkeypatch, place, ValueError("x"), always=True)
    with pytest.raises(Rejected) as caught:
        score(tmp_path, base, shard_bytes(disc_shard(2, SITES)))
    assert caught.value.reason == "own-defect"


def test_a_machine_without_memory_blames_no_delta(
    tmp_path: Path, base: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_the_base(monkeypatch, "encode", MemoryError())
    with pytest.raises(Transient, match="memory"):
        score(tmp_path, base, shard_bytes(disc_shard(2, SITES)))


def after_the_base(
    monkeypatch: pytest.MonkeyPatch, name: str, error: Exception, *, always: bool = False
) -> dict[str, int]:
    """The second call of a function raises, which is about a delta; those about the base do not."""
    whole, seen = getattr(scoring, name), {"calls": 0}

    def breaking(*given: Any, **named: Any) -> Any:
        seen["calls"] += 1
        if seen["calls"] == 2 or (always and seen["calls"] > 1):
            raise error
        return whole(*given, **named)

    monkeypatch.setattr(scoring, name, breaking)
    return seen


def _changed(**fields: Callable[[Shard], Any]) -> bytes:
    shard = disc_shard(2, SITES)
    changed = shard.with_arrays(**{name: change(shard) for name, change in fields.items()})
    arrays = {**changed.arrays, "site": np.asarray(changed.site, np.int32)}
    return encode_tensors(arrays, {"schema": "jepanet.shard.1"})


REFUSED: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "thin": (shard_bytes(disc_shard(2, (3, 3, 3, 3, 3, 8))), (3, 8)),
    "other sites": (shard_bytes(disc_shard(2, SITES)), (3, 9)),
    "fewer episodes": (shard_bytes(disc_shard(2, SITES[1:])), (3, 8)),
    "wild actions": (_changed(actions=lambda shard: shard.actions * np.float32(1.5)), (3, 8)),
    "no actions": (_changed(actions=lambda shard: shard.actions * np.float32("nan")), (3, 8)),
    "still": (_changed(frames=lambda shard: np.repeat(shard.frames[:, :1], shard.length, axis=1)), (3, 8)),
    "repeated": (_changed(frames=lambda shard: shard.frames[[0, 0, 1, 2, 3, 4]]), (3, 8)),
    "cut": (shard_bytes(disc_shard(2, SITES))[:-9], (3, 8)),
    "no shard": (b"anything", (3, 8)),
    "empty": (b"", (3, 8)),
}


@pytest.mark.parametrize("kind", list(REFUSED))
def test_a_shard_that_measures_nothing_excludes_every_delta_and_costs_no_bond(
    kind: str, tmp_path: Path, base: Arrays
) -> None:
    data, announced = REFUSED[kind]
    found = score(tmp_path, base, data, announced)
    first, second = found.judgements
    assert (first.verdict, first.reason) == (Verdict.EXCLUDED, "shard-refused")
    assert (first.gain, first.stderr, first.metrics) == (0, 0, ())
    assert first.detail, "the record says why"
    assert second.verdict is Verdict.INVALID, "what the bytes prove needs no shard"
    assert found.base_metrics == ()


@pytest.mark.parametrize("above", [True, False])
def test_a_base_hardly_strong_or_weak_enough_is_found_both_ways(above: bool, tmp_path: Path) -> None:
    base, shard = warm_start(RECIPE, disc_shard(1, (0,) * 12), SEED, steps=240), disc_shard(2, MANY)
    knows = GroundedScorer(base, RECIPE, shard).score
    least = knows + (-1 if above else 1) * SURE / 2
    asked = replace(RECIPE, score=replace(RECIPE.score, least=least))
    found = score(tmp_path, base, shard_bytes(shard), recipe=asked, episodes=len(MANY))
    sides = (found.judgements, found.otherwise) if above else (found.otherwise, found.judgements)
    measured, refused = (side[0] for side in sides)
    assert measured.reason != "shard-refused" and measured.stderr > 0
    assert (refused.reason, refused.detail[:9], refused.gain) == ("shard-refused", "weak-base", 0)
    assert [side[1].verdict for side in sides] == [Verdict.INVALID] * 2
    assert found == MEASURED.decode(MEASURED.encode(found))


def test_a_base_of_which_nobody_doubts_anything_is_found_one_way(tmp_path: Path, base: Arrays) -> None:
    assert score(tmp_path, base, shard_bytes(disc_shard(2, SITES))).otherwise == ()


def test_a_round_is_measured_over_the_episodes_that_its_beacon_chooses(tmp_path: Path, base: Arrays) -> None:
    shard, others = disc_shard(2, MANY), disc_shard(7, MANY)

    def measured(part: int, beacon: bytes, of: Shard = shard) -> tuple[int, int]:
        found = score(tmp_path, base, shard_bytes(of), episodes=60, measured=part, beacon=beacon).judgements[
            0
        ]
        assert found.reason != "shard-refused"
        return found.gain, found.stderr

    first, second = bytes(32), bytes([1]) * 32
    assert measured(16, first) == measured(16, first) != measured(16, second)
    assert measured(0, first) == measured(0, second) == measured(60, first)
    assert measured(60, first)[1] < measured(16, first)[1], "the error of more episodes is smaller"
    # What the beacon leaves out decides nothing: it is not even looked at.
    taken = part_of(shard.with_arrays(state=_numbered(shard)), 16, first).state[:, 0, 0]
    kept = np.isin(np.arange(60), taken)[:, None, None, None, None]
    mixed = shard.with_arrays(frames=np.where(kept, shard.frames, others.frames))
    assert measured(16, first, mixed) == measured(16, first)


def _numbered(shard: Shard) -> np.ndarray:
    return shard.state * 0 + np.arange(shard.episodes, dtype=np.float32)[:, None, None]


_WHOLE = disc_shard(2, MANY)
ATTACKS: dict[str, tuple[Shard, int, bytes | None]] = {
    # Whichever the beacon takes: both could be in the next part.
    "an episode is there twice": (
        _WHOLE.with_arrays(frames=_WHOLE.frames[[1, *range(1, 60)]]),
        16,
        bytes(32),
    ),
    "fewer are served than were announced": (disc_shard(2, MANY[1:]), 16, bytes(32)),
    "more are asked for than were sealed": (_WHOLE, 61, bytes(32)),
    "fewer are asked for than can be scored": (_WHOLE, 3, bytes(32)),
    "no beacon was drawn": (_WHOLE, 16, None),
}


@pytest.mark.parametrize("attack", list(ATTACKS))
def test_attack_a_round_over_a_part_costs_nobody_a_bond(attack: str, tmp_path: Path, base: Arrays) -> None:
    shard, part, beacon = ATTACKS[attack]
    found = score(tmp_path, base, shard_bytes(shard), episodes=60, measured=part, beacon=beacon)
    first, second = found.judgements
    assert (first.verdict, first.reason, first.gain) == (Verdict.EXCLUDED, "shard-refused", 0)
    assert second.verdict is Verdict.INVALID


def test_a_dead_base_scores_nobody(tmp_path: Path, base: Arrays) -> None:
    (first, _) = score(tmp_path, constant_encoder(base), shard_bytes(disc_shard(2, SITES))).judgements
    assert (first.reason, first.detail[:9]) == ("shard-refused", "dead-base")


def test_a_shard_is_read_back_with_actions_at_the_border(tmp_path: Path) -> None:
    assert np.abs(load_shard(_changed(actions=lambda shard: np.sign(shard.actions))).actions).max() == 1.0


def test_every_reason_that_judging_gives_has_a_row_in_the_table_of_reasons() -> None:
    """`federation` and `protocol` do not import each other: the names are held together here."""
    given = set(re.findall(r'Verdict\.EXCLUDED, "([a-z-]+)"|EXCLUDED, reason="([a-z-]+)"', _source(judging)))
    named = {one or other for one, other in given}
    named |= {judging.DUPLICATE, judging.UNAVAILABLE, judging.NOT_MEASURABLE, judging.SHARD_REFUSED}
    # `too-large`: what the provider offered, in place of `unavailable`; `disputed`: of the tally alone;
    # `dropped`: of the merge; `not-audited` and `machine-failed`: of a machine that failed.
    failed = {reasons.NOT_AUDITED, reasons.MACHINE_FAILED}
    assert named | failed | {"too-large", reasons.DISPUTED, reasons.DROPPED} == set(reasons.REASONS)
    assert _source(judging).count("Verdict.EXCLUDED, ") == 9, (
        "a new place that excludes: name its reason here"
    )


def _source(module: ModuleType) -> str:
    return inspect.getsource(module)
