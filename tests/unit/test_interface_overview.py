"""A node at a glance in words: whatever a node says fits 80 columns and tells the terminal nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from jepanet.interface.terminal.overview_words import lines, plain
from jepanet.operations.diagnosis.worries import CAUSES, size, span, worries
from jepanet.operations.status import status_view
from jepanet.operations.views.activity import Source, TrainingNow, Transfer
from jepanet.operations.views.funds import Account
from jepanet.operations.views.json_form import Wei
from jepanet.operations.views.node import Health, NodeStatus, OpenDuty, RoundStatus, Surroundings
from jepanet.operations.views.overview import OpenRound, Overview
from jepanet.operations.views.rounds import Reward, RoundSchedule, RoundSummary
from rpc_node import ME, PEERS, TOKEN, a_node

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
AROUND = Surroundings(False, 1, 50 << 30, 100 << 30)
WELL = Health(True, True, (), (), AROUND)
ACCOUNT = Account(ME, *map(Wei, (2 * TOKEN, TOKEN, 30 * TOKEN, 10 * TOKEN, 0, 0)))
TRAINING = TrainingNow("train_delta", 7, 61, 90, 400, 1.0234, 2.0, 155, 1100, 1200, False, ())
ROUND = OpenRound(
    RoundSummary(
        7, 1, "commit", None, "b", None, None, 2, 0, Wei(100 * TOKEN), Wei(TOKEN), Wei(TOKEN), None, None
    ),
    RoundSchedule(7, "commit", ME, Wei(TOKEN), 1100, 1000, 1200, 1210, 1300, 1400, None, None, False, False),
)


@pytest.fixture
async def status(tmp_path: Path) -> NodeStatus:
    node = a_node(tmp_path)
    found = status_view(await node.status())
    node.journal.close()
    node.blobs.close()
    return replace(found, rounds=())


def overview(status: NodeStatus, health: Health = WELL) -> Overview:
    rewards = (Reward(6, 1, "solver", 1000, "accepted", Wei(19 * TOKEN), "rejected"),)
    coming = Transfer("bafk" + "a" * 55, "model", 3_000_000, 0, 5, (Source(PEERS[0], 9),))
    told = worries(status, health, ACCOUNT, rewards, TRAINING)
    return Overview(status, health, ACCOUNT, (ROUND,), rewards, TRAINING, (coming,), told)


async def test_all_of_it_is_said_and_fits(status: NodeStatus) -> None:
    duty = OpenDuty("SendReveal/7", 2, "\x1b[2J" + "no funds " * 30)
    seen = overview(replace(status, duties=(duty,)))
    told = [item.text for item in lines(seen, 10.0, 80)]
    assert all(len(line) <= 80 and line.isprintable() for line in told)
    text = re.sub(r"\s+", " ", " ".join(told))
    for part in (
        "well · solver",
        "7 · COMMIT · 1:30 left",
        "your part: train, and commit before it ends",
        "step 90 of 400 · loss 1.023 · 2 steps/s · 2 min 25 s left · LATE by 55 s",
        "This training would end 55 s after its deadline",
        "SendReveal/7 did not succeed in 2 attempts",
        "The claim of round 6 was given up",
        "stake 40, of which 10 locked",
        "19 tokens in the newest round with a result · not claimed yet: 19",
        "size not known yet from 16Uiu2HA…AAAA",
    ):
        assert part in text, part
    assert "\x1b" not in text
    assert [line for line in plain(seen) if "left" in line] == [], "a countdown is no news"


@pytest.mark.parametrize(
    ("roles", "phase", "did", "says"),
    [
        (("solver",), "commit", {}, "train, and commit"),
        (("solver",), "commit", {"committed": True}, "done: the commitment is on the chain"),
        (("solver",), "gap", {"committed": True}, "wait for the reveal"),
        (("solver",), "reveal", {"committed": True}, "reveal the delta"),
        (("solver",), "reveal", {"committed": True, "revealed": True}, "done: the delta is revealed"),
        (("solver",), "reveal", {}, "none: this node committed to nothing"),
        (("coordinator",), "verify", {}, "score every delta"),
        (("coordinator",), "verify", {"scored": True}, "done: every delta is scored"),
        (("coordinator", "solver"), "verify", {"committed": True}, "score every delta"),
    ],
)
def test_your_part_is_what_is_left_to_do(
    status: NodeStatus, roles: tuple[str, ...], phase: str, did: dict[str, bool], says: str
) -> None:
    mine = RoundStatus(7, 1, phase, 2, 0, True, None, False, did.get("scored", False), 0, (),
                       did.get("committed", False), did.get("revealed", False))  # fmt: skip
    at = OpenRound(replace(ROUND.summary, phase=phase), replace(ROUND.schedule, phase=phase))
    seen = replace(overview(replace(status, roles=roles, rounds=(mine,))), rounds=(at,))
    text = re.sub(r"\s+", " ", " ".join(item.text for item in lines(seen, 0.0, 200)))
    assert [part[: len(says)] for part in re.findall(r"your part: (.+?)(?: Round| To do|$)", text)] == [says]
    words = (ROOT / "dashboard/src/words/phases.ts").read_text(encoding="utf-8")
    assert f'"{says}' in words, "the dashboard says the same"


def test_the_worst_comes_first_and_silence_explains_what_follows(status: NodeStatus) -> None:
    around = Surroundings(True, -7200, 20_000_000, 10**11)
    reasons = ("catching-up", "chain-stopped", "endpoints-silent", "something-new")
    health = Health(True, False, reasons, ("clock-apart", "disk-full"), around)
    found = [item.what for item in worries(status, health, None, (), None)]
    assert found == [
        "No endpoint of the chain answers",
        "The node's clock is 2 h 00 min behind the chain's",
        "The disk is full: 20 MB of 100 GB are left",
        "The node is still reading older blocks",
        "The node is not ready: something-new",
    ]
    assert worries(status, WELL, ACCOUNT, (), None) == ()
    poor = replace(ACCOUNT, native=Wei(0), debt=Wei(2 * TOKEN))
    assert [item.weight for item in worries(status, WELL, poor, (), None)] == ["bad", "warn"]


def test_the_dashboard_and_the_terminal_say_the_same() -> None:
    table = (ROOT / "dashboard/src/words/causes.ts").read_text(encoding="utf-8")
    entry = r'"([a-z-]+)": \{\s+tone: "(\w+)",\s+what: "([^"]+)",\s+remedy: "([^"]+)",'
    there = {name: (tone, what, remedy) for name, tone, what, remedy in re.findall(entry, table)}
    assert there == {name: (str(item.weight), item.what, item.remedy) for name, item in CAUSES.items()}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-3, "0 s"), (9, "9 s"), (249, "4 min 09 s"), (3840, "1 h 04 min"), (90_000, "1 d 01 h")],
)
def test_lengths_of_time(seconds: float, said: str) -> None:
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 B"), (999, "999 B"), (3_000_000, "3.0 MB"), (10**11, "100 GB")]
)
def test_sizes(count: int, said: str) -> None:
    assert size(count) == said
