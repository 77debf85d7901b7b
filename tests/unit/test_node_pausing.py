"""Paused roles: nothing new is begun, what is owed goes on, and a restart changes nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from engine_bench import Bench
from protocol_facts import ROUND, sealed

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.node.pausing import BEGINS, Pauses
from jepanet.protocol.duties import Duty
from jepanet.protocol.facts import LocalFact
from jepanet.rpc.codes import Code
from jepanet.types import Role, RoundId
from rpc_node import ANode, Asking, a_node

pytestmark = pytest.mark.unit
ALL = frozenset(Role)
TRAIN, COMMIT = f"TrainShard/{ROUND}", f"SendCommit/{ROUND}"


class Holding:
    """What an engine was told not to begin."""

    def __init__(self) -> None:
        self.tags: frozenset[str] = frozenset({"never told"})

    def __call__(self, tags: frozenset[str]) -> None:
        self.tags = tags


def test_what_begins_a_role_is_held_and_a_restart_remembers(tmp_path: Path) -> None:
    file, held = tmp_path / "paused.json", Holding()
    pauses = Pauses(file, ALL, held)
    assert held.tags == frozenset() and not file.exists()
    pauses.pause(frozenset({Role.SOLVER, Role.AGGREGATOR}))
    assert held.tags == {"TrainShard", "BuildSheet"}
    again = Holding()
    restarted = Pauses(file, ALL, again)
    assert again.tags == held.tags and restarted.paused == {Role.SOLVER, Role.AGGREGATOR}
    restarted.resume(ALL)
    assert again.tags == frozenset()
    assert Pauses(file, ALL, held).paused == frozenset() == held.tags


@pytest.mark.parametrize(
    "roles", [{Role.AGGREGATOR}, {Role.COORDINATOR}, {Role.COORDINATOR, Role.AGGREGATOR}]
)
def test_a_node_that_measures_stops_measuring_once_nobody_needs_it(tmp_path: Path, roles: set[Role]) -> None:
    held = Holding()
    Pauses(tmp_path / "paused.json", frozenset(roles), held).pause(frozenset(roles))
    assert "ScoreDeltas" in held.tags


def test_a_coordinator_is_not_paused_under_its_aggregator(tmp_path: Path) -> None:
    held = Holding()
    pauses = Pauses(tmp_path / "paused.json", ALL, held)
    with pytest.raises(Rejected, match="pause both"):
        pauses.pause(frozenset({Role.COORDINATOR}))
    pauses.pause(ALL)
    with pytest.raises(Rejected, match="resume that first"):
        pauses.resume(frozenset({Role.AGGREGATOR}))
    assert pauses.paused == ALL and held.tags == {kind.__name__ for kind in BEGINS.values()}
    solver = Pauses(tmp_path / "other.json", frozenset({Role.SOLVER}), held)
    with pytest.raises(Rejected, match="no proposer"):
        solver.pause(frozenset({Role.PROPOSER}))


@pytest.mark.parametrize(
    "text", ["", "[", "[]", "{}", '{"paused": "solver"}', '{"paused": ["king"]}', '{"paused": [], "x": 1}',
             '{"paused": [{}]}', "[" * 4000],
)  # fmt: skip
def test_attack_a_damaged_file_is_no_end_of_a_pause(tmp_path: Path, text: str) -> None:
    file = tmp_path / "paused.json"
    file.write_text(text)
    with pytest.raises(Fatal) as caught:
        Pauses(file, ALL, Holding())
    assert caught.value.code is Exit.DAMAGED and "delete it" in str(caught.value.remedy)


def test_roles_that_a_node_has_no_more_are_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "paused.json"
    file.write_text(json.dumps({"paused": ["proposer", "solver"]}))
    assert Pauses(file, frozenset({Role.SOLVER}), Holding()).paused == {Role.SOLVER}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ANode]:
    found = a_node(tmp_path)
    yield found
    found.journal.close()
    found.blobs.close()


async def test_an_operator_pauses_and_drains_and_is_told_who_still_needs_the_node(node: ANode) -> None:
    asking = Asking(node)
    roles = [{"role": "solver", "paused": False}]
    waits = [n for n in range(9, 31) if node.state.rounds[RoundId(n)].committed(node.state.me.address)]
    assert waits
    told = await asking.get("node.standing")
    assert told == {"roles": roles, "rounds": waits, "needed": True}
    paused = await asking.get("node.drain")
    assert paused["roles"] == [{"role": "solver", "paused": True}] and paused["needed"]
    ended = {RoundId(n): replace(node.state.rounds[RoundId(n)], commits=()) for n in waits}
    node.state = replace(node.state, rounds={**node.state.rounds, **ended})
    assert (await asking.get("node.standing"))["needed"] is False
    assert (await asking.get("node.resume", role="solver"))["roles"] == roles
    assert (await asking.error("node.pause", role="proposer"))[0] == Code.INVALID_PARAMS.value
    assert (await asking.error("node.pause", role="king"))[0] == Code.INVALID_PARAMS.value


async def test_a_held_duty_waits_in_the_outbox_and_is_done_after_the_pause(tmp_path: Path) -> None:
    async with Bench(tmp_path / "journal.sqlite") as bench:
        pauses = Pauses(tmp_path / "paused.json", frozenset({Role.SOLVER}), bench.engine.hold)
        pauses.pause(frozenset({Role.SOLVER}))
        bench.start()
        bench.open_round()
        await bench.until(lambda: bench.state_of(TRAIN) == "pending")
        await bench.settle()
        assert bench.calls == ["PrepareRound"]
        pauses.resume(frozenset({Role.SOLVER}))
        await bench.until(lambda: bench.state_of(COMMIT) == "done")
        assert bench.calls == ["PrepareRound", "TrainShard", "SendCommit"]


async def test_what_is_under_way_is_carried_on_and_what_is_owed_is_done(tmp_path: Path) -> None:
    async with Bench(tmp_path / "journal.sqlite") as bench:
        pauses = Pauses(tmp_path / "paused.json", frozenset({Role.SOLVER}), bench.engine.hold)
        gate = asyncio.Event()

        async def slowly(_: Duty) -> Sequence[LocalFact]:
            await gate.wait()
            return [sealed()]

        bench.answers["TrainShard"] = slowly
        bench.start()
        bench.open_round()
        await bench.until(lambda: "TrainShard" in bench.calls)
        assert bench.engine.under_way() == (TRAIN,)
        pauses.pause(frozenset({Role.SOLVER}))
        gate.set()
        await bench.until(lambda: bench.state_of(COMMIT) == "done")


def test_every_role_has_a_duty_that_begins_it() -> None:
    assert set(BEGINS) == ALL
