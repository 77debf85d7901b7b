"""What roles decide about money alone: the next round's spec, stake to deposit, refusals that pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from protocol_facts import OTHER, OUTSIDER, ROUND, SOLVER, ask, block, node, prologue

from jepanet.errors import Rejected, Transient
from jepanet.learning.presets import preset
from jepanet.node.documents import LearningDocuments
from jepanet.protocol.documents.spec import decode_spec, encode_spec
from jepanet.protocol.duties import ReleaseBond, SendCommit, SweepRound, TrainShard, WithdrawCredit
from jepanet.protocol.state import NodeState, Project
from jepanet.protocol.transition import transition
from jepanet.roles.proposer import Proposer, round_spec
from jepanet.roles.solver import Solver
from jepanet.roles.steps.settlement import Settlement, check_bond, ensure_stake
from jepanet.roles.steps.submit import submit
from jepanet.settings.config import ProposerSection
from jepanet.settings.terms import round_terms
from jepanet.types import Phase, Standing
from jepanet.work.methods import METHODS

pytestmark = pytest.mark.unit


STORED, REACHED = b"\x28" * 32, b"\x29" * 32


@dataclass
class Sender:
    """Records what was sent; raises what it is told to."""

    error: Exception | None = None
    sent: list[tuple[str, Any]] = field(default_factory=list)
    reached: Any = None

    async def send(self, key: str, call: Any) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append((key, call))


class Vault:
    address = OUTSIDER

    def __init__(self, free: int) -> None:
        self._free = free

    async def account(self, who: str, block: str) -> Any:
        return SimpleNamespace(free=self._free)

    def deposit(self, amount: int) -> Any:
        return ("deposit", amount)


class Token:
    def __init__(self, held: int, allowed: int) -> None:
        self._held, self._allowed = held, allowed

    async def balance(self, who: str, block: str) -> int:
        return self._held

    async def allowance(self, who: str, spender: str, block: str) -> int:
        return self._allowed

    def approve(self, spender: str, amount: int) -> Any:
        return ("approve", spender, amount)


class Rounds:
    """The credit of an account, and the calls that would change it."""

    address = OTHER

    def __init__(self, credit: int = 0, view: Any = None) -> None:
        self._credit, self._view = credit, view

    async def credit(self, who: str, block: str) -> int:
        return self._credit

    async def phase(self, round_id: int, block: str) -> Phase:
        return Phase(self._view.phase)

    async def round(self, round_id: int, block: str) -> Any:
        return self._view

    async def commitment(self, round_id: int, who: str, block: str) -> Any:
        return self._view

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: (name, *arguments)


def context(
    *, free: int = 0, held: int = 0, allowed: int = 0, credit: int = 0, view: Any = None,
    error: Exception | None = None,
) -> Any:  # fmt: skip
    contracts = SimpleNamespace(
        vault=Vault(free), token=Token(held, allowed), rounds=Rounds(credit, view),
    )  # fmt: skip
    stored = SimpleNamespace(number=40, hash=STORED)
    return SimpleNamespace(
        me=SOLVER, contracts=contracts, sender=Sender(error), journal=SimpleNamespace(head=lambda: stored)
    )


# ------------------------------------------------------------------ stake


async def test_nothing_is_sent_when_the_stake_is_enough() -> None:
    for free in (10, 11):
        given = context(free=free, held=100)
        await ensure_stake(given, 10, "commit/7")
        assert given.sender.sent == []


async def test_only_what_lacks_is_approved_and_deposited() -> None:
    given = context(free=4, held=100)
    await ensure_stake(given, 10, "commit/7")
    assert given.sender.sent == [
        ("commit/7/approve", ("approve", OUTSIDER, 6)), ("commit/7/deposit", ("deposit", 6)),
    ]  # fmt: skip


async def test_an_allowance_that_is_there_is_used() -> None:
    given = context(held=100, allowed=10)
    await ensure_stake(given, 10, "commit/7")
    assert [key for key, _ in given.sender.sent] == ["commit/7/deposit"]


async def test_credit_is_spent_before_a_wallet_counts_as_too_poor() -> None:
    given = context(free=4, held=5, credit=3)
    await ensure_stake(given, 10, "commit/7")
    assert given.sender.sent == [
        ("commit/7/withdraw/3", ("withdraw_credit",)),
        ("commit/7/approve", ("approve", OUTSIDER, 6)),
        ("commit/7/deposit", ("deposit", 6)),
    ]


async def test_a_rich_wallet_leaves_credit_to_its_own_duty() -> None:
    given = context(held=100, credit=3)
    await ensure_stake(given, 10, "commit/7")
    assert [key for key, _ in given.sender.sent] == ["commit/7/approve", "commit/7/deposit"]


async def test_a_wallet_too_poor_is_told_how_much_lacks() -> None:
    given = context(free=4, held=5)
    with pytest.raises(Transient, match=r"0\.000000000000000006 tokens more") as caught:
        await ensure_stake(given, 10, "commit/7")
    assert caught.value.remedy
    assert given.sender.sent == []


class Lagging:
    """Answers `latest` with what was before, and blocks by their hashes with the truth."""

    address = OTHER

    def __init__(self, then: int, now: int, known: bytes = STORED) -> None:
        self._then, self._now, self._known = then, now, known

    def _at(self, block: bytes | str) -> int:
        return self._now if block == self._known else self._then

    async def account(self, who: str, block: bytes | str) -> Any:
        return SimpleNamespace(free=self._at(block))

    async def balance(self, who: str, block: bytes | str) -> int:
        return self._at(block)

    async def credit(self, who: str, block: bytes | str) -> int:
        return self._at(block)

    async def allowance(self, *asked: Any) -> int:
        return 1000

    async def phase(self, round_id: int, block: bytes | str) -> Phase:
        return Phase.SETTLED

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: (name, *arguments)


async def test_a_lagging_endpoints_zero_is_no_balance() -> None:
    given = context()
    given.contracts.token = Lagging(0, 100)
    await ensure_stake(given, 10, "commit/7")
    assert [key for key, _ in given.sender.sent] == ["commit/7/deposit"]
    given = context(held=100)
    given.contracts.vault = Lagging(0, 10)
    await ensure_stake(given, 10, "commit/7")
    assert given.sender.sent == [], "what is at stake already is not deposited again"


async def test_a_lagging_endpoints_zero_is_no_credit() -> None:
    given = context()
    given.contracts.rounds = Lagging(0, 5)
    await Settlement(given).withdraw_returned(WithdrawCredit(ROUND))
    assert given.sender.sent == [("withdraw/7/returned/5", ("withdraw_credit",))]
    given = context()
    given.sender.reached = SimpleNamespace(block_number=41, block_hash=REACHED)
    given.contracts.rounds = Lagging(0, 6, REACHED)
    await Settlement(given).withdraw_returned(WithdrawCredit(ROUND))
    assert given.sender.sent == [("withdraw/7/returned/6", ("withdraw_credit",))], "a claim mined just now"


@pytest.mark.parametrize("bond", [101, 10**30])
async def test_attack_a_strangers_round_does_not_get_the_whole_wallet(bond: int) -> None:
    given = context(held=10**30)
    given.max_bond, given.journal.salt = 100, lambda *place: None
    given.contracts.rounds = SimpleNamespace(commitment=not_committed, commit=lambda *call: call)
    given.round = lambda round_id: SimpleNamespace(id=round_id, params=SimpleNamespace(bond=bond))
    for work in (Solver(given).train_shard(TrainShard(ROUND)), Solver(given).send_commit(SendCommit(ROUND))):
        with pytest.raises(Rejected) as caught:
            await work
        assert caught.value.reason == "bond-too-high"
    assert given.sender.sent == []


@pytest.mark.parametrize("limit", [None, 100, 101])
def test_a_bond_within_the_limit_is_put_at_stake(limit: int | None) -> None:
    given = context()
    given.max_bond = limit
    check_bond(given, 100)


async def not_committed(*asked: Any) -> Any:
    return SimpleNamespace(standing=Standing.NONE)


# ------------------------------------------------------------------ credit


def proposing(**changes: Any) -> Any:
    given = context(**changes)
    given.terms = SimpleNamespace(budget=7, fee=2, unseal_bond=1)
    return given


async def test_a_round_is_opened_from_credit_first() -> None:
    given = proposing(held=10, credit=4)
    await Proposer(given)._allow(given.terms, "open/3/2")
    assert given.sender.sent == [
        ("open/3/2/withdraw/4", ("withdraw_credit",)), ("open/3/2/approve", ("approve", OTHER, 10)),
    ]  # fmt: skip
    poor = proposing(held=9)
    with pytest.raises(Transient, match=r"needs 0\.00000000000000001 tokens in escrow") as caught:
        await Proposer(poor)._allow(poor.terms, "open/3/2")
    assert caught.value.remedy and poor.sender.sent == []


def ended(phase: Phase = Phase.SETTLED, **changes: Any) -> Any:
    return SimpleNamespace(
        phase=phase, **{"payout": 9, "claimed": 9, "standing": Standing.REVEALED, **changes}
    )


@pytest.mark.parametrize("phase", [Phase.SETTLED, Phase.CANCELLED])
async def test_what_an_ended_round_returned_is_withdrawn(phase: Phase) -> None:
    given = context(credit=5, view=ended(phase))
    await Settlement(given).withdraw_returned(WithdrawCredit(ROUND))
    assert given.sender.sent == [("withdraw/7/returned/5", ("withdraw_credit",))]
    nothing = context(view=ended(phase))
    await Settlement(nothing).withdraw_returned(WithdrawCredit(ROUND))
    assert nothing.sender.sent == [], "somebody else's duty took it with its own"


@pytest.mark.parametrize("phase", [Phase.NONE, Phase.CHALLENGE, Phase.SETTLEABLE, Phase.CANCELLABLE])
async def test_credit_is_not_given_up_on_the_word_of_a_lagging_endpoint(phase: Phase) -> None:
    for work in (
        Settlement(context(view=ended(phase))).withdraw_returned(WithdrawCredit(ROUND)),
        Settlement(context(view=ended(phase))).sweep_round(SweepRound(ROUND)),
    ):
        with pytest.raises(Transient, match="behind"):
            await work


async def test_unclaimed_pay_is_swept_and_withdrawn() -> None:
    given = context(credit=4, view=ended(claimed=5))
    await Settlement(given).sweep_round(SweepRound(ROUND))
    assert given.sender.sent == [
        ("sweep/7", ("sweep", ROUND)), ("withdraw/7/swept/4", ("withdraw_credit",)),
    ]  # fmt: skip
    given = context(credit=4, view=ended())
    await Settlement(given).sweep_round(SweepRound(ROUND))
    assert [key for key, _ in given.sender.sent] == ["withdraw/7/swept/4"], "a stranger swept it"


async def test_the_share_of_a_forfeited_unseal_bond_is_withdrawn_with_the_bond() -> None:
    given = context(credit=4, view=ended(Phase.CANCELLED))
    await Settlement(given).release_bond(ReleaseBond(ROUND))
    assert given.sender.sent == [
        ("release/7", ("release_bond", ROUND)), ("withdraw/7/released/4", ("withdraw_credit",)),
    ]  # fmt: skip
    crashed = context(credit=4, view=ended(Phase.CANCELLED, standing=Standing.RELEASED))
    await Settlement(crashed).release_bond(ReleaseBond(ROUND))
    assert [key for key, _ in crashed.sender.sent] == ["withdraw/7/released/4"]


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    "reason",
    ["WrongPhase", "BeaconTooEarly", "VerifierSetInactive", "ClaimsOpen", "NoCredit", "InsufficientStake",
     "ERC20InsufficientBalance", "ERC20InsufficientAllowance", "AlreadyCommitted", "CommitmentMismatch",
     "BeaconNotDrawn"],
)  # fmt: skip
async def test_a_refusal_that_time_heals_is_tried_again(reason: str) -> None:
    given = context(error=Rejected("not now", reason=reason))
    with pytest.raises(Transient):
        await submit(given, "reveal/7", ("call",))  # type: ignore[arg-type]  # handed through untouched


@pytest.mark.parametrize("reason", ["BadProof", "BadReveal", "Paused", "wrongphase", ""])
async def test_every_other_refusal_is_final(reason: str) -> None:
    given = context(error=Rejected("never", reason=reason))
    with pytest.raises(Rejected) as caught:
        await submit(given, "reveal/7", ("call",))  # type: ignore[arg-type]  # handed through untouched
    assert caught.value.reason == reason


# ------------------------------------------------------------------ the next round's spec


def a_project() -> Project:
    state: NodeState = node(SOLVER)
    for fact in prologue():
        state, _ = transition(state, fact)
    (project,) = state.projects.values()
    assert ask(state, block(1001)) == []
    return project


def test_steps_continue_where_the_last_round_ended_and_the_schedule_covers_all() -> None:
    recipe = preset("tworoom")
    summary = LearningDocuments().recipe(recipe.to_bytes())
    terms = round_terms(ProposerSection(rounds=4, inner_steps=40), METHODS)
    specs = [round_spec(a_project(), summary, terms, number) for number in (1, 2, 4, 10_000)]
    assert [spec.start_step for spec in specs] == [0, 40, 120, 399_960]
    assert [spec.total_steps for spec in specs[:3]] == [recipe.total_steps] * 3
    assert all(spec.start_step + spec.inner_steps <= spec.total_steps for spec in specs)


def test_a_spec_from_any_terms_can_be_read_by_everybody() -> None:
    section = ProposerSection(rounds=2, price="0.0005", codec="topk3", feedback_milli=950, max_delta_mb=3)
    terms = round_terms(section, METHODS)
    spec = round_spec(a_project(), LearningDocuments().recipe(preset("tworoom").to_bytes()), terms, 1)
    assert decode_spec(encode_spec(spec)) == spec
    assert spec.price == 5 * 10**14
    assert spec.max_delta_bytes == 3 << 20
    assert spec.feedback_milli == 950
    assert spec.base == a_project().model
