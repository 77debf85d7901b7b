"""The merging job drops what makes a real merge worse, and holds what another dropped against its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.delta import DeltaHeader, delta_of, encode_delta
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.data.shards import shard_bytes
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.training.loop import warm_start
from jepanet.protocol.documents.spec import MergeRule, UpdateRule, encode_spec
from jepanet.tensors import Arrays
from jepanet.types import Digest, RoundId
from jepanet.work.jobs import run
from jepanet.work.requests.files import EvaluationFiles, RoundFiles
from jepanet.work.requests.merging import AcceptedDelta, MergeDeltas, MergedModel
from learning_shards import RECIPE, SEED, disc_shard
from round_samples import a_spec

pytestmark = pytest.mark.unit

MANY = (3,) * 16 + (8,) * 16


@pytest.fixture(scope="module")
def played() -> tuple[Arrays, list[Arrays]]:
    """A base and four deltas: two of honest work, two long steps into nowhere."""
    base, better = (warm_start(RECIPE, disc_shard(1, (0,) * 12), SEED, steps=steps) for steps in (40, 300))
    deltas = [plus(delta_of(better, base), noise(base, seed, 0.1)) for seed in (4, 5)]
    deltas += [noise(base, seed, 2.0) for seed in (6, 7)]
    return base, deltas


def noise(base: Arrays, seed: int, times: float) -> Arrays:
    """Every weight moves by `times` the spread of its array."""
    draw = np.random.default_rng(seed)
    return {
        name: np.asarray(times * array.std() * draw.standard_normal(array.shape), np.float32)
        for name, array in base.items()
    }


def plus(one: Arrays, other: Arrays) -> Arrays:
    return {name: np.asarray(one[name] + other[name]) for name in one}


class Desk:
    def __init__(self, folder: Path, played: tuple[Arrays, list[Arrays]], sigmas: int, **more: Any) -> None:
        base, deltas = played
        model = model_bytes(base, ModelHeader.of(RECIPE, 0))
        spec = a_spec(
            base=digest_of(model), recipe=RECIPE.digest(), codec="fp32", max_delta_bytes=1 << 22,
            merge=MergeRule("mean", 1000, 0, sigmas), **more,
        )  # fmt: skip
        entry = ShardEntry(0, digest_of(b"shard"), 1, 1)
        manifest = DatasetManifest(
            "discs", {}, SEED, (entry,), entry, entry, EvaluationEntry(1, None, len(MANY), (3, 8))
        )
        files = {
            "base": model, "recipe": RECIPE.to_bytes(), "spec": encode_spec(spec),
            "evaluation": shard_bytes(disc_shard(2, MANY)), "manifest": manifest.to_bytes(),
        }  # fmt: skip
        header = DeltaHeader(base=spec.base, recipe=spec.recipe)
        for place, delta in enumerate(deltas):
            files[f"delta-{place}"] = encode_delta(delta, header, "fp32")
        for name, data in files.items():
            (folder / name).write_bytes(data)
        self.names = [digest_of(files[f"delta-{place}"]) for place in range(len(deltas))]
        self._request = MergeDeltas(
            RoundFiles(folder / "base", folder / "recipe", folder / "spec"),
            EvaluationFiles(folder / "evaluation", folder / "manifest"),
            tuple(
                AcceptedDelta(name, folder / f"delta-{place}") for place, name in enumerate(self.names)
            ),
            RoundId(1),
            folder / "made",
            update_target=folder / "made-update" if more else None,
        )  # fmt: skip

    def merge(self, *places: int, told: tuple[Digest, ...] | None = None) -> MergedModel:
        deltas = tuple(self._request.deltas[place] for place in places or range(len(self.names)))
        return run(replace(self._request, deltas=deltas, dropped=told))


def test_attack_two_long_steps_withhold_the_work_of_two(
    tmp_path: Path, played: tuple[Arrays, list[Arrays]]
) -> None:
    """Without the rule the merge is withheld, with it the model is that of the honest two, to the byte."""
    attacked = Desk(tmp_path, played, 0).merge()
    assert not attacked.published and attacked.dropped == ()
    desk = Desk(tmp_path, played, 1000)
    mended, honest = desk.merge(), desk.merge(0, 1)
    assert mended.published and honest.published
    assert set(mended.dropped) == set(desk.names[2:])
    assert (mended.digest, mended.improvement) == (honest.digest, honest.improvement)
    assert desk.merge(told=mended.dropped) == mended
    assert desk.merge(told=mended.dropped[::-1]).dropped == mended.dropped[::-1], "whose merge it is"
    with pytest.raises(Rejected) as caught:
        desk.merge(told=tuple(desk.names[:1]))
    assert caught.value.reason == "drops-disagree"


def test_an_update_is_that_of_what_is_left(tmp_path: Path, played: tuple[Arrays, list[Arrays]]) -> None:
    desk = Desk(tmp_path, played, 1000, update=UpdateRule("int8", 0))
    mended, honest = desk.merge(), desk.merge(0, 1)
    assert mended.published and (mended.digest, mended.update) == (honest.digest, honest.update)
