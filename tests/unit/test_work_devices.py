"""The device of a request: every job that runs a network runs it there, and none elsewhere in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from jepanet.cid import digest_of
from jepanet.errors import Fatal
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.data.shards import save_shard
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.protocol.documents.spec import encode_spec
from jepanet.types import RoundId
from jepanet.work.jobs import JOBS, run
from jepanet.work.requests.deriving import DeriveModel
from jepanet.work.requests.files import EvaluationFiles, RoundFiles, TrainingShard
from jepanet.work.requests.local_training import PlanTraining, TrainLocally
from jepanet.work.requests.measuring import MeasureModels, ProbeDevice
from jepanet.work.requests.merging import AcceptedDelta, MergeDeltas
from jepanet.work.requests.request import Request
from jepanet.work.requests.scoring import ScoreClaims
from jepanet.work.requests.training import MakeFirstModel, RepeatTraining, TrainDelta
from learning_shards import RECIPE, SEED, disc_shard, initial
from round_samples import a_spec

pytestmark = pytest.mark.unit

SITES = (3, 3, 3, 8, 8, 8)
NOWHERE = "no-such-device"


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
    return folder


def training(folder: Path, device: str) -> TrainDelta:
    files = RoundFiles(folder / "base", folder / "recipe", folder / "spec")
    shards = (TrainingShard.of(folder / "shard"),)
    return TrainDelta(files, shards, None, None, SEED, folder / "delta", folder / "left", device)


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
    ]


def test_every_job_does_its_work_on_the_cpu(folder: Path) -> None:
    asked = requests(folder, "cpu")
    assert {type(request) for request in asked} == set(JOBS)
    for request in asked:
        run(request)


def test_a_job_without_a_device_runs_no_network() -> None:
    assert [kind for kind in JOBS if "device" not in kind.__slots__] == [RepeatTraining, DeriveModel]


@pytest.mark.parametrize(
    "kind", [kind for kind in JOBS if kind is not DeriveModel], ids=lambda kind: kind.job
)
def test_no_job_ignores_its_device(folder: Path, kind: type[Request[object]]) -> None:
    request = next(item for item in requests(folder, NOWHERE) if type(item) is kind)
    with pytest.raises((RuntimeError, Fatal), match=f"{NOWHERE}|device"):
        run(request)
