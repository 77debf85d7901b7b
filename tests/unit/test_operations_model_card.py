"""A model card tells what the documents say, refuses a broken chain, and lets no stranger's text act."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from jepanet.cid import to_cid
from jepanet.errors import Rejected
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.presets import preset
from jepanet.operations.models.model_card import Link, Origin, check_chain, render
from jepanet.protocol.facts import RoundParams
from jepanet.protocol.settling.sheet import derive_sheet
from jepanet.protocol.state import Recorded, Round, Status
from jepanet.types import Digest, ProjectId, RoundId
from round_samples import CHAIN, CONTRACT, GOOD, HARM, a_spec, account, digest, reports_of, some_facts

pytestmark = pytest.mark.unit

METRICS = (("after.nmse", 120_000), ("after.rank", 9_500_000), ("before.nmse", 150_000))


def link(
    number: int, base: Digest, model: Digest, *, note: str = "", status: Status = Status.SETTLED
) -> Link:
    facts = replace(some_facts(2, 1), round_id=RoundId(number), base=base)
    merged = model != base
    sheet = derive_sheet(
        facts, a_spec(), reports_of(facts, [[GOOD, GOOD] if merged else [HARM, HARM]]),
        model=model, improvement=30_000 if merged else 0, note=note, metrics=METRICS,
    )  # fmt: skip
    sheet_digest = digest(f"sheet {number}")
    recorded = Recorded(sheet.root, model, sheet_digest, sheet.payout, sheet.improvement, 0, bytes(32), 1)
    params = RoundParams(ProjectId(1), digest("spec"), *[1] * 10, bytes(32), bytes(32))
    round_ = Round(
        RoundId(number), ProjectId(1), account("proposer"), params, base, 1, bytes(32), 0, 0,
        recorded=recorded, status=status,
    )  # fmt: skip
    return Link(round_, recorded, sheet)


def origin(*links: Link, environment: str = "swm/TwoRoom-v1", forgotten: int = 0) -> Origin:
    entry = ShardEntry(1, digest("shard"), 10, 24)
    manifest = DatasetManifest(
        environment, {}, bytes(32), (entry, entry), entry, entry, EvaluationEntry(8, bytes(32), 16, (101,))
    )
    return Origin(
        CHAIN, CONTRACT, preset("tworoom-small"), digest("recipe"), manifest, digest("dataset"),
        a_spec(), links, 123_456, forgotten,
    )  # fmt: skip


START, FIRST, SECOND = digest("base"), digest("model 1"), digest("model 2")


def test_the_card_names_every_link_back_to_the_warm_start() -> None:
    links = (link(3, START, FIRST), link(5, FIRST, FIRST, note="no gain"), link(6, FIRST, SECOND))
    check_chain(links)
    card = render(origin(*links))
    assert card.startswith("# World model after round 6\n")
    for item in (START, FIRST, SECOND):
        assert to_cid(item) in card
    for item in links:
        assert f"jepanet verify {item.round.id} " in card
        assert to_cid(item.recorded.sheet, "dag-json") in card
    assert "| `nmse` | 0.1500 | 0.1200 |" in card
    assert "| `rank` |  | 9.5000 |" in card
    assert "none published (`no gain`)" in card
    assert "123,456 float32 parameters" in card
    assert "2 training shards (48 episodes)" in card
    assert "settled" in card
    assert f"Its model is `{to_cid(START)}`" in card


def test_a_history_that_is_no_longer_held_whole_is_not_taken_for_the_start() -> None:
    card = render(origin(link(70, FIRST, SECOND), forgotten=69))
    assert "Its model is" not in card
    assert "69 older rounds" in card and f"begins at `{to_cid(FIRST)}`" in card


def test_a_model_that_can_still_be_overturned_says_so() -> None:
    assert "may yet be overturned" in render(origin(link(3, START, FIRST, status=Status.OPEN)))


@pytest.mark.parametrize(
    "links",
    [
        (link(3, START, FIRST), link(4, START, SECOND)),
        (replace(link(3, START, FIRST), sheet=link(4, START, FIRST).sheet),),
        (replace(link(3, START, FIRST), sheet=link(3, START, SECOND).sheet),),
        (replace(link(3, START, FIRST), sheet=link(3, SECOND, FIRST).sheet),),
    ],
    ids=["another base", "a sheet of another round", "another model", "a sheet of another base"],
)
def test_a_broken_chain_is_refused(links: tuple[Link, ...]) -> None:
    with pytest.raises(Rejected) as caught:
        check_chain(links)
    assert caught.value.reason == "broken-chain"


def test_attack_text_of_strangers_stays_text() -> None:
    bad = "<script>`x` [a](b) | \x1b[2J ![i](u) & \u202eok"
    card = render(origin(link(3, START, START, note=bad), environment=bad))
    assert "<script>" not in card and "\x1b" not in card and "\u202e" not in card
    for line in card.splitlines():
        if "script" in line:
            assert "[a](b)" not in re.sub("`[^`]*`", "", line) and "`x`" not in line
    rows = [line for line in card.splitlines() if line.startswith("| 3 |")]
    assert len(rows) == 1 and rows[0].count("|") == 7


def test_attack_text_of_strangers_is_code_so_that_no_link_is_made_of_it() -> None:
    bad = "free tokens: https://evil.example www.evil.example me@evil.example"
    card = render(origin(link(3, START, START, note=bad), environment=bad))
    assert card.count("evil.example") == 12 and card.count(f"`{bad}`") == 4
    assert "evil" not in re.sub("`[^`]*`", "", card)
    # Inside a code span a backslash is itself.
    assert "`swm/TwoRoom_v1`" in render(origin(link(3, START, FIRST), environment="swm/TwoRoom_v1"))
    assert "none published |" in render(origin(link(3, START, START)))
