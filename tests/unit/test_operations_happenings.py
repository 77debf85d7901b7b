"""What has happened in a round between two looks, and in which words it is told."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest

from jepanet.interface.terminal.round_words import left, line_of, standing
from jepanet.interface.terminal.watched import Watched
from jepanet.operations.auditing.happenings import happenings, is_complete, phase_end
from jepanet.operations.views.json_form import Wei
from jepanet.operations.views.node import Work
from jepanet.operations.views.rounds import (
    Commitment,
    ExplainedReceipt,
    FeeReceipt,
    HeldOut,
    Receipt,
    ReceiptInWords,
    Reward,
    RoundFigures,
    RoundSchedule,
    RoundSummary,
    ScoreRow,
    SheetFigures,
)
from jepanet.operations.views.watching import (
    Committed,
    Earned,
    FeeEarned,
    Measured,
    Measurements,
    Merged,
    PhaseBegan,
    ResultRecorded,
    Revealed,
    RewardKnown,
    SeenRound,
)
from jepanet.types import Address

pytestmark = pytest.mark.unit

TOKEN = 10**18
ME, OTHER, JUDGE = (Address("0x" + digit * 40) for digit in "123")
ROW = ScoreRow(ME, "bafk", "accepted", "accepted", 4100, 210, "")
SCHEDULE = RoundSchedule(3, "commit", OTHER, Wei(TOKEN), 1000, 990, 1090, 1091, 1151, 1271, None, None)
OPENED = SeenRound(
    RoundFigures(
        RoundSummary(
            3, 1, "commit", None, "base", None, None, 0, 0, Wei(100 * TOKEN), Wei(2 * TOKEN), None, None
        ),
        False,
        None,
    ),
    SCHEDULE,
    (),
    (),
    (),
    None,
)


def later(seen: SeenRound, phase: str, **summary: object) -> SeenRound:
    figures = replace(seen.figures, summary=replace(seen.figures.summary, phase=phase, **summary))
    return replace(seen, figures=figures, schedule=replace(seen.schedule, phase=phase))


COMMITTED = replace(
    OPENED, commitments=(Commitment(ME, "0xaa", None), Commitment(OTHER, "0xbb", None))
)  # both in one look
REVEALED = replace(
    later(COMMITTED, "verify"),
    commitments=(Commitment(ME, "0xaa", "bafk"), Commitment(OTHER, "0xbb", None)),
)
RECORDED = replace(
    later(REVEALED, "challenge", improvement=78_669, payout=Wei(51 * TOKEN), sheet="bafs"),
    measurements=(Measurements(JUDGE, (ROW,)),),
)
RECEIPT = ExplainedReceipt(
    Receipt(ME, "bafk", "accepted", "", "", 4100, 210, "shard", "base", Wei(49 * TOKEN), "4100 × 0.0005"),
    ReceiptInWords(3, ME, "bafk", Wei(49 * TOKEN), "a gain", "accepted", "49 tokens", "returned"),
)
FIGURES = SheetFigures(True, "", Wei(1), HeldOut({}, {}), (FeeReceipt(JUDGE, Wei(2 * TOKEN), "whole"),))
SETTLED = replace(
    later(RECORDED, "settled"),
    receipts=(RECEIPT,),
    reward=Reward(3, 1, "solver", 1300, "accepted", Wei(49 * TOKEN), "pending"),
)
SETTLED = replace(SETTLED, figures=replace(SETTLED.figures, sheet_read=True, figures=FIGURES))


def test_what_is_new_is_told_once_and_in_order() -> None:
    assert happenings(None, OPENED) == (PhaseBegan(3, 1, "commit", None, 1090),)
    assert happenings(OPENED, OPENED) == ()
    assert happenings(OPENED, COMMITTED) == (Committed(3, ME), Committed(3, OTHER))
    assert happenings(COMMITTED, REVEALED) == (
        Revealed(3, ME, "bafk"), PhaseBegan(3, 1, "verify", None, 1271),
    )  # fmt: skip
    assert happenings(REVEALED, RECORDED) == (
        Measured(3, JUDGE, ROW), ResultRecorded(3, 78_669, Wei(51 * TOKEN)),
        PhaseBegan(3, 1, "challenge", None, None),
    )  # fmt: skip
    assert happenings(RECORDED, SETTLED) == (
        PhaseBegan(3, 1, "settled", None, None), Merged(3, True, ""), Earned(RECEIPT.words, RECEIPT.receipt),
        FeeEarned(3, FIGURES.fees[0]), RewardKnown(SETTLED.reward),
    )  # fmt: skip
    assert SETTLED.reward is not None
    claimed = replace(SETTLED, reward=replace(SETTLED.reward, claim="done"))
    assert happenings(SETTLED, claimed) == (RewardKnown(claimed.reward),)


def test_who_comes_late_is_told_everything() -> None:
    steps = (None, OPENED, COMMITTED, REVEALED, RECORDED, SETTLED)
    one_by_one = [item for a, b in itertools.pairwise(steps) for item in happenings(a, b)]
    at_once = happenings(None, SETTLED)
    assert {repr(item) for item in at_once} == {
        repr(item) for item in one_by_one if not isinstance(item, PhaseBegan) or item.phase == "settled"
    }
    assert isinstance(at_once[0], PhaseBegan)


def test_a_round_is_watched_until_it_is_over_read_and_claimed() -> None:
    assert not any(map(is_complete, (OPENED, COMMITTED, REVEALED, RECORDED, SETTLED)))
    assert SETTLED.reward is not None
    for claim in ("done", "rejected"):
        assert is_complete(replace(SETTLED, reward=replace(SETTLED.reward, claim=claim)))
    assert is_complete(replace(SETTLED, reward=None)), "of a node that took no part"
    unread = replace(SETTLED, figures=replace(SETTLED.figures, sheet_read=False), reward=None)
    assert not is_complete(unread)
    assert is_complete(later(OPENED, "cancelled", cause="no commits"))
    assert is_complete(later(unread, "cancelled", cause="result overturned"))


@pytest.mark.parametrize(
    ("phase", "ends"),
    [("commit", 1090), ("gap", 1091), ("reveal", 1151), ("verify", 1271), ("challenge", 9), ("settled", None),
     ("cancellable", None), ("disputed", None)],
)  # fmt: skip
def test_a_phase_ends_by_the_clock_or_by_somebody(phase: str, ends: int | None) -> None:
    assert phase_end(replace(SCHEDULE, phase=phase, challenge_end=9)) == ends


def test_everything_that_happens_has_words_and_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    steps = (None, OPENED, COMMITTED, REVEALED, RECORDED, SETTLED)
    told = [item for a, b in itertools.pairwise(steps) for item in happenings(a, b)]
    lines = [line_of(item, ME, 1000.0) for item in told]
    assert lines[0] == "Round 3: COMMIT, 1:30 at most: solvers train and commit"
    assert lines[1:3] == ["  this node has committed", "  0x2222…2222 has committed"]
    assert all(len(line) <= 70 for line in lines)
    assert any("gains 78,669 micro-nats, 51 tokens are paid" in line for line in lines)
    assert "as solver: 49 tokens, being claimed" in lines[-1]
    with Watched(as_json=True) as watched:
        for item in told:
            watched.happened(item)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["event"] for row in rows] == [type(item).EVENT for item in told]
    assert all(row["round"] == 3 and row["at"] > 0 for row in rows)
    (receipt,) = [row for row in rows if row["event"] == "receipt"]
    assert (receipt["paid"], receipt["receipt"]["gain"]) == (str(49 * TOKEN), 4100)


def test_attack_a_stranger_s_words_do_not_move_the_cursor() -> None:
    row = replace(ROW, reason="\x1b[2J\nRound 9: SETTLED")
    assert line_of(Measured(3, JUDGE, row), ME, 0.0).isprintable()
    assert standing(later(OPENED, "commit"), Work("\x1b[2J", 1), 0.0).isprintable()


def test_a_line_says_where_the_round_stands() -> None:
    text = standing(OPENED, Work("training", 4, 80, 160, 0.5), 1000.0)
    assert text == "round 3 · COMMIT · 1:30 left · 0 committed, 0 revealed · training 80/160"
    assert [left(until, 100.0) for until in (90, 100, 161, 100 + 3600 + 120)] == [
        "0:00", "0:00", "1:01", "1 h 02 min",
    ]  # fmt: skip
