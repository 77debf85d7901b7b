"""The job a solver trains with: the frame it turns back, and what a lossy codec carries to the next round."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.delta import decode_delta, delta_of, schema_of
from jepanet.federation.deltas.feedback import Residual, decode_residual
from jepanet.federation.gauge import drift
from jepanet.learning.data.shards import recorded, save_shard
from jepanet.learning.evaluation.grounded import GroundedScorer
from jepanet.learning.evaluation.metrics import frame_latents
from jepanet.learning.family import Family, check_weights
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.recipe import Recipe
from jepanet.learning.training.loop import train, warm_start
from jepanet.protocol.documents.spec import RoundSpec, encode_spec
from jepanet.tensors import Arrays
from jepanet.work.jobs import run
from jepanet.work.requests.files import RoundFiles, TrainingShard
from jepanet.work.requests.training import TrainDelta, TrainedDelta
from learning_shards import RECIPE, SEED, disc_shard
from round_samples import a_spec

pytestmark = pytest.mark.unit

PROBE = disc_shard(91, site=(0,) * 24)


class Bench:
    """One base model, one round, one shard."""

    def __init__(
        self, folder: Path, codec: str, recipe: Recipe = RECIPE, *, warm: int = 60, **spec: int
    ) -> None:
        self.folder, self.recipe = folder, recipe
        self.base = warm_start(recipe, disc_shard(90), SEED, steps=warm)
        data = model_bytes(self.base, ModelHeader.of(recipe, 0))
        self.spec: RoundSpec = a_spec(
            base=digest_of(data),
            recipe=recipe.digest(),
            inner_steps=6,
            start_step=0,
            total_steps=60,
            codec=codec,
            **spec,
        )
        for name, content in (
            ("base", data),
            ("recipe", recipe.to_bytes()),
            ("spec", encode_spec(self.spec)),
        ):
            (folder / name).write_bytes(content)
        save_shard(folder / "shard", disc_shard(1))
        save_shard(folder / "probe", PROBE)

    def train(
        self, *, residual: str | None = None, probe: bool = True, public: str | None = None
    ) -> tuple[TrainedDelta, Arrays]:
        """What the job reports, and the delta as every other node reads it."""
        made = run(
            TrainDelta(
                round=RoundFiles(self.folder / "base", self.folder / "recipe", self.folder / "spec"),
                shards=(TrainingShard.of(self.folder / "shard"),),
                probe=self.folder / "probe" if probe else None,
                residual=self.folder / residual if residual else None,
                seed=SEED,
                target=self.folder / "delta",
                residual_target=self.folder / "left",
                public=self.folder / public if public else None,
            )
        )
        data = (self.folder / "delta").read_bytes()
        assert made.digest == digest_of(data)
        return made, decode_delta(
            data, schema=schema_of(self.base), max_bytes=1 << 20, base=self.spec.base,
            recipe=self.spec.recipe, codec=self.spec.codec,
        )  # fmt: skip

    def left(self, made: TrainedDelta, name: str) -> Residual:
        """The residual that the last training left, kept under another name."""
        data = (self.folder / "left").read_bytes()
        assert made.residual == digest_of(data)
        (self.folder / name).write_bytes(data)
        return decode_residual(data, schema=schema_of(self.base), max_bytes=len(data), codec=self.spec.codec)

    def exact(self) -> Arrays:
        """The change that training makes, before any codec."""
        trained = train(
            self.base, disc_shard(1), self.recipe, seed=SEED, steps=6, start_step=0, total_steps=60
        )
        return delta_of(trained.weights, self.base)


def test_what_one_delta_leaves_out_the_next_one_carries(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "topk10", replace(RECIPE, align_above=180.0))
    exact = bench.exact()
    made, first = bench.train(probe=False)
    before = bench.left(made, "residual-1")
    assert before.before is None and before.delta == made.digest
    again, second = bench.train(residual="residual-1", probe=False)
    after = bench.left(again, "residual-2")
    assert after.before is not None and after.before == made.residual
    assert again.digest != made.digest
    for name, change in exact.items():
        np.testing.assert_allclose(first[name] + before.values[name], change, atol=1e-7)
        # Nothing is lost over two rounds: both changes arrive or are still carried.
        carried = first[name] + second[name] + after.values[name]
        np.testing.assert_allclose(carried, 2 * change, atol=1e-6)


def test_attack_nobody_trains_from_a_base_against_which_nobody_is_paid(tmp_path: Path) -> None:
    """Whoever opens rounds on a base below `score.least` has work done for nothing, and its friends paid."""
    public = disc_shard(90, (4,) * 30 + (9,) * 30)
    knows = GroundedScorer(Bench(tmp_path, "int8", warm=240).base, RECIPE, public).score
    for share, trains in ((0.5, True), (0.95, False), (2.0, False)):
        folder = tmp_path / str(share)
        folder.mkdir()
        asked = replace(RECIPE, score=replace(RECIPE.score, least=share * knows))
        bench = Bench(folder, "int8", asked, warm=240)
        save_shard(folder / "public", public)
        if trains:
            bench.train(public="public")
            continue
        with pytest.raises(Rejected, match="nobody will be paid") as caught:
            bench.train(public="public")
        assert caught.value.reason == "weak-base" and "nothing was staked" in (caught.value.remedy or "")
        assert not (folder / "delta").exists()
        bench.train()


def test_the_same_residual_gives_the_same_bytes(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "topk3")
    made, _ = bench.train()
    bench.left(made, "residual")
    once, twice = (bench.train(residual="residual")[0] for _ in range(2))
    assert (once.digest, once.residual) == (twice.digest, twice.residual)


def test_of_what_was_left_out_the_share_that_the_spec_says_is_carried(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "topk10", replace(RECIPE, align_above=180.0), feedback_milli=500)
    exact = bench.exact()
    made, _ = bench.train(probe=False)
    before = bench.left(made, "residual-1")
    again, second = bench.train(residual="residual-1", probe=False)
    after = bench.left(again, "residual-2")
    for name, change in exact.items():
        np.testing.assert_allclose(
            second[name] + after.values[name], change + 0.5 * before.values[name], atol=1e-7
        )
    repeated, _ = bench.train(residual="residual-1", probe=False)
    assert (repeated.digest, repeated.residual) == (again.digest, again.residual)


def test_without_feedback_nothing_is_carried_and_nothing_left(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "topk10", feedback_milli=0)
    (tmp_path / "rest").write_bytes(b"of rounds before, under another spec: not read")
    once, again = bench.train()[0], bench.train(residual="rest")[0]
    assert once.residual is again.residual is None
    assert once.digest == again.digest


def test_a_codec_without_feedback_leaves_nothing(tmp_path: Path) -> None:
    made, _ = Bench(tmp_path, "int8").train()
    assert made.residual is None
    assert not (tmp_path / "left").exists()


def test_a_solver_turns_its_frame_back_before_it_forms_its_delta(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "fp32", replace(RECIPE, align_above=0.0))
    made, delta = bench.train()
    reference = frame_latents(bench.base, bench.recipe, PROBE)

    def turned(change: Arrays) -> float:
        weights = {name: array + change[name] for name, array in bench.base.items()}
        return drift(reference, frame_latents(weights, bench.recipe, PROBE)).rms_degrees

    assert made.turned_degrees == pytest.approx(turned(bench.exact()), abs=0.01)
    assert turned(delta) < 0.05 * made.turned_degrees


def test_below_the_recipes_angle_the_frame_stays_as_trained(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "fp32", replace(RECIPE, align_above=170.0))
    made, delta = bench.train()
    assert 0.0 < made.turned_degrees <= 170.0
    for name, change in bench.exact().items():
        np.testing.assert_array_equal(delta[name], change)


def test_attack_probe_frames_beyond_what_a_node_can_hold_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, "fp32")
    encoded = []
    monkeypatch.setattr("jepanet.work.contribution.frame_latents", lambda *given: encoded.append(given))
    side = bench.recipe.family.sizes.image
    for episodes, length in ((1, 65), (1 + 100_000 // 50, 50)):
        huge = recorded(
            np.zeros((episodes, length, 3, side, side), np.uint8),
            np.zeros((episodes, length - 1, 2), np.float32),
            np.zeros((episodes, length, 2), np.float32),
            (0,) * episodes,
        )
        save_shard(tmp_path / "probe", huge)
        with pytest.raises(Rejected) as caught:
            bench.train()
        assert caught.value.reason == "probe-too-large" and not encoded


def test_the_weights_of_a_job_are_checked_once_where_they_come_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base as it is read, the trained weights as they leave the training: two sets, two checks."""
    bench = Bench(tmp_path, "topk10", replace(RECIPE, align_above=0.0))
    checked: list[str] = []

    def counting(weights: Arrays, family: Family, *, what: str = "weights") -> None:
        checked.append(what)
        check_weights(weights, family, what=what)

    for name, module in list(sys.modules.items()):
        if name.startswith("jepanet.") and getattr(module, "check_weights", None) is check_weights:
            monkeypatch.setattr(module, "check_weights", counting)
    bench.train()
    assert checked == ["model", "trained weights"]
