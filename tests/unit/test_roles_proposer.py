"""What a proposer serves: also a project that was made while its node was running."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from protocol_facts import OUTSIDER, PROJECT

from jepanet.cid import digest_of
from jepanet.errors import Rejected, Transient
from jepanet.learning.presets import preset
from jepanet.node.documents import LearningDocuments
from jepanet.protocol.documents.project_folder import PROJECT_FILES
from jepanet.protocol.documents.spec import decode_spec, encode_spec
from jepanet.protocol.duties import OpenRound
from jepanet.roles import proposer as proposer_module
from jepanet.roles.documents import OwnDataset, RecipeSummary
from jepanet.roles.proposer import Proposer
from jepanet.roles.steps.next_spec import build_of, round_spec
from jepanet.settings.config import ProposerSection
from jepanet.settings.terms import round_terms
from jepanet.storage.blobs.store import BlobStore
from jepanet.types import Readiness
from jepanet.work.methods import METHODS

pytestmark = pytest.mark.unit

RECIPE, MANIFEST, MODEL = b"recipe", b"manifest", b"first model"


class Opened(Exception):
    """Everything that others need was in place; the round would be opened now."""


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    (folder / PROJECT_FILES).mkdir(parents=True)
    for name in ("manifest.json", "public", "probe"):
        (folder / name).write_text(name)
    return folder


class Documents:
    """Of a dataset without shards."""

    max_recipe_bytes = 1 << 10

    def own_dataset(self, directory: Path) -> OwnDataset:
        return OwnDataset([directory / name for name in ("manifest.json", "public", "probe")], ())

    def recipe(self, data: bytes) -> RecipeSummary:
        raise Opened


class LargeDeltas(Documents):
    """Of a recipe whose deltas are larger than 3 MiB in every codec but one."""

    def recipe(self, data: bytes) -> RecipeSummary:
        assert data == RECIPE
        return SimpleNamespace(backbone=None)  # type: ignore[return-value]

    def encoded_bytes(self, recipe: bytes, codec: str) -> int:
        assert recipe == RECIPE
        return (3 << 20) + (codec != "topk1")


async def open_round(
    blobs: BlobStore,
    dataset: Path | None,
    rounds: int = 0,
    documents: Documents | None = None,
    terms: object = None,
) -> None:
    project = SimpleNamespace(
        id=PROJECT,
        recipe=digest_of(RECIPE),
        dataset=digest_of(MANIFEST),
        model=digest_of(MODEL),
        rounds=rounds,
        verifier_set=1,
    )

    async def inactive(project_id: int, block: str) -> Any:
        return SimpleNamespace(active_round=0)

    async def own_set(set_id: int, block: str) -> Any:
        return SimpleNamespace(curator=OUTSIDER)

    async def ready(set_id: int, escrow: int, block: str) -> Readiness:
        return Readiness.READY

    context: Any = SimpleNamespace(
        me=OUTSIDER, blobs=blobs, dataset=dataset, documents=documents or Documents(),
        terms=terms or SimpleNamespace(budget=1, fee=1),
        project=lambda _: project,
        contracts=SimpleNamespace(
            lens=SimpleNamespace(project=inactive, verifier_set=own_set, can_open=ready)
        ),
        state=lambda: SimpleNamespace(rounds={}, projects={}),
    )  # fmt: skip
    await Proposer(context).open_round(OpenRound(PROJECT, rounds + 1))


async def test_a_project_made_while_the_node_runs_is_served_before_its_first_round(
    dataset: Path, tmp_path: Path
) -> None:
    with BlobStore(tmp_path / "blobs", 1 << 20) as blobs:
        context: Any = SimpleNamespace(blobs=blobs, documents=Documents())
        Proposer(context).serve_dataset(dataset)
        for name, data in (("recipe.json", RECIPE), ("manifest.json", MANIFEST), ("model", MODEL)):
            (dataset / PROJECT_FILES / name).write_bytes(data)
        with pytest.raises(Opened):
            await open_round(blobs, dataset)
        assert all(blobs.is_public(digest_of(data)) for data in (RECIPE, MANIFEST, MODEL))


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("here", {"torch": "2.13", "cpu": "AVX512"}),
        ("torch=2.12, cpu=AVX2", {"torch": "2.12", "cpu": "AVX2"}),
    ],
)
async def test_an_audited_round_names_the_build_it_is_computed_by(
    written: str, spoken: dict[str, str]
) -> None:
    section = ProposerSection(audit_segments=4, audit_build=written)
    terms = round_terms(section, METHODS)

    async def here() -> dict[str, str]:
        return {"torch": "2.13", "cpu": "AVX512"}

    context: Any = SimpleNamespace(build=here)
    build = await build_of(context, terms)
    assert build == spoken
    recipe = LearningDocuments().recipe(preset("tworoom-tiny").to_bytes())
    project: Any = SimpleNamespace(
        id=PROJECT, recipe=digest_of(RECIPE), dataset=digest_of(MANIFEST), model=digest_of(MODEL)
    )
    spec = round_spec(project, recipe, terms, 1, build=build)
    assert spec.audit is not None and spec.audit.build == spoken
    assert decode_spec(encode_spec(spec)) == spec
    plain = round_terms(ProposerSection(), METHODS)
    assert await build_of(context, plain) is None


async def test_no_round_is_opened_for_a_build_that_no_machine_tells_so(tmp_path: Path) -> None:
    async def here() -> dict[str, str]:
        return {"torch": "2.13", "cpu": "AVX512"}

    terms = round_terms(ProposerSection(audit_segments=4, audit_build="torch=2.13"), METHODS)
    context: Any = SimpleNamespace(build=here)
    with pytest.raises(Rejected, match="a build is told by torch, cpu") as caught:
        await build_of(context, terms)
    assert "jepanet doctor" in (caught.value.remedy or "")


@pytest.mark.parametrize("missing", [RECIPE, MANIFEST, MODEL])
async def test_no_round_is_opened_that_nobody_could_train_in(
    dataset: Path, tmp_path: Path, missing: bytes
) -> None:
    with BlobStore(tmp_path / "blobs", 1 << 20) as blobs:
        for data in {RECIPE, MANIFEST, MODEL} - {missing}:
            blobs.put_bytes(data)
        for folder in (dataset, None):
            with pytest.raises(Transient, match="missing") as caught:
                await open_round(blobs, folder)
            assert "proposer.dataset" in (caught.value.remedy or "")


async def test_later_rounds_begin_from_models_that_others_made(dataset: Path, tmp_path: Path) -> None:
    with BlobStore(tmp_path / "blobs", 1 << 20) as blobs:
        for data in (RECIPE, MANIFEST):
            blobs.put_bytes(data)
        with pytest.raises(Opened):
            await open_round(blobs, dataset, rounds=2)


async def test_no_round_is_opened_whose_deltas_do_not_fit_under_its_own_cap(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was found out after the solvers had trained, by each of them."""

    def opens(*_: Any) -> Any:
        raise Opened

    monkeypatch.setattr(proposer_module, "next_spec", opens)
    with BlobStore(tmp_path / "blobs", 1 << 20) as blobs:
        for data in (RECIPE, MANIFEST, MODEL):
            blobs.put_bytes(data)
        small = round_terms(ProposerSection(codec="int8", max_delta_mb=3), METHODS)
        with pytest.raises(Rejected) as caught:
            await open_round(blobs, dataset, documents=LargeDeltas(), terms=small)
        assert caught.value.reason == "no-room"
        assert f"codec int8 has up to {(3 << 20) + 1} bytes, the round allows {3 << 20}" in str(caught.value)
        assert f"proposer.max_delta_mb so that {(3 << 20) + 1} bytes fit" in (caught.value.remedy or "")
        for terms in (replace(small, codec="topk1"), replace(small, max_delta_bytes=4 << 20)):
            with pytest.raises(Opened):
                await open_round(blobs, dataset, documents=LargeDeltas(), terms=terms)
