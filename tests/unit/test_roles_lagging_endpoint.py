"""An endpoint that lags behind the confirmed blocks must not close a duty: it is never taken up again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from protocol_facts import OTHER, PROJECT, ROUND, SOLVER, digest

from jepanet.errors import Transient
from jepanet.protocol import duties
from jepanet.protocol.state import Recorded
from jepanet.roles.aggregator import Aggregator
from jepanet.roles.context import Turns
from jepanet.roles.proposer import Proposer
from jepanet.roles.solver import Solver
from jepanet.roles.steps import sheets as sheets_module
from jepanet.roles.steps.settlement import Settlement
from jepanet.types import Phase, Standing, Verdict

pytestmark = pytest.mark.unit

HEAD = b"\x05" * 32


class Chain:
    """What one endpoint says of the round; every write is only noted."""

    def __init__(self, standing: Standing, phase: Phase, active: int, at_head: Standing | None) -> None:
        self._standing, self._phase, self._active, self._at_head = standing, phase, active, at_head

    async def commitment(self, round_id: int, account: str, block: str | bytes) -> Any:
        if block != HEAD:
            return SimpleNamespace(standing=self._standing)
        if self._at_head is None:
            raise Transient("the endpoint does not have this block")
        return SimpleNamespace(standing=self._at_head)

    async def phase(self, round_id: int, block: str) -> Phase:
        return self._phase

    async def project(self, project_id: int, block: str) -> Any:
        return SimpleNamespace(active_round=self._active)

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: (name, *arguments)


class Sender:
    def __init__(self) -> None:
        self.sent: list[str] = []
        self.calls: list[Any] = []
        self.reached: Any = None

    async def send(self, key: str, call: Any) -> None:
        self.sent.append(key)
        self.calls.append(call)


def node(
    *,
    standing: Standing = Standing.REVEALED,
    phase: Phase = Phase.VERIFY,
    active: int = 0,
    head: bool = False,
    at_head: Standing | None = None,
    later: int = 0,
) -> Any:
    """A node that has stored a block itself (`head`), at which the endpoint answers `at_head`, if at all.

    In the last of `later` more rounds of the project everybody committed.
    """
    chain = Chain(standing, phase, active, at_head)
    stored = SimpleNamespace(number=5, hash=HEAD) if head else None
    recorded = Recorded(bytes(32), digest("new"), digest("sheet"), 5, 3, 1400, bytes(32), 1)
    round_ = SimpleNamespace(id=ROUND, project_id=PROJECT, recorded=recorded)
    following = {
        ROUND + number: SimpleNamespace(project_id=PROJECT, committed=lambda who, last=number == later: last)
        for number in range(1, later + 1)
    }
    state = SimpleNamespace(rounds={ROUND: round_, **following})
    return SimpleNamespace(
        me=SOLVER, contracts=SimpleNamespace(rounds=chain, lens=chain), sender=Sender(), terms=object(),
        turns=Turns(),
        journal=SimpleNamespace(salt=lambda *place: (bytes(32), bytes(32)), head=lambda: stored),
        round=lambda round_id: round_,
        project=lambda project_id: SimpleNamespace(id=PROJECT), state=lambda: state,
    )  # fmt: skip


def show_sheet(monkeypatch: pytest.MonkeyPatch, row: Any) -> None:
    """The round's sheet has this row alone."""

    async def obtain_bytes(*given: Any, **limits: Any) -> bytes:
        return b""

    sheet = SimpleNamespace(
        rows=[row], leaf_of=lambda account: ("leaf", ()),
        proven=lambda accounts: dict.fromkeys(accounts, ("leaf", ())),
    )  # fmt: skip
    monkeypatch.setattr(sheets_module, "obtain_bytes", obtain_bytes)
    monkeypatch.setattr(sheets_module, "decode_sheet", lambda data: sheet)


@pytest.fixture
def one_invalid_row(monkeypatch: pytest.MonkeyPatch) -> None:
    show_sheet(monkeypatch, SimpleNamespace(solver=OTHER, verdict=Verdict.INVALID, reason="non-finite"))


async def test_attack_a_lagging_endpoint_does_not_make_a_solver_skip_its_reveal() -> None:
    context = node(standing=Standing.NONE)
    with pytest.raises(Transient, match="behind"):
        await Solver(context).send_reveal(duties.SendReveal(ROUND))
    context = node(standing=Standing.COMMITTED)
    await Solver(context).send_reveal(duties.SendReveal(ROUND))
    assert context.sender.sent == ["reveal/7"]
    assert await Solver(node(standing=Standing.REVEALED)).send_reveal(duties.SendReveal(ROUND)) == []


@pytest.mark.parametrize("standing", [Standing.NONE, Standing.COMMITTED])
@pytest.mark.usefixtures("one_invalid_row")
async def test_money_is_not_given_up_on_the_word_of_a_lagging_endpoint(standing: Standing) -> None:
    there = Settlement(node(standing=standing))
    with pytest.raises(Transient, match="behind"):
        await there.send_claim(duties.SendClaim(ROUND))
    with pytest.raises(Transient, match="behind"):
        await there.release_bond(duties.ReleaseBond(ROUND))
    with pytest.raises(Transient, match="behind"):
        await there.slash_invalid(duties.SlashInvalid(ROUND))


@pytest.mark.parametrize(
    ("verdict", "call"),
    [(Verdict.INVALID, "slash_invalid"), (Verdict.EXCLUDED, "claim"), (Verdict.SPARED, None)],
)
async def test_attack_an_excluded_solver_that_stays_away_loses_its_part_all_the_same(
    verdict: Verdict, call: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    show_sheet(monkeypatch, SimpleNamespace(solver=OTHER, verdict=verdict, reason=""))
    context = node(standing=Standing.REVEALED)
    await Settlement(context).slash_invalid(duties.SlashInvalid(ROUND))
    assert [sent[0] for sent in context.sender.calls] == ([] if call is None else [call])


def exits_of(context: Any) -> list[Any]:
    there = Settlement(context)
    return [
        there.send_claim(duties.SendClaim(ROUND)),
        there.release_bond(duties.ReleaseBond(ROUND)),
        there.slash_invalid(duties.SlashInvalid(ROUND)),
        there.slash_non_reveal(duties.SlashNonReveal(ROUND, OTHER)),
    ]


@pytest.mark.usefixtures("one_invalid_row")
async def test_a_round_whose_places_later_rounds_have_used_again_asks_for_nothing() -> None:
    context = node(standing=Standing.NONE, head=True, at_head=Standing.NONE, later=16)
    for work in exits_of(context):
        assert await work == []
    assert context.sender.sent == []


@pytest.mark.parametrize("later", [0, 7, 9])
@pytest.mark.usefixtures("one_invalid_row")
async def test_attack_an_endpoint_that_denies_a_commit_closes_no_claim(later: int) -> None:
    """No later commit that is confirmed here took the place of this one: nothing can have removed it."""
    for work in exits_of(node(standing=Standing.NONE, head=True, at_head=Standing.NONE, later=later)):
        with pytest.raises(Transient, match="behind"):
            await work


@pytest.mark.usefixtures("one_invalid_row")
async def test_an_endpoint_without_the_newest_block_is_no_witness_that_nothing_is_due() -> None:
    for work in exits_of(node(standing=Standing.NONE, head=True)):
        with pytest.raises(Transient, match="does not have this block"):
            await work
    context = node(standing=Standing.NONE, head=True, at_head=Standing.REVEALED)
    await Settlement(context).release_bond(duties.ReleaseBond(ROUND))
    assert context.sender.sent == ["release/7"], "it has the block, and `latest` came from one that lags"


async def test_a_deserter_is_not_spared_because_an_endpoint_has_not_seen_its_commit() -> None:
    with pytest.raises(Transient, match="behind"):
        await Settlement(node(standing=Standing.NONE)).slash_non_reveal(duties.SlashNonReveal(ROUND, OTHER))


@pytest.mark.parametrize("phase", [Phase.NONE, Phase.COMMIT, Phase.REVEAL])
async def test_an_end_is_not_skipped_because_an_endpoint_is_in_an_earlier_phase(phase: Phase) -> None:
    context = node(phase=phase)
    for work in (
        Settlement(context).send_settle(duties.SendSettle(ROUND)),
        Settlement(context).send_cancel(duties.SendCancel(ROUND)),
        Aggregator(context).send_record(duties.SendRecord(ROUND, digest("sheet"))),
    ):
        with pytest.raises(Transient, match="behind"):
            await work
    assert context.sender.sent == []


async def test_what_others_already_did_is_done() -> None:
    for phase in (Phase.SETTLED, Phase.CANCELLED):
        context = node(phase=phase)
        assert await Settlement(context).send_settle(duties.SendSettle(ROUND)) == []
        assert await Settlement(context).send_cancel(duties.SendCancel(ROUND)) == []
        assert await Aggregator(context).send_record(duties.SendRecord(ROUND, digest("sheet"))) == []
        assert context.sender.sent == []


async def test_the_next_round_is_not_skipped_because_an_endpoint_still_shows_the_last_one() -> None:
    with pytest.raises(Transient, match="behind"):
        await Proposer(node(active=ROUND)).open_round(duties.OpenRound(PROJECT, 2))
    assert await Proposer(node(active=ROUND + 1)).open_round(duties.OpenRound(PROJECT, 2)) == []
