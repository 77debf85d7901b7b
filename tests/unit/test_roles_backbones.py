"""A node brings a recipe's backbone into its store: from its operator's folder, else from peers by CID."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from jepanet.cid import digest_of, to_cid
from jepanet.errors import Rejected, Transient
from jepanet.learning.backbone_file import ENDING, place_of
from jepanet.roles.context import Context, Turns
from jepanet.roles.documents import RecipeSummary
from jepanet.roles.steps.backbones import obtain_backbone
from jepanet.storage.blobs.store import BlobStore
from jepanet.traffic import Traffic

pytestmark = pytest.mark.unit

DATA = b"a backbone" * 100
DIGEST = digest_of(DATA)
RECIPE = cast(RecipeSummary, SimpleNamespace(backbone=DIGEST, backbone_bytes=2 * len(DATA)))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BlobStore]:
    with BlobStore(tmp_path / "blobs", 1 << 20) as blobs:
        yield blobs


def node(store: BlobStore, folder: Path | None, *, served: bool = False) -> Context:
    async def fetch(name: bytes, *, directory: Path, **how: Any) -> Path:
        if not served:
            raise Transient("no peer has it")
        (directory / "fetched").write_bytes(DATA)
        return directory / "fetched"

    def own(digest: bytes) -> Path | None:
        return None if folder is None else place_of(folder, digest.hex())

    return cast(
        Context,
        SimpleNamespace(
            blobs=store, network=SimpleNamespace(fetch=fetch), providers=lambda name: (), turns=Turns(),
            traffic=Traffic(), own_backbone=own,
        ),
    )  # fmt: skip


async def test_the_operators_folder_has_it_and_it_is_served_on(store: BlobStore, tmp_path: Path) -> None:
    file = tmp_path / f"{DIGEST.hex()}{ENDING}"
    file.write_bytes(DATA)
    await obtain_backbone(node(store, tmp_path), RECIPE, pin="round/7")
    assert store.read(DIGEST, max_bytes=len(DATA)) == DATA and store.is_public(DIGEST)
    assert file.read_bytes() == DATA, "the operator's own file stays where it is"
    assert place_of(store.root, DIGEST.hex()) == store.path(DIGEST), "where a worker looks for it"


async def test_peers_are_asked_by_cid(store: BlobStore, tmp_path: Path) -> None:
    await obtain_backbone(node(store, tmp_path, served=True), RECIPE, pin="round/7")
    assert store.read(DIGEST, max_bytes=len(DATA)) == DATA


async def test_without_it_the_error_says_what_is_missing(store: BlobStore) -> None:
    with pytest.raises(Transient) as caught:
        await obtain_backbone(node(store, None), RECIPE, pin="round/7")
    assert to_cid(DIGEST) in caught.value.message and "worker.backbones" in str(caught.value.remedy)


async def test_attack_another_file_under_its_name_is_not_taken(store: BlobStore, tmp_path: Path) -> None:
    (tmp_path / f"{DIGEST.hex()}{ENDING}").write_bytes(b"something else")
    with pytest.raises(Rejected) as caught:
        await obtain_backbone(node(store, tmp_path), RECIPE, pin="round/7")
    assert caught.value.reason == "wrong-digest" and store.path(DIGEST) is None


async def test_a_recipe_without_a_backbone_asks_for_nothing(store: BlobStore) -> None:
    nothing = cast(RecipeSummary, SimpleNamespace(backbone=None))
    await obtain_backbone(node(store, None), nothing, pin="round/7")
