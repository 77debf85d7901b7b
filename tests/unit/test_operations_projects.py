"""What a project refuses before anything is trained or paid."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from jepanet.cid import digest_of
from jepanet.errors import Fatal
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.data.on_disk import BuiltDataset
from jepanet.learning.presets import preset
from jepanet.learning.simulators.pusht import PUSHT
from jepanet.learning.simulators.tworoom import TWOROOM
from jepanet.operations.projects import first_model as module
from jepanet.operations.projects.draft import _check_suits
from jepanet.operations.projects.terms import _of_spec
from jepanet.protocol.documents.spec import Gates
from jepanet.work.requests.training import FirstModel, MakeFirstModel
from round_samples import a_spec

pytestmark = pytest.mark.unit


def dataset(environment: str, image: int) -> BuiltDataset:
    entry = ShardEntry(0, digest_of(b"shard"), 1, 1)
    evaluation = EvaluationEntry(1, None, 1, (1000,))
    manifest = DatasetManifest(environment, {"image": image}, bytes(32), (entry,), entry, entry, evaluation)
    return BuiltDataset(Path("data"), manifest, ())


@pytest.mark.parametrize(
    ("environment", "image", "recipe", "remedy"),
    [
        (TWOROOM.environment, 32, "tworoom", "build the dataset with --recipe tworoom"),
        (TWOROOM.environment, 64, "tworoom-small", "use --recipe tworoom"),
        (TWOROOM.environment, 64, "pusht", "use --recipe tworoom or"),
        (PUSHT.environment, 64, "tworoom", "use --recipe pusht"),
        ("some other simulator", 48, "tworoom-small", "--size image=32"),
    ],
)
def test_a_recipe_for_other_frames_or_another_simulator_is_refused(
    environment: str, image: int, recipe: str, remedy: str
) -> None:
    with pytest.raises(Fatal) as caught:
        _check_suits(dataset(environment, image), preset(recipe))
    assert remedy in str(caught.value.remedy)


def test_fitting_recipes_pass() -> None:
    other = ("some other simulator", 64, "tworoom")
    for environment, image, recipe in (
        (TWOROOM.environment, 32, "tworoom-tiny"),
        (PUSHT.environment, 64, "pusht"),
        other,
    ):
        _check_suits(dataset(environment, image), preset(recipe))


def test_rules_say_what_a_delta_may_cost_for_its_length() -> None:
    assert not any("latent" in said for said in _of_spec(a_spec()))
    gates = Gates(variance_per_length_milli=700, rank_per_length_milli=150)
    assert (
        "for the root of its length over the base's a delta may cost 0.7 nats of latent variance, "
        "0.15 nats of latent rank, or is excluded"
    ) in _of_spec(a_spec(gates=gates))


def test_a_first_model_is_kept_until_what_made_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bytes] = []

    class Trainer:
        """Stands in for the worker process: the model is whatever number of calls there were."""

        async def run(self, request: MakeFirstModel, **__: Any) -> FirstModel:
            made.append(b"model %d" % len(made))
            await asyncio.to_thread(request.target.write_bytes, made[-1])
            return FirstModel(digest_of(made[-1]), len(made[-1]))

    trainer: Any = Trainer()
    folder = tmp_path / "files"
    folder.mkdir()
    built, recipe = dataset(TWOROOM.environment, 32), preset("tworoom-tiny")

    def first() -> bytes:
        return asyncio.run(module.first_model(trainer, built, recipe, folder, None))

    assert first() == first() == digest_of(made[0])
    assert len(made) == 1
    monkeypatch.setattr(module, "TRAINING_VERSION", module.TRAINING_VERSION + 1)
    assert first() == digest_of(made[1]) and len(made) == 2
    recipe = preset("tworoom-small")
    assert first() == digest_of(made[2]) and len(made) == 3
    (folder / "model.safetensors").write_bytes(b"damaged")
    assert first() == digest_of(made[3]) and len(made) == 4
