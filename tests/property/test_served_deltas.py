"""Whatever bytes a solver commits to and serves as its delta: the round is scored, and what is accepted is
merged. No exception leaves the others without scores or without a merge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jepanet.cid import digest_of
from jepanet.federation.deltas.delta import DeltaHeader, encode_delta
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.data.shards import save_shard
from jepanet.learning.model_file import ModelHeader, load_model, model_bytes
from jepanet.learning.training.loop import warm_start
from jepanet.protocol.documents.spec import Gates, MergeRule, NormCaps, UpdateRule, encode_spec
from jepanet.tensors import decode_tensors, encode_tensors
from jepanet.types import RoundId, Verdict
from jepanet.work.jobs import run
from jepanet.work.requests.files import EvaluationFiles, RoundFiles
from jepanet.work.requests.merging import AcceptedDelta, MergeDeltas, MergedModel
from jepanet.work.requests.scoring import ClaimedDelta, ScoreClaims, ScoredDeltas
from learning_shards import RECIPE, SEED, disc_shard, initial
from round_samples import a_spec, account
from spoiled_files import forged, spoiled

pytestmark = pytest.mark.property

MANY = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
SITES = (3,) * 8 + (8,) * 8
LAX = Gates(0, 100_000, 100_000, 10_000, 0, 0, 100_000)
"""Rules by which next to anything is accepted, so that it is merged."""
RULES = {
    "fp32": {"codec": "fp32"},
    "bf16, of any length": {"codec": "bf16", "norms": NormCaps(1_000_000, 1_000_000, 0)},
    "int8, mended, paid as merged": {
        "codec": "int8", "merge": MergeRule(drop_sigmas_milli=1000), "pay_as_merged": True,
    },
    "topk10, by reference": {
        "codec": "topk10", "norms": NormCaps(to_reference_milli=1000, reference_nano=10**7),
    },
    "rank50, coded": {"codec": "rank50", "update": UpdateRule(codec="int8")},
}  # fmt: skip


@dataclass(frozen=True)
class Served:
    """A round of two honest solvers and whoever serves anything."""

    folder: Path
    codec: str

    @property
    def files(self) -> RoundFiles:
        return RoundFiles(self.folder / "base", self.folder / "recipe", self.folder / "spec")

    @property
    def evaluation(self) -> EvaluationFiles:
        return EvaluationFiles(self.folder / "evaluation", self.folder / "manifest", bytes(32))

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def scored(self, delta: bytes) -> ScoredDeltas:
        """Of one that commits to `delta` before the two honest ones do."""
        (self.folder / "served").write_bytes(delta)
        names = ("served", "first", "second")
        claims = tuple(
            ClaimedDelta(account("solver", place), place, digest_of(self.read(name)), self.folder / name)
            for place, name in enumerate(names)
        )
        return run(ScoreClaims(self.files, self.evaluation, claims))

    def merged(self, scored: ScoredDeltas) -> MergedModel | None:
        """What the accepted deltas lead to; None where none was accepted."""
        names = dict(
            zip((item.solver for item in scored.judgements), ("served", "first", "second"), strict=True)
        )
        accepted = {
            item.digest: self.folder / names[item.solver]
            for item in scored.judgements
            if item.verdict is Verdict.ACCEPTED
        }
        if not accepted:
            return None
        return run(
            MergeDeltas(
                self.files,
                self.evaluation,
                tuple(AcceptedDelta(digest, path) for digest, path in sorted(accepted.items())),
                RoundId(7),
                self.folder / "merged",
                update_target=self.folder / "update",
            )
        )

    def ends_well(self, delta: bytes) -> None:
        scored = self.scored(delta)
        honest = scored.judgements[1:]
        assert all(item.verdict is not Verdict.INVALID for item in honest)
        assert all(item.reason != "not-measurable" for item in honest)
        made = self.merged(scored)
        if made is not None:
            weights = load_model(self.folder / "merged", RECIPE).weights
            assert all(np.isfinite(array).all() for array in weights.values())
            assert made.digest == digest_of(self.read("merged"))


@pytest.fixture(scope="module", params=list(RULES))
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, rules = tmp_path_factory.mktemp("served"), RULES[request.param]
    base = warm_start(RECIPE, disc_shard(1, (0,) * 12), SEED, steps=80)
    model = model_bytes(base, ModelHeader.of(RECIPE, 0))
    spec = replace(
        a_spec(base=digest_of(model), recipe=RECIPE.digest(), max_delta_bytes=1 << 20, gates=LAX), **rules
    )
    entry = ShardEntry(0, digest_of(b"shard"), 1, 1)
    manifest = DatasetManifest(
        "discs", {}, SEED, (entry,), entry, entry, EvaluationEntry(1, None, len(SITES), (3, 8))
    )
    header, found = DeltaHeader(spec.base, spec.recipe), Served(folder, spec.codec)
    save_shard(folder / "evaluation", disc_shard(2, SITES))
    files = {
        "base": model, "recipe": RECIPE.to_bytes(), "spec": encode_spec(spec),
        "manifest": manifest.to_bytes(),
    }  # fmt: skip
    for place, name in enumerate(("first", "second")):
        noise = {key: np.float32(0.02) * array for key, array in initial(bytes([place]) * 32).items()}
        files[name] = encode_delta(noise, header, spec.codec)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    scored = found.scored(b"junk")
    assert [item.verdict for item in scored.judgements[1:]] == [Verdict.ACCEPTED] * 2
    assert found.merged(scored) is not None
    yield found


@MANY
@given(data=st.data())
def test_attack_a_delta_of_any_bytes_ends_no_round(served: Served, data: st.DataObject) -> None:
    served.ends_well(data.draw(spoiled(served.read("first"))))


@MANY
@given(data=st.data())
def test_attack_a_delta_of_any_arrays_ends_no_round(served: Served, data: st.DataObject) -> None:
    arrays, header = decode_tensors(served.read("first"), max_bytes=1 << 20, what="delta")
    served.ends_well(encode_tensors(forged(data, arrays), header))


@MANY
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from((1e-45, 1e-38, 1e-12, 1.0, 1e4, 1e19, 3e38)))
def test_attack_a_delta_of_any_size_ends_no_round(served: Served, seed: int, size: float) -> None:
    """As its own encoder writes it: its form is right."""
    random = np.random.default_rng(seed)
    base = load_model(served.folder / "base", RECIPE).weights
    with np.errstate(all="ignore"):
        delta = {
            name: np.clip(random.standard_normal(array.shape) * size, -3.4e38, 3.4e38).astype("<f4")
            for name, array in base.items()
        }
    own = DeltaHeader(digest_of(served.read("base")), RECIPE.digest())
    served.ends_well(encode_delta(delta, own, served.codec))
