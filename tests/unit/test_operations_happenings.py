"""What has happened in a round between two looks, and in which words it is told."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest

from jepanet.interface.terminal import watched as watched_module
from jepanet.interface.terminal.round_words import left, line_of, standing
from jepanet.interface.terminal.watched import Watched
from jepanet.operations.auditing.happenings import happenings, is_complete, phase_end
from jepanet.operations.views.activity import TrainingNow
from jepanet.operations.views.json_form import Wei
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
    ShardDrawn,
    ShardUnsealed,
)
from jepanet.types import Address

pytestmark = pytest.mark.unit

TOKEN = 10**18
ME, OTHER, JUDGE = (Address("0x" + digit * 40) for digit in "123")
TRAINING = TrainingNow("train_delta", 3, 9, 80, 160, 0.51234, 6.7, 12, 1000, 1090, True, ())
ROW = ScoreRow(ME, "bafk", "accepted", "accepted", 4100, 210, "")
SCHEDULE = RoundSchedule(
    3, "commit", OTHER, Wei(TOKEN), 1000, 990, 1090, 1091, 1151, 1271, None, None, False, False
)
OPENED = SeenRound(
    RoundFigures(
        RoundSummary(
            3,
            1,
            "commit",
            None,
            "base",
            None,
            None,
            0,
            0,
            Wei(100 * TOKEN),
            Wei(2 * TOKEN),
            Wei(TOKEN),
            None,
            None,
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
DRAWN = replace(later(COMMITTED, "gap"), schedule=replace(SCHEDULE, phase="gap", drawn=True))
UNSEALED = replace(REVEALED, schedule=replace(SCHEDULE, phase="verify", drawn=True, unsealed=True))
RECORDED = replace(
    later(REVEALED, "challenge", improvement=78_669, payout=Wei(51 * TOKEN), sheet="bafs"),
    measurements=(Measurements(JUDGE, (ROW,)),),
)
RECEIPT = ExplainedReceipt(
    Receipt(ME, "bafk", "accepted", "", "", 4100, 210, "shard", "base", Wei(49 * TOKEN), "4100 × 0.0005"),
    ReceiptInWords(3, ME, "bafk", Wei(49 * TOKEN), "a gain", "accepted", "49 tokens", "returned"),
)
FIGURES = SheetFigures(True, "", Wei(1), 1, HeldOut({}, {}), (FeeReceipt(JUDGE, Wei(2 * TOKEN), "whole"),))
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
        FeeEarned(3, FIGURES.fees[0]), RewardKnown(SETTLED.reward, Wei(TOKEN)),
    )  # fmt: skip
    assert SETTLED.reward is not None
    claimed = replace(SETTLED, reward=replace(SETTLED.reward, claim="done"))
    (back,) = happenings(SETTLED, claimed)
    assert line_of(back, ME, 1.0) == "  this node, as solver: 49 tokens, claimed; its bond of 1 is back"
    for part, verdict in (("solver", "excluded"), ("coordinator", None)):
        lost = replace(claimed, reward=replace(SETTLED.reward, claim="done", part=part, verdict=verdict))
        assert "bond" not in line_of(happenings(SETTLED, lost)[0], ME, 1.0)


def test_a_shard_is_drawn_and_unsealed_when_it_is_and_not_when_a_phase_begins() -> None:
    gap = later(COMMITTED, "gap")
    (began,) = happenings(COMMITTED, gap)
    assert "will be drawn" in line_of(began, ME, 1000.0)
    assert happenings(gap, DRAWN) == (ShardDrawn(3),)
    assert happenings(DRAWN, UNSEALED)[0] == ShardUnsealed(3)
    assert [item for item in happenings(None, UNSEALED) if isinstance(item, ShardDrawn | ShardUnsealed)] == [
        ShardDrawn(3), ShardUnsealed(3),
    ]  # fmt: skip
    assert "shard not drawn yet" in standing(gap, None, ME, 1000.0)
    assert "shard still sealed" in standing(DRAWN, None, ME, 1000.0)
    assert "shard" not in standing(UNSEALED, None, ME, 1000.0)


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
    assert any("gains 78,669 micro-nats; 51 tokens paid, fees included" in line for line in lines)
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
    assert standing(OPENED, replace(TRAINING, job="\x1b[2J"), ME, 0.0).isprintable()


def test_a_line_says_where_the_round_stands_and_what_the_node_does() -> None:
    assert standing(OPENED, TRAINING, ME, 1000.0) == (
        "round 3 · COMMIT · 1:30 left · this node trains, step 80/160, loss 0.5123, done in 0:12 · "
        "nobody has committed yet"
    )
    late = replace(TRAINING, on_time=False, round=4)
    assert "trains for round 4, step 80/160, loss 0.5123, done in 0:12, which is too late" in standing(
        OPENED, late, ME, 1000.0
    )
    early = TrainingNow("train_delta", None, 1, None, None, None, None, None, 1000, None, None, ())
    assert " · this node trains · " in standing(OPENED, early, ME, 1000.0)
    waits = standing(COMMITTED, None, ME, 1000.0)
    assert waits == (
        "round 3 · COMMIT · 1:30 left · this node waits for the window to end · "
        "committed: this node, 0x2222…2222"
    )
    crowd = replace(COMMITTED, commitments=COMMITTED.commitments * 3)
    assert standing(crowd, None, ME, 1000.0).endswith("6 have committed, this node too")
    judging = replace(TRAINING, job="score_deltas")
    assert "this node measures, step" in standing(REVEALED, judging, JUDGE, 1000.0)


def test_without_a_terminal_a_line_now_and_then_shows_life(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(watched_module.time, "monotonic", lambda: now)
    with Watched(as_json=False) as watched, Watched(as_json=True) as counted:
        for now in (0.0, 29.0, 31.0, 59.0, 62.0):  # noqa: B007
            watched.standing(OPENED, TRAINING)
            counted.standing(OPENED, TRAINING)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 2 and all("step 80/160" in line for line in lines)
        watched.happened(Committed(3, ME))
        now = 80.0
        watched.standing(OPENED, TRAINING)
        assert len(capsys.readouterr().out.splitlines()) == 1, "something was told 18 s ago"
    assert [left(until, 100.0) for until in (90, 100, 161, 100 + 3600 + 120)] == [
        "0:00", "0:00", "1:01", "1 h 02 min",
    ]  # fmt: skip
