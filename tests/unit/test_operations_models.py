"""Models for those who only look: the ways of a node, over a folder that can be moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jepanet.cid import to_cid
from jepanet.errors import Exit, Rejected, Transient
from jepanet.learning.presets import preset
from jepanet.operations.reading import library as library_module
from jepanet.operations.reading.library import Library
from jepanet.operations.reading.models import get_model
from jepanet.protocol.documents.spec import UpdateRule
from jepanet.types import Digest, RoundId
from jepanet.work.requests.deriving import DerivedModel, DeriveModel
from model_chain import PROJECT, ModelChain, model_text
from model_chain import RECIPE as CHAIN_RECIPE

pytestmark = pytest.mark.unit

RULE = UpdateRule("int8")
RECIPE = preset("tworoom-tiny")


class Peers:
    """Serve what a chain's peers serve."""

    def __init__(self, chain: ModelChain) -> None:
        self.chain, self.asked = chain, list[bytes]()

    async def fetch(self, digest: bytes, *, max_bytes: int, directory: Path, **rest: Any) -> Path:
        data = self.chain.served.get(Digest(digest))
        if data is None:
            raise Transient("nobody has it")
        self.asked.append(data)
        path = directory / "fetched"
        path.write_bytes(data)
        return path

    async def peers(self) -> list[str]:
        return ["one"]

    def files(self) -> list[str]:
        return [data.decode() for data in self.asked if data[:1] != b"{" and data != CHAIN_RECIPE]


class Deriver:
    """A worker that derives in this process."""

    def __init__(self, chain: ModelChain) -> None:
        self.chain, self.derived = chain, 0

    async def run(self, request: DeriveModel) -> DerivedModel:
        self.derived += 1
        return self.chain.derive(request, lambda _: None)


async def model(
    folder: Path, chain: ModelChain, number: int, peers: Peers | None, what: str = "base model"
) -> tuple[bytes, Deriver]:
    async def connect() -> Any:
        return peers

    worker: Any = Deriver(chain)
    path = await get_model(
        what, chain.model(number), state=chain.state, project=chain.state.projects[PROJECT], recipe=RECIPE,
        library=Library(folder, connect), worker=worker, round_id=RoundId(number + 1),
    )  # fmt: skip
    return path.read_bytes(), worker


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_module, "_TRIES", 1)


def put(folder: Path, chain: ModelChain, number: int, data: bytes | None = None) -> None:
    folder.mkdir(exist_ok=True)
    (folder / to_cid(chain.model(number))).write_bytes(data or model_text(number))


async def test_whoever_holds_an_older_model_derives_and_then_needs_no_network(tmp_path: Path) -> None:
    chain = ModelChain(3, RULE, "int8")
    put(tmp_path, chain, 1)
    peers = Peers(chain)
    found, worker = await model(tmp_path, chain, 3, peers)
    assert (found, worker.derived, peers.files()) == (model_text(3), 2, ["update 2", "update 3"])
    (tmp_path / to_cid(chain.model(3))).unlink()
    found, worker = await model(tmp_path, chain, 3, None)
    assert (found, worker.derived) == (model_text(3), 1)


async def test_a_stranger_fetches_the_model_whole(tmp_path: Path) -> None:
    chain = ModelChain(12, RULE, "int8")
    peers = Peers(chain)
    found, worker = await model(tmp_path, chain, 12, peers)
    assert (found, worker.derived, peers.files()) == (model_text(12), 0, ["model 12"])


async def test_an_old_model_that_nobody_serves_whole_is_made_from_the_last_one_that_is(
    tmp_path: Path,
) -> None:
    chain = ModelChain(12, RULE, "int8")
    chain.unserve("model 12", "model 11", "model 10")
    peers = Peers(chain)
    found, worker = await model(tmp_path, chain, 12, peers)
    assert (found, worker.derived) == (model_text(12), 3)
    assert peers.files() == ["model 9", "update 10", "update 11", "update 12"]


async def test_without_a_network_an_altered_model_is_named(tmp_path: Path) -> None:
    chain = ModelChain(2)
    put(tmp_path, chain, 2, b"altered")
    with pytest.raises(Rejected, match=r"^base model: ") as caught:
        await model(tmp_path, chain, 2, None)
    assert caught.value.reason == "altered-input"


async def test_with_one_it_is_fetched_anew(tmp_path: Path) -> None:
    chain = ModelChain(2)
    put(tmp_path, chain, 2, b"altered")
    peers = Peers(chain)
    assert (await model(tmp_path, chain, 2, peers))[0] == model_text(2)
    assert peers.files() == ["model 2"]


async def test_what_cannot_be_had_is_named_with_what_to_do(tmp_path: Path) -> None:
    chain = ModelChain(2)
    with pytest.raises(Transient, match="base model: there is no way") as caught:
        await model(tmp_path, chain, 2, None)
    assert (caught.value.code, "--inputs" in (caught.value.remedy or "")) == (Exit.NOT_FOUND, True)
    chain.served.clear()
    with pytest.raises(Transient, match="no way") as caught:
        await model(tmp_path, chain, 2, Peers(chain))
    assert (caught.value.code, "--peer" in (caught.value.remedy or "")) == (Exit.NOT_FOUND, True)


async def test_nobody_to_ask_is_said_as_such(tmp_path: Path) -> None:
    chain = ModelChain(2)
    chain.served.clear()

    class Alone(Peers):
        async def peers(self) -> list[str]:
            return []

    with pytest.raises(Transient, match="no peer could be reached") as caught:
        await model(tmp_path, chain, 2, Alone(chain))
    assert caught.value.code is Exit.NO_PEERS
