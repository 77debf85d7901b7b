"""A network from Python: an endpoint, a deployment's file and a peer, as docs/python.md shows it."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contract_fixtures import PARAMS, deployed_network, found_project
from contract_fixtures import Network as Deployed
from p2p_fixtures import Group
from p2p_fixtures import group as group

from jepanet import AsyncNetwork, Fatal, Network, Rejected, verify
from jepanet.cid import digest_of, to_cid
from jepanet.errors import Exit
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.settings.network import topic_of
from learning_shards import RECIPE, SEED, initial
from python_page import play, shards

pytestmark = pytest.mark.integration

MODEL = model_bytes(initial(SEED), ModelHeader.of(RECIPE, 0))


@dataclass
class Place:
    """Where a notebook connects to."""

    deployed: Deployed
    peer: str
    folder: Path
    files: Any

    @property
    def options(self) -> dict[str, Any]:
        return {
            "rpc": self.deployed.chain.anvil.url,
            "deployment": self.folder / "deployment.json",
            "peers": [self.peer],
            "inputs": self.folder / "inputs",
        }


@pytest.fixture
async def place(group: Group, tmp_path: Path) -> AsyncIterator[Place]:
    """A chain with a project and an open round with one commitment, and a peer that serves its files."""
    async with deployed_network() as deployed:
        await found_project(deployed, recipe=digest_of(RECIPE.to_bytes()), model=digest_of(MODEL))
        rounds = deployed.contracts.rounds
        await deployed.do(0, rounds.open_round(PARAMS))
        await deployed.do(3, rounds.commit(1, b"\x07" * 32))
        deployed.deployment.save(tmp_path / "deployment.json")
        member = group.make(topic=topic_of(deployed.deployment))
        member.files.add(tmp_path / "served/recipe", RECIPE.to_bytes())
        member.files.add(tmp_path / "served/model", MODEL)
        await member.start()
        yield Place(deployed, member.address, tmp_path, member.files)


@pytest.mark.parametrize("title", ["A network", "Coroutines"])
async def test_the_examples_run(
    title: str, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a loop runs, as in a notebook; the blocking half beside this one, which serves the peer."""
    monkeypatch.chdir(shards(place.folder))
    names: dict[str, Any] = {"PEER": place.peer}
    usual = "http://127.0.0.1:8545"
    code = {usual: place.deployed.chain.anvil.url}
    if title == "A network":
        await asyncio.to_thread(lambda: asyncio.run(play(title, names, code)))
    else:
        await play(title, names, code)
    shown = capsys.readouterr().out
    assert names["model"].digest == to_cid(digest_of(MODEL)) and names["model"].recipe == RECIPE
    assert "0x" + "07" * 32 in shown
    assert title != "A network" or "round 1 has no recorded result" in shown


async def test_a_network_is_looked_at_from_a_thread_and_closed(place: Place) -> None:
    def looked() -> None:
        with Network.connect(**place.options) as network:
            (project,) = network.projects()
            assert (project.project, project.active_round) == (1, 1)
            (item,) = network.rounds(project=1)
            assert network.rounds(project=2) == ()
            assert (item.summary.phase, item.summary.budget) == ("commit", PARAMS.budget)
            (made,) = item.commitments()
            assert made.solver == place.deployed.wallet(3).address and made.delta is None
            details = item.details()
            assert details.summary.round == 1 and details.sheet.receipts == ()
            model = network.load_model(1)
            assert all(np.array_equal(model.weights[name], array) for name, array in initial(SEED).items())
            for call in (item.load_model, lambda: verify(item), lambda: network.round(9)):
                with pytest.raises(Fatal) as caught:
                    call()
                assert caught.value.code is Exit.NOT_FOUND
            with pytest.raises(Fatal, match="0xno") as caught:
                verify(item, retrain=["0xno"])
            assert caught.value.code is Exit.USAGE
        with pytest.raises(Fatal, match="closed"):
            network.projects()
        with pytest.raises(Fatal, match="closed"):
            item.commitments()

    await asyncio.to_thread(looked)


async def test_one_that_is_forgotten_closes_itself(place: Place) -> None:
    def forgot() -> None:
        network = Network.connect(**place.options)
        thread = network._thread._thread
        assert thread.is_alive()
        del network
        gc.collect()
        thread.join(10)
        assert not thread.is_alive()

    await asyncio.to_thread(forgot)


async def test_attack_a_file_that_is_not_what_its_name_says_is_never_a_model(place: Place) -> None:
    held = place.folder / "inputs"
    held.mkdir()
    (held / to_cid(RECIPE.digest(), "dag-json")).write_bytes(RECIPE.to_bytes())
    (held / to_cid(digest_of(MODEL))).write_bytes(MODEL[:-4] + bytes(4))
    async with await AsyncNetwork.connect(**{**place.options, "peers": (), "offline": True}) as network:
        with pytest.raises(Rejected, match="content its name says"):
            await network.load_model(1)


async def test_what_cannot_be_connected_to_is_said_at_once_and_leaves_no_thread(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    changes: list[tuple[dict[str, Any], Exit]] = [
        ({"rpc": "ftp://127.0.0.1"}, Exit.CONFIG),
        ({"rpc": []}, Exit.USAGE),
        ({"deployment": "none.json"}, Exit.CONFIG),
        ({"peers": ["nowhere"]}, Exit.CONFIG),
        ({"offline": True}, Exit.USAGE),
    ]

    def refused(change: dict[str, Any]) -> Fatal:
        with pytest.raises(Fatal) as caught:
            Network.connect(**{**place.options, **change})
        return caught.value

    for change, code in changes:
        error = await asyncio.to_thread(refused, change)
        assert error.code is code and error.remedy, change
    assert not [thread for thread in threading.enumerate() if thread.name == "jepanet-network"]


async def test_no_variable_of_the_environment_counts(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JEPANET_CHAIN_ENDPOINTS", "http://127.0.0.1:1")
    async with await AsyncNetwork.connect(**place.options) as network:
        assert len(await network.projects()) == 1
