"""From a folder of one's own pictures to a project, and a round of it through real workers and the judge."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from jepanet.cid import digest_of
from jepanet.interface.cli import cli
from jepanet.learning.data.on_disk import open_built
from jepanet.node.documents import LearningDocuments
from jepanet.operations.projects.draft import ProjectDraft, draft_project
from jepanet.protocol.documents.project_folder import MANIFEST_FILE, RECIPE_FILE
from jepanet.protocol.documents.spec import encode_spec
from jepanet.types import Address, RoundId, Verdict
from jepanet.work.requests.files import EvaluationFiles, RoundFiles, TrainingShard
from jepanet.work.requests.merging import AcceptedDelta, MergeDeltas
from jepanet.work.requests.scoring import ClaimedDelta, ScoreClaims
from jepanet.work.requests.training import MakeFirstModel, TrainDelta
from jepanet.work.worker import Worker
from own_pictures import write_folder
from round_samples import a_spec

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

STEPS = 40
RECIPE = f"""
schema = "jepanet.recipe.1"
family = "image"
name = "shapes"
images = 32
inner_steps = {STEPS}
total_steps = 640
warm_steps = 150
align_above = 180.0
[model]
image = 32
[optimiser]
learning_rate = 1e-3
cooldown = 0.6
[score]
centre = "slot-and-episode"
ridge = 1e-2
minimum_episodes = 100
[gates]
longest = 1.0
"""
SOLVERS = (Address("0x" + "11" * 20), Address("0x" + "22" * 20))
VERIFIERS = tuple("0x" + digit * 40 for digit in "345")


def call(*arguments: object) -> str:
    result = CliRunner().invoke(cli, [str(item) for item in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def draft(tmp_path_factory: pytest.TempPathFactory) -> ProjectDraft:
    """The commands of the manual, up to what `project create` would send."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.toml").write_text(RECIPE)
    write_folder(folder / "photos", 1400)
    shard, data, recipe = folder / "photos.safetensors", folder / "dataset", folder / "mine.toml"
    call("dataset", "pictures", folder / "photos", "--out", shard, "--image", 32)
    options = ("--recipe", recipe, "--licence", "CC0-1.0", "--sites", 2, "--rounds", 2, "--each", 200)
    call("dataset", "split", shard, *options, "--out", data)
    shown = call("dataset", "inspect", shard)
    assert "one shard of images" in shown and "1400 images" in shown
    listed = json.loads(call("dataset", "inspect", data, "--json"))
    assert [item["kind"] for item in listed["shards"]] == ["training", "training", "public"]
    return draft_project(
        data, recipe=str(recipe), name=None, verifier_set=None, verifiers=VERIFIERS, threshold=2
    )


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    working = Worker()
    yield working
    await working.stop()


async def test_a_round_of_ones_own_pictures_is_trained_scored_and_merged(
    draft: ProjectDraft, worker: Worker, tmp_path: Path
) -> None:
    built = open_built(draft.folder)
    files = RoundFiles(tmp_path / "base", tmp_path / "recipe", tmp_path / "spec")
    evaluation = EvaluationFiles(built.evaluation_path(0), tmp_path / "manifest")
    files.recipe.write_bytes(draft.documents[RECIPE_FILE])
    evaluation.manifest.write_bytes(draft.documents[MANIFEST_FILE])
    told = LearningDocuments().recipe(draft.documents[RECIPE_FILE])
    first = await worker.run(MakeFirstModel(files.recipe, built.public_path, bytes(32), files.base))
    spec = a_spec(
        base=first.digest, recipe=digest_of(draft.documents[RECIPE_FILE]), inner_steps=STEPS, start_step=0,
        total_steps=640, gates=told.gates, norms=told.norms,
    )  # fmt: skip
    files.spec.write_bytes(encode_spec(spec))
    deltas = [tmp_path / "first", tmp_path / "second"]
    for place, path in enumerate(deltas):
        await worker.run(
            TrainDelta(
                round=files,
                shards=(TrainingShard.of(built.training_path(place)),),
                probe=None,
                residual=None,
                seed=bytes([place]) * 32,
                target=path,
                residual_target=path.with_suffix(".left"),
            )
        )
    digests = [digest_of(path.read_bytes()) for path in deltas]
    claims = tuple(
        ClaimedDelta(solver, place, digests[place], deltas[place]) for place, solver in enumerate(SOLVERS)
    )
    scored = await worker.run(ScoreClaims(files, evaluation, claims))
    for found in scored.judgements:
        assert found.verdict is Verdict.ACCEPTED and found.gain > 2 * found.stderr > 0, found
    accepted = tuple(map(AcceptedDelta, digests, deltas))
    merged = await worker.run(MergeDeltas(files, evaluation, accepted, RoundId(1), tmp_path / "merged"))
    assert merged.published and merged.improvement > 2 * merged.stderr, merged.note
