"""A history that is held open: each block is folded once, what is new is added, a fork begins it anew."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from contract_fixtures import PARAMS, Network, deployed_network, found_project

from jepanet.errors import Exit, Fatal
from jepanet.operations.access import ChainAccess
from jepanet.operations.auditing.rounds import list_rounds
from jepanet.operations.reading.history import History, find_round, open_history

pytestmark = pytest.mark.integration


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with deployed_network() as network:
        await found_project(network)
        yield network


async def test_what_is_new_is_added_and_nothing_is_read_twice(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = ChainAccess(network.chain.rpc, network.deployment, network.contracts, 1)
    folded: list[int] = []
    fold = History._fold

    def watched(history: History, step: object) -> None:
        folded.extend(block.ref.number for block in step.blocks)  # type: ignore[attr-defined]
        fold(history, step)  # type: ignore[arg-type]

    monkeypatch.setattr(History, "_fold", watched)
    async with open_history(chain) as history:
        assert await list_rounds(history) == ()
        with pytest.raises(Fatal) as caught:
            find_round(await history.state(), 1)
        assert caught.value.code is Exit.NOT_FOUND
        before = await history.state()
        await network.do(0, network.contracts.rounds.open_round(PARAMS))
        assert before.rounds == {}, "what was answered does not change"
        (listed,) = await list_rounds(history)
        assert (listed.round, listed.phase, listed.budget) == (1, "commit", PARAMS.budget)
        assert await history.state() is await history.state(), "nothing new, nothing read"
        assert len(folded) == len(set(folded)), "each block once"


async def test_a_fork_begins_it_anew(network: Network) -> None:
    chain = ChainAccess(network.chain.rpc, network.deployment, network.contracts, 1)
    async with open_history(chain) as history:
        kept = await network.chain.rpc.request("evm_snapshot", [])
        await network.do(0, network.contracts.rounds.open_round(PARAMS))
        assert len((await history.state()).rounds) == 1
        assert await network.chain.rpc.request("evm_revert", [kept])
        await network.chain.mine(5)
        assert (await history.state()).rounds == {}
