"""A round of adapters beside a backbone through real workers: what is trained, scored and merged is adapters
alone. A node without the file of the backbone is told which to get, and loses nothing by getting it late."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from jepanet.cid import digest_of, to_cid
from jepanet.errors import Transient
from jepanet.federation.deltas.delta import delta_of
from jepanet.learning.backbone_file import backbones_in
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.data.schemas.pairs import PAIRS
from jepanet.learning.data.shards import Shard, save_shard
from jepanet.learning.families.backbone.family import Backbone
from jepanet.learning.families.backbone.model import load_backbone_model
from jepanet.learning.families.backbone.sizes import LAYERS, LLAMA, Architecture
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipes.named import recipe_named
from jepanet.learning.training.loop import train, warm_start
from jepanet.node.documents import LearningDocuments
from jepanet.operations.backbones import Chosen, recipe_from_backbone
from jepanet.protocol.documents.spec import encode_spec
from jepanet.tensors import decode_tensors
from jepanet.types import Address, RoundId, Verdict
from jepanet.work.requests.files import EvaluationFiles, RoundFiles, TrainingShard
from jepanet.work.requests.merging import AcceptedDelta, MergeDeltas
from jepanet.work.requests.scoring import ClaimedDelta, ScoreClaims
from jepanet.work.requests.training import MakeFirstModel, TrainDelta, TrainedDelta
from jepanet.work.worker import Worker
from learning_shards import SEED
from round_samples import a_spec

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]

BEGUN = Backbone(model=Architecture(vocabulary=256, width=48, hidden=96, context=12))
SOLVERS = (Address("0x" + "11" * 20), Address("0x" + "22" * 20))
STEPS, EVALUATED = 30, 240
HEADER = 10_000
"""Bytes of a file's names, shapes and scales, at most."""
KINDS, WORDS = 8, 12
"""Of texts, and of tokens that a kind has for itself."""


def texts(seed: int, count: int, sites: tuple[int, ...]) -> Shard:
    """Pairs of texts that have tokens of one kind of eight, of which some are more usual than others."""
    generator = np.random.default_rng(seed)
    usual = 1.0 / np.arange(1, WORDS + 1)
    kinds = generator.integers(KINDS, size=(count, 1))

    def drawn(length: int) -> np.ndarray:
        words = generator.choice(WORDS, size=(count, length), p=usual / usual.sum())
        return (1 + kinds * WORDS + words).astype(np.uint16)

    return Shard(PAIRS, {"first": drawn(10), "second": drawn(4)}, sites * (count // len(sites)), {})


@dataclass(frozen=True, slots=True)
class Project:
    """The public files of a project, and the backbone's, which nobody is given."""

    folder: Path
    recipe: Recipe
    backbone: Path

    @property
    def round(self) -> RoundFiles:
        return RoundFiles(self.folder / "base", self.folder / "recipe", self.folder / "spec")

    @property
    def evaluation(self) -> EvaluationFiles:
        return EvaluationFiles(self.folder / "evaluation", self.folder / "manifest")

    def begin(self, target: str) -> MakeFirstModel:
        return MakeFirstModel(self.folder / "recipe", self.folder / "public", SEED, self.folder / target)

    def train(self, place: int, name: str) -> TrainDelta:
        return TrainDelta(
            round=self.round,
            shards=(TrainingShard.of(self.folder / f"training-{place}"),),
            probe=None,
            residual=None,
            seed=bytes([place]) * 32,
            target=self.folder / name,
            residual_target=self.folder / f"{name}.left",
        )

    def score(self, *names: str) -> ScoreClaims:
        return ScoreClaims(
            self.round,
            self.evaluation,
            tuple(
                ClaimedDelta(solver, place, digest_of((self.folder / name).read_bytes()), self.folder / name)
                for place, (solver, name) in enumerate(zip(SOLVERS, names, strict=True))
            ),
        )

    def merge(self, *names: str, target: str) -> MergeDeltas:
        return MergeDeltas(
            self.round,
            self.evaluation,
            tuple(
                AcceptedDelta(digest_of((self.folder / name).read_bytes()), self.folder / name)
                for name in names
            ),
            RoundId(1),
            self.folder / target,
        )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """What `recipe from-backbone` makes of random weights as `transformers` saves them."""
    folder = tmp_path_factory.mktemp("project")
    load_backbone_model(BEGUN, BEGUN.initial_weights(SEED)).encoder.save_pretrained(folder / "huggingface")
    told = recipe_from_backbone(
        folder / "huggingface",
        folder / "made",
        Chosen("beside", context=12, latent=48, border=0, rank=2, targets=LAYERS[LLAMA]),
    )
    assert told.backbone is not None
    recipe = replace(recipe_named(str(told.recipe)), warm_steps=STEPS)
    (folder / "recipe").write_bytes(recipe.to_bytes())
    entries = []
    for place in range(2):
        path = folder / f"training-{place}"
        entries.append(ShardEntry(place, save_shard(path, texts(place, 400, (place,))), 400, 1))
    save_shard(folder / "public", texts(7, 200, (2000,)))
    save_shard(folder / "evaluation", texts(8, EVALUATED, (1000, 1001)))
    manifest = DatasetManifest(
        "texts of a test", {}, SEED, tuple(entries), entries[0], None,
        EvaluationEntry(1, None, EVALUATED, (1000, 1001)), PAIRS.name,
    )  # fmt: skip
    (folder / "manifest").write_bytes(manifest.to_bytes())
    return Project(folder, recipe, told.backbone)


@pytest.fixture
async def nodes(project: Project, tmp_path: Path) -> AsyncIterator[tuple[Worker, Worker, Path]]:
    """A worker whose operator has the backbone; one whose operator has not, and the folder it looks into."""
    missing = tmp_path / "backbones"
    missing.mkdir()
    able, unable = Worker(backbones=[project.backbone.parent]), Worker(backbones=[missing])
    yield able, unable, missing
    await able.stop()
    await unable.stop()


@pytest.mark.parametrize("targets", [LAYERS[LLAMA], None])
def test_honest_adapters_pass_the_gates_alone_in_a_round_and_shuffled_pairs_do_not(
    targets: tuple[str, ...] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 1/N with N of 1 a delta moves latents most: adapters of all layers halve their effective rank."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    from attacks.judging import Held, judged

    load_backbone_model(BEGUN, BEGUN.initial_weights(SEED)).encoder.save_pretrained(tmp_path / "huggingface")
    chosen = Chosen("beside", context=12, latent=48, border=0, rank=2, targets=targets)
    told = recipe_from_backbone(tmp_path / "huggingface", tmp_path, chosen)
    recipe = replace(recipe_named(str(told.recipe)), warm_steps=100, inner_steps=80)
    shard = texts(0, 400, (0,))
    order = np.random.default_rng(1).permutation(shard.episodes)
    shuffled = shard.with_arrays(second=shard.array("second")[order])
    with backbones_in([tmp_path]):
        base = warm_start(recipe, texts(7, 200, (2000,)), SEED)
        held = Held(base, recipe, texts(8, EVALUATED, (1000, 1001)))
        found = []
        for given in (shard, shuffled):
            delta = delta_of(train(base, given, recipe, seed=SEED).weights, base)
            found.append(judged(base, [delta], held, recipe)[1][0])
    honest, attack = found
    assert honest.verdict is Verdict.ACCEPTED and honest.gain > 2 * honest.stderr > 0, honest
    assert attack.verdict is Verdict.EXCLUDED, attack


def names_of(path: Path) -> set[str]:
    return set(decode_tensors(path.read_bytes(), max_bytes=1 << 20, what=path.name)[0])


async def test_a_round_of_adapters_is_trained_scored_and_merged_without_its_backbone_travelling(
    project: Project, nodes: tuple[Worker, Worker, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JEPANET_BACKBONES", raising=False)
    solver, late, folder = nodes
    recipe, where = project.recipe, project.folder
    first = await solver.run(project.begin("base"))
    told = LearningDocuments().recipe(recipe.to_bytes())
    assert told.backbone == digest_of(project.backbone.read_bytes())
    spec = a_spec(
        base=first.digest, recipe=recipe.digest(), inner_steps=STEPS, start_step=0, total_steps=4 * STEPS,
        gates=told.gates, norms=told.norms,
    )  # fmt: skip
    project.round.spec.write_bytes(encode_spec(spec))
    one = await solver.run(project.train(0, "first"))

    async def refused(request: TrainDelta | ScoreClaims | MergeDeltas) -> None:
        """Nothing is found wrong with anybody's work: it is done again later."""
        with pytest.raises(Transient) as caught:
            await late.run(request)
        digest = digest_of(project.backbone.read_bytes())
        assert to_cid(digest) in caught.value.message and str(folder) in caught.value.message
        assert f"{digest.hex()}.backbone" in (caught.value.remedy or "")
        assert "worker.backbones" in (caught.value.remedy or "")

    await refused(project.train(1, "second"))
    await refused(project.score("first", "first"))
    await refused(project.merge("first", target="merged"))
    shutil.copyfile(project.backbone, folder / project.backbone.name)
    other = await late.run(project.train(1, "second"))
    assert isinstance(other, TrainedDelta) and one.digest != other.digest

    scored = await late.run(project.score("first", "second"))
    for found in scored.judgements:
        assert found.verdict is Verdict.ACCEPTED and found.gain > 2 * found.stderr > 0, found
    assert await solver.run(project.score("first", "second")) == scored, "nodes agree"
    merged = await late.run(project.merge("first", "second", target="merged"))
    assert merged.published and merged.improvement > 2 * merged.stderr, merged.note
    assert (await solver.run(project.merge("first", "second", target="again"))).digest == merged.digest

    numbers, whole = recipe.parameters(), project.backbone.stat().st_size
    # Bytes a number: a delta's code, a model's float32, and beside it the outer step's momentum.
    for name, each in {"first": 1, "second": 1, "base": 4, "merged": 8}.items():
        assert names_of(where / name) and all(".lora_" in item for item in names_of(where / name)), name
        assert (where / name).stat().st_size < each * numbers + HEADER < whole / 6, name
    assert (where / "first").stat().st_size < whole / 20
    assert project.backbone.read_bytes() == (folder / project.backbone.name).read_bytes()
