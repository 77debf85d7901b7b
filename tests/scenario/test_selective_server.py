"""Solvers that open their training to some coordinators only: three verifiers, of whom two decide.

What one honest verifier was served the others have from it. What only a friend of the solver was served,
which serves nothing on, is not open for the threshold. Nobody else loses anything by either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from attackers import Shelf, choosing
from network import TOKEN, Network, Node
from test_audited_rounds import Made, Outcome, bonds_lost, play, shelve

from jepanet.types import Digest

pytestmark = [pytest.mark.scenario, pytest.mark.slow, pytest.mark.timeout(900)]

NURSERY = Path(__file__).with_name("uneven_nodes.py")
OPEN = ("to one", "states to one")
CHEATS = (*OPEN, "to a friend")


def peer_of(node: Node) -> str:
    status = node.status()
    assert status is not None
    return str(status["addresses"][0].rpartition("/")[2])


@pytest.fixture(scope="module")
def selective(new_network: Callable[..., Network], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    network = new_network(solvers=1, judges=3, nursery=NURSERY)
    first, second, friend = network.judges
    (friend.folder / "uneven").write_text("keeps")
    network.run_nodes()
    only: dict[bytes, str] = {}

    def serve(shelf: Shelf, name: str, made: Made) -> Digest:
        before = set(shelf.files)
        delta = shelve(shelf, name, made)
        to = {"to one": first, "states to one": second, "to a friend": friend}[name]
        mine = set(shelf.files) - before - ({bytes(delta)} if name == "states to one" else set())
        only.update(dict.fromkeys(mine, peer_of(to)))
        return delta

    with choosing(lambda asks, digest: only.get(bytes(digest), asks) == asks):
        shut = {"to a friend": [first, second, network.hub]}
        return asyncio.run(
            play(network, tmp_path_factory.mktemp("selective"), CHEATS, serve=serve, shut=shut)
        )


@pytest.mark.parametrize("name", OPEN)
def test_what_one_honest_verifier_was_served_is_open_to_all(selective: Outcome, name: str) -> None:
    who = selective.cast[name].wallet.address
    row = selective.receipts[who]
    assert (row["verdict"], row["reason"]) in {("accepted", "accepted"), ("excluded", "harm")}, row
    assert [score["audited"] for score in row["scores"]] == [True] * 3
    assert who not in bonds_lost(selective)


def test_attack_a_training_that_is_open_to_a_friend_alone_costs_the_bond(selective: Outcome) -> None:
    who = selective.cast["to a friend"].wallet.address
    row = selective.receipts[who]
    assert (row["verdict"], row["reason"], row["paid"]) == ("invalid", "not-opened", "0"), row
    assert bonds_lost(selective) == {who: 10 * TOKEN}
    done = selective.network.nodes["judge-3"].events("audit.done")
    assert who in {item["solver"] for item in done}, "the friend has seen all of it"


def test_attack_serving_some_takes_nothing_from_anybody_else(selective: Outcome) -> None:
    network = selective.network
    (node,) = network.solvers
    row = selective.receipts[node.address]
    assert (row["verdict"], row["reason"]) in {("accepted", "accepted"), ("excluded", "harm")}, row
    told = network.receipts(selective.number)
    assert told["recomputed"] is True, told["checked"]
    paid = {item["coordinator"]: int(item["paid"]) for item in told["fees"]}
    assert paid == {judge.address: 2 * TOKEN // 3 for judge in network.judges}
    found = [
        {item["solver"]: (item["verdict"], item["reason"]) for item in judge.events("delta.scored")}
        for judge in network.judges[:2]
    ]
    assert found[0] == found[1] and len(found[0]) == 1 + len(CHEATS)
