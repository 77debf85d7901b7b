"""The pure parts of `scripts/rehearsal`: its plan, packets under way, what is counted as missed or failed."""

from __future__ import annotations

import contextlib
import copy
import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import click.testing
import pytest
from scripts.demonstration.cast import DemoFailed
from scripts.rehearsing import __main__ as command
from scripts.rehearsing import namespaces
from scripts.rehearsing.duties import given_up, missed_commits
from scripts.rehearsing.packets import JITTER, MOST_UNDER_WAY, UnderWay
from scripts.rehearsing.plan import CHAIN, DELAY_MS, LOSS_PERCENT, OUTSIDER, Link, cast, draw_plan
from scripts.rehearsing.report import commits_of, failures, missed_signatures, rounds_of, spread
from scripts.rehearsing.router import target_of
from scripts.rehearsing.watching import Recovery

from jepanet.protocol import facts
from jepanet.types import Address, BlockRef, Digest, ProjectId, RoundId

pytestmark = pytest.mark.unit

NAMES = [name for name, _ in cast(5, 3)]
MEMBERS = [CHAIN, "a", "b", "c"]


# ------------------------------------------------------------------ the plan


def test_ten_nodes_play_by_default() -> None:
    assert len(NAMES) == 10 and NAMES[0] == "aggregator"


def test_a_seed_gives_the_same_plan_and_another_one_another() -> None:
    assert draw_plan(7, 50, NAMES) == draw_plan(7, 50, NAMES)
    assert draw_plan(7, 50, NAMES) != draw_plan(8, 50, NAMES)


@pytest.mark.parametrize("seed", range(50))
def test_every_way_lies_within_the_bounds_and_rounds_can_go_on(seed: int) -> None:
    plan = draw_plan(seed, 50, NAMES)
    links = list(plan.links.values())
    assert set(plan.links) == {CHAIN, OUTSIDER, *NAMES}
    for one in links:
        for other in links:
            assert DELAY_MS[0] - 0.2 <= one.delay_ms + other.delay_ms <= DELAY_MS[1] + 0.2
            lost = 100 * (1 - (1 - one.loss) * (1 - other.loss))
            assert LOSS_PERCENT[0] * 0.98 <= lost <= LOSS_PERCENT[1]
    assert [item.chain for item in plan.partitions] == [True, False]
    for item in plan.partitions:
        assert item.after + item.rounds < 50 and len(item.members) == 2
        assert sum(name.startswith("coordinator") for name in item.members) == 1
        assert not {"proposer", "aggregator"} & set(item.members)
    assert [item.after for item in plan.upgrades] == [6, 12, 25, 40]
    assert {item.member.partition("-")[0] for item in plan.upgrades} == {
        "aggregator", "coordinator", "solver", "proposer",
    }  # fmt: skip


def test_the_only_coordinator_is_never_cut_off() -> None:
    names = [name for name, _ in cast(2, 1)]
    plan = draw_plan(1, 3, names, upgrades=False)
    assert plan.upgrades == () and len(plan.partitions) == 1
    assert plan.partitions[0].members[0].startswith("solver") and len(plan.partitions[0].members) == 1


def test_the_plan_is_printed_without_root_and_nothing_else_done(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command.main(["--plan", "--seed", "7", "--out", str(out)], standalone_mode=False)
    assert json.loads(capfd.readouterr().out)["seed"] == 7 and not out.exists()


@pytest.mark.parametrize("option", [["--clean"], ["--rounds", "1"]])
def test_who_is_not_root_is_told_what_it_takes(monkeypatch: pytest.MonkeyPatch, option: list[str]) -> None:
    monkeypatch.setattr(namespaces.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(namespaces.shutil, "which", lambda name: f"/sbin/{name}")
    shown = click.testing.CliRunner().invoke(command.main, option)
    assert shown.exit_code == 1
    with pytest.raises(DemoFailed, match="takes root"):
        namespaces.require()


# ------------------------------------------------------------------ packets under way


def network(loss: float = 0.0, delay_ms: float = 10.0, seed: int = 1) -> UnderWay:
    return UnderWay(MEMBERS, {name: Link(delay_ms, loss) for name in MEMBERS}, seed, 0)


def test_a_packet_arrives_after_both_links_and_no_earlier() -> None:
    way = network()
    assert way.next_due() is None and way.put(b"x" * 100, 1, 2, 5.0)
    due = way.next_due()
    assert due is not None and 5.02 <= due <= 5.02 * (1 + JITTER)
    assert list(way.due(5.0199)) == []
    assert list(way.due(due)) == [(2, b"x" * 100)] and way.next_due() is None
    assert (way.counts[1].sent, way.counts[2].received, way.counts[1].packets) == (100, 100, 1)


def test_packets_of_one_way_stay_in_order_whatever_the_jitter() -> None:
    way = network(delay_ms=50.0)
    for number in range(500):
        way.put(number.to_bytes(2), 1, 2, number * 1e-4)
        way.put(number.to_bytes(2), 2, 1, number * 1e-4)
    arrived = list(way.due(10.0))
    for target in (1, 2):
        assert [int.from_bytes(data) for who, data in arrived if who == target] == list(range(500))


def test_as_many_are_lost_as_both_links_say() -> None:
    way = network(loss=0.01)
    for number in range(20_000):
        way.put(b"x", 1, 2, number * 1.0)
        list(way.due(number + 0.5))
    assert 0.015 < way.counts[1].lost / 20_000 < 0.025
    assert way.counts[1].packets == 20_000 == way.counts[1].lost + way.counts[2].received


def test_a_seed_loses_the_same_packets() -> None:
    def kept(seed: int) -> list[bool]:
        way = network(loss=0.2, seed=seed)
        return [way.put(b"x", 1, 2, 0.0) for _ in range(200)]

    assert kept(3) == kept(3) != kept(4)


def reached(way: UnderWay, source: int, target: int) -> bool:
    return way.put(b"x", source, target, 0.0)


def test_who_is_cut_off_reaches_those_beside_it_alone_until_it_is_healed() -> None:
    way = network()
    way.cut(["b", "c"], chain=True)
    assert reached(way, 2, 3) and reached(way, 3, 2) and reached(way, 0, 1)
    assert not any([reached(way, 1, 2), reached(way, 2, 1), reached(way, 3, 0), reached(way, 0, 3)])
    assert way.counts[1].cut == way.counts[2].cut == way.counts[0].cut == 1
    way.heal()
    assert reached(way, 1, 2) and reached(way, 3, 0)


def test_a_cut_from_peers_alone_leaves_the_chain() -> None:
    way = network()
    way.cut(["b"], chain=False)
    assert reached(way, 2, 0) and reached(way, 0, 2) and not reached(way, 2, 1)
    assert way.counts[2].to_chain == 1
    assert len(list(way.due(9.0))) == 2 and way.counts[2].from_chain == 1


def test_a_full_buffer_drops() -> None:
    way = network()
    assert sum(way.put(b"x", 1, 2, 0.0) for _ in range(MOST_UNDER_WAY + 5)) == MOST_UNDER_WAY
    assert way.counts[1].lost == 5


def test_only_ipv4_for_a_member_is_carried() -> None:
    numbers = {bytes([10, 77, 0, 2]): 1}
    packet = bytes([0x45, *[0] * 15, 10, 77, 0, 2])
    assert target_of(packet, numbers) == 1
    assert target_of(packet[:-1] + b"\x09", numbers) is None
    assert target_of(b"\x60" + packet[1:], numbers) is None
    assert target_of(packet[:19], numbers) is None and target_of(b"", numbers) is None


# ------------------------------------------------------------------ what it came to

A, B = Address("0x" + "A" * 40), Address("0x" + "B" * 40)
BLOCK = BlockRef(1, bytes(32), 1)


def opened(number: int) -> facts.ChainRoundOpened:
    nothing: Any = None
    return facts.ChainRoundOpened(
        RoundId(number), ProjectId(1), A, nothing, Digest(bytes(32)), 1, bytes(32), 9, BLOCK, 0
    )


def committed(number: int, who: Address) -> facts.ChainCommitted:
    return facts.ChainCommitted(RoundId(number), who, bytes(32), 0, 1, BLOCK, 0)


def test_commits_are_missed_by_name_also_in_rounds_without_any() -> None:
    found = [opened(1), committed(1, A), opened(2), committed(2, A), committed(2, B), opened(3)]
    assert rounds_of(found)["opened"] == 3 and rounds_of(found)["commits"] == 3
    solvers = {"solver-1": A.lower(), "solver-2": B}
    assert missed_commits(commits_of(found), solvers) == {"solver-2": [1, 3], "solver-1": [3]}


def test_a_signature_is_missed_by_who_is_not_among_the_signers() -> None:
    made = facts.ChainVerifierSetCreated(1, A, (A, B), 1, 2, 0, BLOCK, 0)
    zero = bytes(32)
    recorded = [
        facts.ChainTrainingRecorded(
            RoundId(number), zero, Digest(zero), Digest(zero), 0, 0, 0, zero, signers, BLOCK, 0
        )
        for number, signers in ((1, 0b11), (2, 0b01), (3, 0b10))
    ]
    names = {A.lower(): "one", B.lower(): "two"}
    assert missed_signatures([made, *recorded], names) == {"two": [2], "one": [3]}


def test_duties_given_up_are_counted_by_reason(tmp_path: Path) -> None:
    journal = tmp_path / "journal.sqlite"
    with contextlib.closing(sqlite3.connect(journal)) as database:
        database.execute("CREATE TABLE outbox (tag TEXT, error TEXT, state TEXT)")
        rows = [("TrainShard", "lapsed: too late", "rejected"), ("SendCommit", "lapsed: x", "done"),
                ("TrainShard", "lapsed: again", "rejected"), ("SendClaim", None, "rejected")]  # fmt: skip
        database.executemany("INSERT INTO outbox VALUES (?, ?, ?)", rows)
        database.commit()
    assert given_up(journal) == Counter({"TrainShard: lapsed": 2, "SendClaim: ": 1})


@pytest.mark.parametrize(
    ("count", "wanted", "places"),
    [(1, 10, [0]), (5, 1, [0]), (5, 2, [0, 4]), (50, 3, [0, 24, 49]), (3, 10, [0, 1, 2])],
)
def test_checked_rounds_are_spread_over_all(count: int, wanted: int, places: list[int]) -> None:
    assert [int(item) for item in spread(count, wanted)] == places


def test_whoever_comes_back_is_timed_from_the_end_of_the_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    class Seen:
        written, peers, confirmed = 100, 3, 50

        def status(self) -> dict[str, Any]:
            return {"written": self.written, "peers": self.peers, "chain": {"confirmed": self.confirmed}}

    node: Any = Seen()
    found = Recovery("solver-1", peers_before=5, healed=200.0)
    monkeypatch.setattr("scripts.rehearsing.watching.time.time", lambda: 207.5)
    found.look(node, 60)  # what it wrote before the cut ended says nothing
    assert found.peers is None and found.chain is None
    node.written = 206
    found.look(node, 60)
    assert found.peers is None and found.chain is None
    node.confirmed = 57
    found.look(node, 60)
    assert found.chain == 7.5 and not found.whole
    node.peers = 5
    found.look(node, 60)
    assert found.peers == 7.5 and found.whole


GOOD: dict[str, Any] = {
    "rounds": {"opened": 50, "settled": 45, "cancelled": 5, "published": 20},
    "slashed": [{"round": 3, "who": "solver-1", "cause": "excluded", "promise": False}],
    "verified": [{"round": 3, "agrees": True}],
    "recoveries": [{"member": "solver-2", "peers_before": 9, "peers": 4.0, "chain": 2.0}],
    "events": [{"at": 3.0, "what": "cut"}],
}


def test_a_good_rehearsal_has_no_failures() -> None:
    assert failures(GOOD) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rounds": {"opened": 50, "settled": 39, "published": 20}}, "only 39 of 50"),
        ({"rounds": {"opened": 50, "settled": 45, "published": 0}}, "no model"),
        ({"slashed": [{"round": 3, "who": "solver-1", "cause": "not_revealed", "promise": True}]}, "bond"),
        ({"verified": [{"round": 3, "agrees": False}]}, "round 3 does not verify"),
        ({"recoveries": [{"member": "solver-2", "peers": None, "chain": 2.0}]}, "has not come back"),
        ({"events": [{"at": 1.0, "what": "ended", "member": "proposer"}]}, "proposer ended by itself"),
    ],
)
def test_each_thing_that_is_wrong_is_said(changes: dict[str, Any], said: str) -> None:
    found = failures({**copy.deepcopy(GOOD), **changes})
    assert len(found) == 1 and said in found[0]
