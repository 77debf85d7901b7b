"""What a training by hand trains on, by path or CID: what a CID names comes while others are trained on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from jepanet.cid import digest_of, to_cid
from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.data.shards import shard_bytes
from jepanet.learning.recipe_loop import FROM_SCRATCH, Loop
from jepanet.learning.training.modes import in_mode
from jepanet.operations import training_data
from jepanet.operations.local_training import LocalInputs, plan_local, train_local
from jepanet.operations.reading.library import Library, open_library
from jepanet.operations.training_data import ChosenData, chosen_data, place_named, shards_at
from jepanet.operations.views.training import LocalTraining
from jepanet.storage.tracking import Tracking
from jepanet.work import room
from jepanet.work.jobs import run
from learning_shards import RECIPE, SEED, disc_shard

pytestmark = pytest.mark.unit

MIX = 2
SHARDS = [shard_bytes(disc_shard(number, site=(number,) * 5)) for number in range(4)]
CIDS = [to_cid(digest_of(data)) for data in SHARDS]
RECIPE_OF_MANY = replace(RECIPE, warm_steps=6, loop=Loop(trace=2, mix=MIX))


@dataclass
class Peers:
    """Serve what they have, in their own time."""

    served: dict[bytes, bytes] = field(default_factory=dict)
    asked: list[bytes] = field(default_factory=list)

    async def fetch(self, digest: bytes, *, max_bytes: int, directory: Path) -> Path:
        self.asked.append(digest)
        await asyncio.sleep(0)
        if digest not in self.served:
            raise Transient("nobody has it")
        path = directory / "fetched"
        path.write_bytes(self.served[digest])
        return path

    async def peers(self) -> list[str]:
        return ["somebody"]


class Elsewhere:
    """A worker that does its jobs in a thread, so that the network goes on meanwhile."""

    async def run(self, request: Any, on_progress: Any = None) -> Any:
        return await asyncio.to_thread(run, request, lambda _: None)


@pytest.fixture
def peers() -> Peers:
    return Peers({digest_of(data): data for data in SHARDS})


def library_of(folder: Path, peers: Peers | None, store: Path | None = None) -> Library:
    async def connect() -> Any:
        return peers

    folder.mkdir(exist_ok=True)
    return Library(folder, connect, store=store)


def made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


async def trained(data: ChosenData, library: Library | None, out: Path) -> LocalTraining:
    given = LocalInputs(
        in_mode(RECIPE_OF_MANY, FROM_SCRATCH, every=6), RECIPE_OF_MANY, data, None, SEED, "cpu"
    )
    tracking = Tracking(made(out) / "tracking.sqlite")
    try:
        return await train_local(
            Elsewhere(), tracking, given, out, checkpoint_bytes=1 << 30, library=library # type: ignore[arg-type]
        )  # fmt: skip
    finally:
        tracking.close()


async def test_shards_of_a_network_and_of_a_folder_train_the_same_bytes(
    tmp_path: Path, peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Shards whose size nobody knows yet are not counted as the largest that there may be.
    monkeypatch.setattr(room, "memory_of", lambda device: 1 << 30)
    own = tmp_path / "own"
    own.mkdir()
    for number, content in enumerate(SHARDS):
        (own / f"training-{number:02}.safetensors").write_bytes(content)
    here = await trained(ChosenData(shards_at(own)), None, tmp_path / "here")
    library = library_of(tmp_path / "inputs", peers)
    data = await chosen_data([place_named(text) for text in CIDS], library, MIX)
    assert len(peers.asked) == MIX and [shard.awaited for shard in data.shards] == [False] * 2 + [True] * 2
    there = await trained(data, library, tmp_path / "there")
    assert there.model == here.model
    again = await chosen_data(CIDS, library_of(tmp_path / "inputs", None), MIX)
    assert not again.coming, "all of them are kept"


async def test_the_cid_of_a_dataset_stands_for_its_training_shards(tmp_path: Path, peers: Peers) -> None:
    entries = [ShardEntry(number, digest_of(data), len(data), 5) for number, data in enumerate(SHARDS)]
    manifest = DatasetManifest(
        "tests", {}, bytes(32), tuple(entries), entries[0], entries[0], EvaluationEntry(1, bytes(32), 4, (9,))
    ).to_bytes()
    peers.served[digest_of(manifest)] = manifest
    library = library_of(tmp_path / "inputs", peers)
    data = await chosen_data([to_cid(digest_of(manifest), "dag-json")], library, MIX)
    assert [to_cid(shard.digest) for shard in data.shards] == CIDS
    assert [shard.bytes for shard in data.shards] == [len(content) for content in SHARDS]


async def test_what_the_store_of_a_node_has_is_not_fetched(tmp_path: Path, peers: Peers) -> None:
    from jepanet.storage.blobs.store import BlobStore

    with BlobStore(tmp_path / "blobs", 1 << 30) as blobs:
        for content in SHARDS:
            blobs.put_bytes(content)
    library = library_of(tmp_path / "inputs", peers, tmp_path / "blobs")
    data = await chosen_data(CIDS, library, MIX)
    assert not peers.asked and not data.coming
    await trained(data, library, tmp_path / "out")


async def test_a_shard_that_does_not_come_ends_the_training_by_its_name_and_it_can_go_on(
    tmp_path: Path, peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_data, "PAUSE", 0.01)
    monkeypatch.setattr(training_data, "TRIES", 3)
    missing = peers.served.pop(digest_of(SHARDS[3]))
    library = library_of(tmp_path / "inputs", peers)
    data = await chosen_data(CIDS, library, MIX)

    class Waits(Elsewhere):
        async def run(self, request: Any, on_progress: Any = None) -> Any:
            await asyncio.Event().wait()

    monkeypatch.setattr(Elsewhere, "run", Waits.run)
    with pytest.raises(Transient, match=CIDS[3]):
        await trained(data, library, tmp_path / "out")
    monkeypatch.undo()
    peers.served[digest_of(missing)] = missing
    data = await chosen_data(CIDS, library, MIX)
    assert (await trained(data, library, tmp_path / "out")).status == "ok"


async def test_a_plan_counts_what_all_shards_hold(tmp_path: Path, peers: Peers) -> None:
    library = library_of(tmp_path / "inputs", peers)
    data = await chosen_data(CIDS, library, MIX)
    recipe = in_mode(RECIPE_OF_MANY, FROM_SCRATCH, every=6)
    given = LocalInputs(recipe, RECIPE_OF_MANY, data, None, SEED, "cpu")
    plan = await plan_local(Elsewhere(), given, library)  # type: ignore[arg-type]
    held, windows = 4, 4  # of the five episodes of a shard one is held out; four windows each
    assert plan.epochs == round(16 * 6 / (len(SHARDS) * held * windows), 2)


async def test_attack_a_shard_larger_than_any_may_be_is_not_fetched(tmp_path: Path, peers: Peers) -> None:
    asked: list[int] = []

    async def fetch(digest: bytes, *, max_bytes: int, directory: Path) -> Path:
        asked.append(max_bytes)
        raise Rejected("it is larger", reason="too-large")

    peers.fetch = fetch  # type: ignore[method-assign]
    with pytest.raises(Rejected):
        await chosen_data(CIDS, library_of(tmp_path / "inputs", peers), MIX)
    assert asked == [512 << 20]


def test_a_place_is_a_path_that_is_there_or_a_cid(tmp_path: Path) -> None:
    assert place_named(str(tmp_path)) == tmp_path
    assert place_named(CIDS[0]) == CIDS[0]
    for text in ("nowhere", "bafy", CIDS[0].upper(), ""):
        with pytest.raises(Fatal) as caught:
            place_named(text or "absent")
        assert caught.value.code == Exit.NOT_FOUND


async def test_without_a_deployment_nobody_is_asked(tmp_path: Path) -> None:
    async with open_library(None, tmp_path / "inputs", peers=(), offline=False) as library:
        with pytest.raises(Fatal, match="in which network") as caught:
            await chosen_data(CIDS, library, MIX)
    assert caught.value.code == Exit.USAGE and "--deployment" in (caught.value.remedy or "")
