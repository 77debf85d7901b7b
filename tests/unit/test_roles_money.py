"""What roles decide about money alone: the next round's spec, stake to deposit, refusals that pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from protocol_facts import OUTSIDER, ROUND, SOLVER, ask, block, node, prologue

from jepanet.chain.contracts import Standing
from jepanet.errors import Rejected, Transient
from jepanet.learning.recipe import preset
from jepanet.node.config import ProposerSection
from jepanet.node.terms import round_terms
from jepanet.protocol.commands import SendCommit, TrainShard
from jepanet.protocol.spec import decode_spec, encode_spec
from jepanet.protocol.state import NodeState, Project
from jepanet.protocol.transition import transition
from jepanet.roles.proposer import round_spec
from jepanet.roles.settlement import check_bond, ensure_stake
from jepanet.roles.solver import Solver
from jepanet.roles.submit import submit

pytestmark = pytest.mark.unit


@dataclass
class Sender:
    """Records what was sent; raises what it is told to."""

    error: Exception | None = None
    sent: list[tuple[str, Any]] = field(default_factory=list)

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


def context(*, free: int = 0, held: int = 0, allowed: int = 0, error: Exception | None = None) -> Any:
    contracts = SimpleNamespace(vault=Vault(free), token=Token(held, allowed))
    return SimpleNamespace(me=SOLVER, contracts=contracts, sender=Sender(error))


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


async def test_a_wallet_too_poor_is_told_how_much_lacks() -> None:
    given = context(free=4, held=5)
    with pytest.raises(Rejected, match=r"0\.000000000000000006 tokens more") as caught:
        await ensure_stake(given, 10, "commit/7")
    assert caught.value.reason == "insufficient-stake"
    assert caught.value.remedy
    assert given.sender.sent == []


@pytest.mark.parametrize("bond", [101, 10**30])
async def test_attack_a_strangers_round_does_not_get_the_whole_wallet(bond: int) -> None:
    given = context(held=10**30)
    given.max_bond, given.journal = 100, SimpleNamespace(salt=lambda *place: None)
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


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize("reason", ["WrongPhase", "BeaconTooEarly", "VerifierSetInactive"])
async def test_a_refusal_that_time_heals_is_tried_again(reason: str) -> None:
    given = context(error=Rejected("not now", reason=reason))
    with pytest.raises(Transient):
        await submit(given, "reveal/7", ("call",))  # type: ignore[arg-type]  # handed through untouched


@pytest.mark.parametrize("reason", ["AlreadyCommitted", "BadReveal", "Paused", "wrongphase", ""])
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
    terms = round_terms(ProposerSection(rounds=4, inner_steps=40))
    specs = [round_spec(a_project(), recipe, terms, number) for number in (1, 2, 4, 10_000)]
    assert [spec.start_step for spec in specs] == [0, 40, 120, 399_960]
    assert [spec.total_steps for spec in specs[:3]] == [recipe.total_steps] * 3
    assert all(spec.start_step + spec.inner_steps <= spec.total_steps for spec in specs)


def test_a_spec_from_any_terms_can_be_read_by_everybody() -> None:
    terms = round_terms(ProposerSection(rounds=2, price="0.0005", codec="int8", max_delta_mb=3))
    spec = round_spec(a_project(), preset("tworoom"), terms, 1)
    assert decode_spec(encode_spec(spec)) == spec
    assert spec.price == 5 * 10**14
    assert spec.max_delta_bytes == 3 << 20
    assert spec.base == a_project().model
