"""One dataset, one project: a second `project create` sends nothing, says so, or is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from contract_fixtures import TOKEN, Network, configured, deployed_network, signed

from jepanet.cid import digest_of
from jepanet.errors import Exit, Fatal
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.data.on_disk import BuiltDataset, SealedShard
from jepanet.operations.access import open_worker
from jepanet.operations.projects import create as create_module
from jepanet.operations.projects import draft as draft_module
from jepanet.operations.views.projects import CreatedProject
from jepanet.protocol.documents.project_folder import METADATA_FILE, PROJECT_FILES
from jepanet.settings.config import load_config
from jepanet.types import Digest

pytestmark = pytest.mark.integration


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with deployed_network() as network:
        yield network


class Warm:
    """Stands in for the warm start: counts how often it was asked for, and may be killed by the operator."""

    def __init__(self) -> None:
        self.made = 0
        self.killed = False

    async def __call__(self, *_: Any, **__: Any) -> Digest:
        if self.killed:
            raise KeyboardInterrupt
        self.made += 1
        return digest_of(b"model")


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Warm:
    entry = ShardEntry(0, digest_of(b"shard"), 1, 1)
    manifest = DatasetManifest(
        "some simulator",
        {"image": 32},
        bytes(32),
        (entry,),
        entry,
        entry,
        EvaluationEntry(2, None, 4, (1000,)),
    )
    sealed = tuple(SealedShard(n, digest_of(b"%d" % n), bytes([n]) * 32, tmp_path) for n in range(2))
    monkeypatch.setattr(draft_module, "open_dataset", lambda folder: BuiltDataset(folder, manifest, sealed))
    made = Warm()
    monkeypatch.setattr(draft_module, "check_shards", lambda *_: None)
    monkeypatch.setattr(create_module, "first_model", made)
    return made


async def create(config: Path, dataset: Path, **changes: Any) -> CreatedProject:
    options: dict[str, Any] = {
        "recipe": "tworoom-small", "name": "first", "verifier_set": None, "verifiers": (), "threshold": None,
    }  # fmt: skip
    await asyncio.to_thread(dataset.mkdir, exist_ok=True)
    draft = draft_module.draft_project(dataset, **{**options, **changes})
    async with open_worker() as worker:
        terms = load_config(config, {}).proposer
        return await signed(config, lambda access: create_module.create_project(access, worker, draft, terms))


async def test_a_second_project_from_one_dataset(network: Network, tmp_path: Path, warm: Warm) -> None:
    config, data = configured(network, 1, tmp_path / "home"), tmp_path / "data"
    lens = network.contracts.lens
    who = {"verifiers": (network.wallet(2).address,), "threshold": 1}
    with pytest.raises(Fatal) as caught:
        await create(config, data, verifier_set=7)
    assert (caught.value.code, warm.made) == (Exit.NOT_FOUND, 0), "found out before training"
    made = await create(config, data, **who)
    assert made.created and made.project == 1
    again = await create(config, data, **who)
    assert again == replace(made, created=False)
    assert (await create(config, data, verifier_set=made.set)).created is False
    kept = (data / PROJECT_FILES / METADATA_FILE).read_bytes()
    other = {"verifiers": (network.wallet(3).address,), "threshold": 1}
    for changes, what in (
        ({**who, "name": "second"}, "another name"),
        ({**who, "recipe": "tworoom-tiny"}, "another recipe"),
        (other, "another verifier set"),
        ({**other, "name": "second"}, "another name and another verifier set"),
    ):
        with pytest.raises(Fatal) as caught:
            await create(config, data, **changes)
        assert what in caught.value.message and "nothing was sent" in caught.value.message
        assert caught.value.remedy and caught.value.code is Exit.REJECTED
    assert await lens.project_count("latest") == 1
    assert await lens.set_count("latest") == 1
    assert warm.made == 1
    assert (data / PROJECT_FILES / METADATA_FILE).read_bytes() == kept, "the first one is served"
    stranger = configured(network, 4, tmp_path / "stranger")
    assert (await create(stranger, data, **who)).project == 2, "a copied root blocks nobody"
    borrowed = await create(configured(network, 3, tmp_path / "borrower"), data, verifier_set=made.set)
    me = network.wallet(3).address
    assert f"jepanet verifiers admit {made.set} {me}" in (borrowed.note or ""), "its curator must agree"


async def test_a_new_set_gets_the_limits_of_the_proposers_terms(
    network: Network, tmp_path: Path, warm: Warm
) -> None:
    """Twice what a round of `[proposer]` puts at risk, and twice as long as one can last."""
    config = configured(network, 1, tmp_path / "home")
    made = await create(config, tmp_path / "data", verifiers=(network.wallet(2).address,), threshold=1)
    found = await network.contracts.lens.verifier_set(made.set, "latest")
    deployed = await network.contracts.rounds.configuration("latest")
    assert found.curator == network.wallet(1).address
    assert found.cap == 2 * 102 * TOKEN
    assert found.max_hold == 2 * (600 + 60 + 600 + 900 + 3600 + deployed.resolve_duration)


async def test_an_interrupted_call_goes_on_and_makes_no_second_set(
    network: Network, tmp_path: Path, warm: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, data = configured(network, 1, tmp_path / "home"), tmp_path / "data"
    who = {"verifiers": (network.wallet(2).address,), "threshold": 1}
    register = create_module._register

    async def cut(*_: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(create_module, "_register", cut)
    with pytest.raises(KeyboardInterrupt):
        await create(config, data, **who)
    monkeypatch.setattr(create_module, "_register", register)
    made = await create(config, data, **who)
    assert made.created and made.set == 1
    assert await network.contracts.lens.set_count("latest") == 1


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"name": "x" * 10_000}, "10000 characters"),
        ({"name": ""}, "no name"),
        ({"name": "   "}, "no name"),
        ({"name": "two\nlines"}, "no name"),
        ({"name": "\x1b[2J"}, "no name"),
        ({"verifier_set": 1, "verifiers": ("0x" + "1" * 40,)}, "--set"),
        ({"verifier_set": 1, "threshold": 1}, "--set"),
        ({"verifiers": ("0x" + "1" * 40,)}, "needs verifiers"),
        ({"threshold": 1}, "needs verifiers"),
        ({"verifiers": ("0x" + "1" * 40,), "threshold": 2}, "at most all"),
        ({"verifiers": ("0x" + "1" * 40,) * 2, "threshold": 2}, "all different"),
    ],
)
async def test_a_call_that_contradicts_itself_is_wrong_usage(
    tmp_path: Path, warm: Warm, changes: dict[str, Any], word: str
) -> None:
    with pytest.raises(Fatal) as caught:
        await create(tmp_path / "never-read.toml", tmp_path / "data", **changes)
    assert (caught.value.code, warm.made) == (Exit.USAGE, 0)
    assert word in caught.value.message
    assert len(caught.value.message) < 200
    assert caught.value.remedy
