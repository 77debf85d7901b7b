"""The device of a request: every job that runs a network runs it there, and none elsewhere in silence.

"cpu:0" is torch's other name of the CPU: for a job it is another device, which computes what the CPU does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepanet.cid import digest_of
from jepanet.errors import Fatal, Rejected
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.data.shards import Shard, load_shard, save_shard
from jepanet.learning.evaluation import agreement
from jepanet.learning.evaluation.metrics import encode, heldout_metrics
from jepanet.learning.evaluation.scorer import scorer_of
from jepanet.learning.model_file import ModelHeader, load_model, model_bytes
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_loop import Loop
from jepanet.protocol.documents.spec import TRACE, AuditRule, encode_spec
from jepanet.tensors import Arrays
from jepanet.types import Address, RoundId
from jepanet.work import contribution as contribution_module
from jepanet.work import room, scoring
from jepanet.work import training as work_training
from jepanet.work.jobs import JOBS, run
from jepanet.work.requests.audit_plan import NameCarried, NameLeft, NameSource, NameTranscript, PlanAudit
from jepanet.work.requests.auditing import AuditPlace, AuditSegment, AuditSegments, SegmentAgain
from jepanet.work.requests.deriving import DeriveModel
from jepanet.work.requests.evaluating import EvaluateModel
from jepanet.work.requests.files import EvaluationFiles, RoundFiles, TrainingShard
from jepanet.work.requests.local_training import PlanTraining, TrainLocally
from jepanet.work.requests.machine import MeasuredOn
from jepanet.work.requests.measuring import MeasureModels, ProbeDevice
from jepanet.work.requests.merging import AcceptedDelta, MergeDeltas
from jepanet.work.requests.request import Request
from jepanet.work.requests.scoring import ClaimedDelta, ScoreClaims
from jepanet.work.requests.training import MakeFirstModel, RepeatTraining, TrainDelta
from jepanet.work.round_files import open_round
from learning_shards import RECIPE, SEED, disc_shard, initial
from round_samples import a_spec

pytestmark = pytest.mark.unit

SITES = (3, 3, 3, 8, 8, 8)
NOWHERE = "no-such-device"
OTHER = "cpu:0"
SOLVER = Address("0x" + "11" * 20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A round's files, and one delta to merge."""
    folder = tmp_path_factory.mktemp("round")
    model = model_bytes(initial(SEED), ModelHeader.of(RECIPE, 0))
    spec = a_spec(base=digest_of(model), recipe=RECIPE.digest(), codec="int8", inner_steps=1, start_step=0)
    entry = ShardEntry(0, digest_of(b"shard"), 1, 1)
    evaluation = EvaluationEntry(1, None, len(SITES), tuple(sorted(set(SITES))))
    manifest = DatasetManifest("discs", {}, SEED, (entry,), entry, entry, evaluation)
    for name, data in (
        ("base", model), ("recipe", RECIPE.to_bytes()), ("spec", encode_spec(spec)),
        ("manifest", manifest.to_bytes()),
    ):  # fmt: skip
        (folder / name).write_bytes(data)
    save_shard(folder / "shard", disc_shard(1))
    save_shard(folder / "evaluation", disc_shard(2, SITES))
    run(training(folder, "cpu"))
    audited = folder / "audited"
    audited.mkdir()
    (audited / "spec").write_bytes(encode_spec(replace(spec, audit=AuditRule(1, trace=TRACE))))
    place = AuditPlace(audited / "states", audited / "transcript", bytes(32))
    asked = training(folder, "cpu")
    files = replace(asked.round, spec=audited / "spec")
    run(replace(asked, round=files, target=audited / "delta", audit=place))
    return folder


def training(folder: Path, device: str) -> TrainDelta:
    files = RoundFiles(folder / "base", folder / "recipe", folder / "spec")
    shards = (TrainingShard.of(folder / "shard"),)
    return TrainDelta(files, shards, None, None, SEED, folder / "delta", folder / "left", device)


READING = (NameTranscript, NameSource, NameCarried, NameLeft, PlanAudit)
"""Jobs that read documents, and hold no more than those."""


def requests(folder: Path, device: str) -> list[Request[object]]:
    """One of every job."""
    files = training(folder, device).round
    evaluation = EvaluationFiles(folder / "evaluation", folder / "manifest")
    delta = AcceptedDelta(digest_of((folder / "delta").read_bytes()), folder / "delta")
    return [
        training(folder, device),
        RepeatTraining(training(folder, device), folder / "delta"),
        MakeFirstModel(folder / "recipe", folder / "shard", SEED, folder / "first", device),
        TrainLocally(
            folder / "recipe",
            training(folder, device).shards,
            None,
            SEED,
            folder / "local",
            folder / "trace",
            None,
            device,
        ),
        PlanTraining(folder / "recipe", training(folder, device).shards, device),
        ScoreClaims(files, evaluation, (), device),
        MergeDeltas(files, evaluation, (delta,), RoundId(1), folder / "merged", device),
        MeasureModels(folder / "recipe", (folder / "base",), (folder / "evaluation",), device),
        DeriveModel(files, RoundId(1), (delta,), None, None, digest_of(b""), folder / "derived"),
        ProbeDevice(device),
        EvaluateModel(folder / "recipe", folder / "base", (folder / "evaluation",), SEED, 1, 1, 16, device),
        AuditSegment(
            replace(files, spec=folder / "audited" / "spec"),
            training(folder, device).shards,
            None,
            SEED,
            folder / "audited" / "transcript",
            0,
            None,
            None,
            folder / "audited" / "delta",
        ),
        AuditSegments(
            replace(files, spec=folder / "audited" / "spec"),
            training(folder, device).shards,
            None,
            SEED,
            folder / "audited" / "transcript",
            (SegmentAgain(0, None),),
            None,
            folder / "audited" / "delta",
        ),
        NameTranscript(folder / "audited" / "delta", 1 << 24),
        NameSource(folder / "audited" / "delta"),
        NameCarried(folder / "audited" / "delta"),
        NameLeft(folder / "audited" / "transcript", digest_of(b"")),
        PlanAudit(
            replace(files, spec=folder / "audited" / "spec"),
            folder / "audited" / "transcript",
            bytes(32),
            RoundId(1),
            Address("0x" + "aa" * 20),
        ),
    ]


def test_every_job_does_its_work_on_the_cpu(folder: Path) -> None:
    asked = requests(folder, "cpu")
    assert {type(request) for request in asked} == set(JOBS)
    for request in asked:
        run(request)


def test_a_job_without_a_device_runs_no_network_or_compares_digests() -> None:
    """Digests of states are those of a CPU: on another device equal work gives others."""
    without = [kind for kind in JOBS if "device" not in kind.__slots__]
    assert without == [RepeatTraining, AuditSegment, AuditSegments, *READING, DeriveModel]


@pytest.mark.parametrize(
    "kind",
    [kind for kind in JOBS if kind not in (DeriveModel, AuditSegment, AuditSegments, *READING)],
    ids=lambda kind: kind.job,
)
def test_no_job_ignores_its_device(folder: Path, kind: type[Request[object]]) -> None:
    request = next(item for item in requests(folder, NOWHERE) if type(item) is kind)
    with pytest.raises((RuntimeError, Fatal), match=f"{NOWHERE}|device"):
        run(request)


def test_models_side_by_side_have_their_scores_against_the_first(folder: Path) -> None:
    base, recipe = folder / "base", folder / "recipe"
    trained = load_model(base, RECIPE).weights
    worse = {name: np.float32(0.5) * array for name, array in trained.items()}
    (folder / "worse").write_bytes(model_bytes(worse, ModelHeader.of(RECIPE, 0)))
    shard = folder / "evaluation"
    first, second = run(MeasureModels(recipe, (base, folder / "worse"), (shard, shard))).metrics
    scorer = scorer_of(trained, RECIPE, load_shard(shard))
    assert first["score"] == pytest.approx(scorer.score)
    assert second["score"] == pytest.approx(scorer.gain(worse).score) != pytest.approx(first["score"])
    assert first["nmse"] == pytest.approx(heldout_metrics(trained, RECIPE, load_shard(shard)).nmse)


def scoring_on(folder: Path, device: str) -> ScoreClaims:
    """The one delta of the folder, to be scored."""
    evaluation = EvaluationFiles(folder / "evaluation", folder / "manifest")
    claim = ClaimedDelta(SOLVER, 0, digest_of((folder / "delta").read_bytes()), folder / "delta")
    return ScoreClaims(training(folder, device).round, evaluation, (claim,), device)


def merging_on(folder: Path, device: str) -> MergeDeltas:
    (request,) = [item for item in requests(folder, device) if isinstance(item, MergeDeltas)]
    return request


def encoded_on(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices on which candidates are encoded from now on."""
    seen: list[str] = []

    def noted(*given: Any, device: str = "cpu") -> Any:
        seen.append(device)
        return encode(*given, device=device)

    monkeypatch.setattr(scoring, "encode", noted)
    return seen


def off_by(share: float) -> Any:
    """An encoder whose other device rounds: every number is off by up to so much of the largest."""

    def encoder(*given: Any, device: str = "cpu") -> Any:
        found = encode(*given, device=device)
        noise = np.random.default_rng(0)
        if device == "cpu":
            return found
        spread = share * float(np.abs(found.latents).max())
        return replace(found, latents=found.latents + spread * noise.uniform(-1, 1, found.latents.shape))

    return encoder


def test_scores_are_measured_on_the_device_and_say_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = run(scoring_on(folder, "cpu"))
    seen = encoded_on(monkeypatch)
    there = run(scoring_on(folder, OTHER))
    assert set(seen) == {OTHER}
    assert there.where == MeasuredOn(OTHER, 0.0)
    assert replace(there, where=here.where) == here
    assert here.where == MeasuredOn("cpu") and here.judgements[0].stderr > 0


def test_a_merge_is_measured_on_the_device_and_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = run(merging_on(folder, "cpu"))
    seen = encoded_on(monkeypatch)
    there = run(merging_on(folder, OTHER))
    assert set(seen) == {OTHER} and there.where == MeasuredOn(OTHER, 0.0)
    assert replace(there, where=here.where) == here


def test_latent_frames_are_compared_on_the_device(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def latents(weights: Arrays, recipe: Recipe, shard: Shard, *, device: str = "cpu") -> np.ndarray:
        seen.append(device)
        return np.random.default_rng(0).standard_normal((64, recipe.family.sizes.latent))

    monkeypatch.setattr(contribution_module, "frame_latents", latents)
    run(replace(training(folder, OTHER), probe=folder / "shard", target=folder / "aligned"))
    assert seen == [OTHER, OTHER]


@pytest.mark.parametrize("kind", ["scores", "merge"])
def test_a_device_that_computes_otherwise_measures_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    asked = {"scores": scoring_on, "merge": merging_on}[kind]
    here = run(asked(folder, "cpu"))
    monkeypatch.setattr(agreement, "encode", off_by(1e-3))
    seen = encoded_on(monkeypatch)
    there = run(asked(folder, OTHER))
    assert set(seen) == {"cpu"}
    assert (there.where.device, there.where.refused) == ("cpu", OTHER)
    assert agreement.MOST_APART < there.where.apart < 1e-2
    assert replace(there, where=here.where) == here, "not one number comes from the device"


@pytest.mark.parametrize(("tolerance", "agrees"), [(2_000, True), (100_000, True), (200, False), (0, False)])
def test_how_far_a_device_may_lie_from_the_cpu_follows_from_the_rounds_tolerance(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tolerance: int, agrees: bool
) -> None:
    model = (folder / "base").read_bytes()
    spec = a_spec(
        base=digest_of(model), recipe=RECIPE.digest(), codec="int8", inner_steps=1, start_step=0,
        score_tolerance=tolerance,
    )  # fmt: skip
    (tmp_path / "spec").write_bytes(encode_spec(spec))
    monkeypatch.setattr(agreement, "encode", off_by(2e-5))
    request = scoring_on(folder, OTHER)
    found = run(replace(request, round=replace(request.round, spec=tmp_path / "spec")))
    assert found.where.device == (OTHER if agrees else "cpu")


@pytest.mark.parametrize(
    "kind",
    [kind for kind in JOBS if kind not in (DeriveModel, ProbeDevice, *READING)],
    ids=lambda kind: kind.job,
)
def test_a_job_that_has_no_room_is_refused_before_it_takes_any(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Request[object]]
) -> None:
    (request,) = [item for item in requests(folder, "cpu") if type(item) is kind]
    monkeypatch.setattr(room, "memory_of", lambda device: 700 << 20)
    monkeypatch.setattr(type(RECIPE.family), "network", None)
    with pytest.raises(Rejected, match=r"takes about 0\.8 GiB, and cpu has 0\.7 GiB") as caught:
        run(request)
    assert caught.value.reason == "too-little-memory" and caught.value.remedy


@pytest.mark.parametrize("made", [scoring_on, merging_on])
def test_attack_a_shard_that_has_no_room_here_is_not_called_one_that_scores_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, made: Callable[[Path, str], Request[object]]
) -> None:
    """Coordinators of other memory would say otherwise of the same bytes, and no result would be signed."""
    request = made(folder, "cpu")
    monkeypatch.setattr(room, "comparing_memory", lambda recipe, shard: 1 << 60)
    monkeypatch.setattr(type(RECIPE.family), "network", None)
    with pytest.raises(Rejected, match="comparing 6 episodes") as caught:
        run(request)
    assert caught.value.reason == "too-little-memory"


@pytest.mark.parametrize("kind", [TrainDelta, RepeatTraining, MakeFirstModel], ids=lambda kind: kind.job)
def test_a_round_needs_trainings_that_others_can_repeat(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Request[object]]
) -> None:
    loose = replace(RECIPE, loop=Loop(deterministic=False))
    (request,) = [item for item in requests(folder, "cpu") if type(item) is kind]
    monkeypatch.setattr(work_training, "open_round", lambda files: replace(open_round(files), recipe=loose))
    monkeypatch.setattr(work_training, "read_recipe", lambda data: loose)
    with pytest.raises(Rejected, match="nobody could repeat") as caught:
        run(request)
    assert caught.value.reason == "not-repeatable"


def test_a_model_that_computes_elsewhere_is_evaluated_as_on_the_cpu(folder: Path) -> None:
    """Plans are made on the CPU, wherever the network is."""
    on_cpu, elsewhere = (
        run(
            EvaluateModel(folder / "recipe", folder / "base", (folder / "evaluation",), SEED, 1, 1, 16, where)
        )
        for where in ("cpu", OTHER)
    )
    assert on_cpu == elsewhere
