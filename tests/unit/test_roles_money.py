"""What roles decide about money alone: the next round's spec, stake to deposit, refusals that pass."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from protocol_facts import OTHER, OUTSIDER, ROUND, SOLVER, ask, block, node, prologue

from jepanet.errors import Rejected, Transient
from jepanet.learning.presets import preset
from jepanet.node.documents import LearningDocuments
from jepanet.protocol.commitment import listed_leaf, verify_proof
from jepanet.protocol.documents.allow_list import (
    ALLOW_LIST,
    AllowList,
    allow_list_of,
    decode_allow_list,
    encode_allow_list,
)
from jepanet.protocol.documents.spec import decode_spec, encode_spec
from jepanet.protocol.duties import (
    CloseCommits,
    DrawBeacon,
    OpenRound,
    PrepareRound,
    ReleaseBond,
    SendCommit,
    TrainShard,
)
from jepanet.protocol.state import NodeState, Project
from jepanet.protocol.transition import transition
from jepanet.roles.context import Turns
from jepanet.roles.proposer import Proposer
from jepanet.roles.solver import Solver
from jepanet.roles.steps import admission as admission_module
from jepanet.roles.steps.next_spec import round_spec
from jepanet.roles.steps.opening import check_set
from jepanet.roles.steps.preparation import Preparation
from jepanet.roles.steps.settlement import Settlement
from jepanet.roles.steps.stake import allow, check_bond, ensure_stake, withdraw_stake
from jepanet.roles.steps.submit import submit
from jepanet.settings.config import ProposerSection
from jepanet.settings.terms import round_terms
from jepanet.storage.blobs.store import BlobStore
from jepanet.types import Address, Phase, ProjectId, Readiness, Role, Standing
from jepanet.work.methods import METHODS
from round_samples import a_spec

pytestmark = pytest.mark.unit


STORED, REACHED = b"\x28" * 32, b"\x29" * 32


@dataclass
class Sender:
    """Records what was sent, once a key; raises what it is told to. An approval takes effect."""

    error: Exception | None = None
    token: Token | None = None
    sent: list[tuple[str, Any]] = field(default_factory=list)
    reached: Any = None

    async def send(self, key: str, call: Any) -> None:
        if self.error is not None:
            raise self.error
        if any(key == known for known, _ in self.sent):
            return
        self.sent.append((key, call))
        if call[0] == "approve" and self.token is not None:
            self.token.allowed = call[2]


class Token:
    def __init__(self, held: int, allowed: int) -> None:
        self._held, self.allowed = held, allowed

    async def balance(self, who: str, block: str) -> int:
        return self._held

    async def allowance(self, who: str, spender: str, block: str) -> int:
        return self.allowed

    def approve(self, spender: str, amount: int) -> Any:
        return ("approve", spender, amount)


class Lens:
    """What the contracts show of an account and of a round."""

    def __init__(self, free: int, *, verifier: bool, view: Any) -> None:
        self._free, self._verifier, self._view = free, verifier, view

    async def account(self, who: str, block: str) -> Any:
        return SimpleNamespace(free=self._free, verifier=self._verifier)

    async def withdrawable(self, who: str, block: str) -> int:
        return self._free

    async def phase(self, round_id: int, block: str) -> Phase:
        return Phase(self._view.phase)

    async def round(self, round_id: int, block: str) -> Any:
        return self._view

    async def commitment(self, round_id: int, who: str, block: str) -> Any:
        return self._view


class Rounds:
    """The calls that would change it."""

    address = OTHER

    async def configuration(self, block: str) -> Any:
        return SimpleNamespace(keeper_reward=1)

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: (name, *arguments)


def context(
    *, free: int = 0, held: int = 0, allowed: int = 0, verifier: bool = False, view: Any = None,
    error: Exception | None = None,
) -> Any:  # fmt: skip
    token = Token(held, allowed)
    contracts = SimpleNamespace(lens=Lens(free, verifier=verifier, view=view), token=token, rounds=Rounds())
    stored = SimpleNamespace(number=40, hash=STORED)
    return SimpleNamespace(
        me=SOLVER,
        contracts=contracts,
        sender=Sender(error, token),
        journal=SimpleNamespace(head=lambda: stored),
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
        ("commit/7/approve", ("approve", OTHER, 6)), ("commit/7/deposit", ("deposit", 6, SOLVER)),
    ]  # fmt: skip


async def test_an_allowance_that_is_there_is_used() -> None:
    given = context(held=100, allowed=10)
    await ensure_stake(given, 10, "commit/7")
    assert [key for key, _ in given.sender.sent] == ["commit/7/deposit"]


async def test_attack_an_allowance_that_a_command_took_from_is_given_again() -> None:
    """An operator's deposit between approval and use left the round unopened for good: the approval had its
    key, and what was sent under a key is not sent again."""
    given = context(held=100)
    for turn, taken in enumerate((10, 10, 3)):
        await allow(given, 10, "open/1/6")
        assert given.contracts.token.allowed == 10 and len(given.sender.sent) == turn + 1
        given.contracts.token.allowed -= taken
    assert [key for key, _ in given.sender.sent] == [
        "open/1/6/approve", "open/1/6/approve/1", "open/1/6/approve/2",
    ]  # fmt: skip
    given.sender.token = None  # whatever is allowed is taken at once
    with pytest.raises(Transient, match="again and again"):
        await allow(given, 10, "open/1/6")
    assert len(given.sender.sent) == 8


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
        return SimpleNamespace(free=self._at(block), verifier=False)

    async def balance(self, who: str, block: bytes | str) -> int:
        return self._at(block)

    async def withdrawable(self, who: str, block: bytes | str) -> int:
        return self._at(block)

    async def allowance(self, *asked: Any) -> int:
        return 1000

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: (name, *arguments)


async def test_a_lagging_endpoints_zero_is_no_balance() -> None:
    given = context()
    given.contracts.token = Lagging(0, 100)
    await ensure_stake(given, 10, "commit/7")
    assert [key for key, _ in given.sender.sent] == ["commit/7/deposit"]
    given = context(held=100)
    given.contracts.lens = Lagging(0, 10)
    await ensure_stake(given, 10, "commit/7")
    assert given.sender.sent == [], "what is at stake already is not deposited again"


async def test_a_lagging_endpoints_zero_is_no_stake() -> None:
    given = context()
    given.contracts.lens = Lagging(0, 5)
    assert await withdraw_stake(given, 9, "open/3/1") == 5
    assert given.sender.sent == [("open/3/1/5", ("withdraw", 5, SOLVER))]
    given = context()
    given.sender.reached = SimpleNamespace(block_number=41, block_hash=REACHED)
    given.contracts.lens = Lagging(0, 6, REACHED)
    assert await withdraw_stake(given, 9, "open/3/1") == 6, "a settlement mined just now"


@pytest.mark.parametrize("bond", [101, 10**30])
async def test_attack_a_strangers_round_does_not_get_the_whole_wallet(bond: int) -> None:
    given = context(held=10**30)
    given.max_bond, given.journal.salt = 100, lambda *place: None
    given.contracts.lens = SimpleNamespace(commitment=not_committed)
    params = SimpleNamespace(bond=bond, allow_list=bytes(32))
    given.round = lambda round_id: SimpleNamespace(id=round_id, params=params)
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


LISTED = allow_list_of([SOLVER, OTHER])


def listed_round(
    tmp_path: Path, listed: AllowList | None = LISTED, *, root: bytes = LISTED.root, me: Address = SOLVER
) -> Any:
    """A solver before a round with a list, whose documents are on its disk."""
    given = context(held=10**30, free=10)
    blobs = BlobStore(tmp_path, 1 << 22)
    document = None if listed is None else blobs.put_bytes(ALLOW_LIST.encode(listed))
    spec = blobs.put_bytes(encode_spec(a_spec(allow_list=document)))
    params = SimpleNamespace(bond=1, allow_list=root, spec=spec)
    given.round = lambda round_id: SimpleNamespace(id=round_id, params=params, base=bytes(32))
    given.me, given.blobs, given.max_bond, given.turns = me, blobs, None, Turns()
    return given


@pytest.mark.parametrize(
    ("listed", "root", "me", "reason"),
    [
        (LISTED, LISTED.root, OUTSIDER, "not-listed"),
        (LISTED, b"\x01" * 32, SOLVER, "wrong-list"),
        (None, LISTED.root, SOLVER, "no-list"),
        (AllowList(LISTED.accounts[::-1]), LISTED.root, SOLVER, "bad-field"),
    ],
)
async def test_a_round_that_this_solver_cannot_be_shown_to_be_admitted_to_is_not_trained_in(
    listed: AllowList | None, root: bytes, me: Address, reason: str, tmp_path: Path
) -> None:
    given = listed_round(tmp_path, listed, root=root, me=me)
    given.journal.salt = lambda *place: None
    with pytest.raises(Rejected) as caught:
        await Solver(given).train_shard(TrainShard(ROUND))
    assert caught.value.reason == reason and given.sender.sent == []


async def test_attack_a_strangers_list_of_all_accounts_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its root takes ten seconds, and is asked for again as long as something of the round is missing."""
    seen: list[threading.Thread] = []

    def decode(data: bytes, root: bytes) -> AllowList:
        seen.append(threading.current_thread())
        return decode_allow_list(data, root)

    monkeypatch.setattr(admission_module, "decode_allow_list", decode)
    given = listed_round(tmp_path)
    assert await admission_module.admission(given, given.round(ROUND))
    assert seen and threading.main_thread() not in seen


async def test_a_listed_solver_shows_its_path_to_the_root(tmp_path: Path) -> None:
    given = listed_round(tmp_path)
    given.contracts.lens.commitment = not_committed
    given.chain_id, given.rounds_address = 1, OTHER
    given.journal.salt = lambda *place: (bytes(32), bytes(32))
    given.journal.notes = lambda round_id: {}
    await Solver(given).send_commit(SendCommit(ROUND))
    ((key, (call, round_id, _, proof)),) = given.sender.sent
    assert (key, call, round_id) == (f"commit/{ROUND}", "commit_listed", ROUND)
    assert verify_proof(LISTED.root, listed_leaf(SOLVER), proof)
    assert not verify_proof(LISTED.root, listed_leaf(OUTSIDER), proof)
    assert LISTED.proof(OUTSIDER) is None


def test_a_list_has_one_spelling_and_no_end_that_grows() -> None:
    assert allow_list_of([OTHER, SOLVER, OTHER]) == LISTED
    assert decode_allow_list(encode_allow_list(LISTED), LISTED.root) == LISTED
    for accounts in ((), LISTED.accounts[::-1], LISTED.accounts[:1] * 2):
        with pytest.raises(Rejected):
            decode_allow_list(ALLOW_LIST.encode(AllowList(accounts)), LISTED.root)


# ------------------------------------------------------------------ funds of a round


def proposing(**changes: Any) -> Any:
    given = context(**changes)
    given.terms = SimpleNamespace(budget=7, fee=2, unseal_bond=1)
    return given


async def test_a_round_is_opened_from_the_wallet_then_from_free_stake() -> None:
    """Budget, fee, unseal bond and what the two keepers earn: 12."""
    rich = proposing(held=12, free=4)
    await Proposer(rich)._fund(rich.terms, "open/3/2")
    assert rich.sender.sent == [("open/3/2/approve", ("approve", OTHER, 12))]
    given = proposing(held=9, free=4)
    await Proposer(given)._fund(given.terms, "open/3/2")
    assert given.sender.sent == [
        ("open/3/2/withdraw/3", ("withdraw", 3, SOLVER)), ("open/3/2/approve", ("approve", OTHER, 12)),
    ]  # fmt: skip


@pytest.mark.parametrize(("free", "verifier"), [(0, False), (100, True)])
async def test_a_proposer_too_poor_is_told_what_a_round_takes(free: int, verifier: bool) -> None:
    poor = proposing(held=11, free=free, verifier=verifier)
    with pytest.raises(Transient, match=r"needs 0\.000000000000000012 tokens in escrow") as caught:
        await Proposer(poor)._fund(poor.terms, "open/3/2")
    assert caught.value.remedy and poor.sender.sent == []


async def test_a_bond_comes_back_by_one_call_and_only_once() -> None:
    given = context(view=SimpleNamespace(standing=Standing.REVEALED))
    await Settlement(given).release_bond(ReleaseBond(ROUND))
    assert given.sender.sent == [("release/7", ("release_bond", ROUND))]
    crashed = context(view=SimpleNamespace(standing=Standing.RELEASED))
    await Settlement(crashed).release_bond(ReleaseBond(ROUND))
    assert crashed.sender.sent == []


# ------------------------------------------------------------------ the beacon


def drawing(block: int, *, drawn: bool = False) -> Any:
    given = context(view=SimpleNamespace(beacon_block=block, beacon_drawn=drawn))

    async def header(number: int) -> bytes:
        return b"header of %d" % number

    given.header = header
    return given


async def test_commits_are_closed_unless_somebody_has() -> None:
    given = drawing(0)
    await Proposer(given).close_commits(CloseCommits(ROUND))
    assert given.sender.sent == [("close/7", ("close_commits", ROUND))]
    for other in (drawing(90), drawing(90, drawn=True)):
        assert await Proposer(other).close_commits(CloseCommits(ROUND)) == []
        assert other.sender.sent == []


async def test_the_draw_shows_the_header_of_the_fixed_block() -> None:
    given = drawing(90)
    await Proposer(given).draw_beacon(DrawBeacon(ROUND, 90))
    assert given.sender.sent == [("beacon/7/90", ("draw_beacon", ROUND, b"header of 90"))]
    assert await Proposer(drawing(90, drawn=True)).draw_beacon(DrawBeacon(ROUND, 90)) == []


@pytest.mark.parametrize("shown", [0, 60, 99])
async def test_a_draw_waits_for_an_endpoint_that_shows_the_same_block(shown: int) -> None:
    """One that lags, or that knows of a replacement which is not confirmed here."""
    given = drawing(shown)
    with pytest.raises(Transient, match="behind"):
        await Proposer(given).draw_beacon(DrawBeacon(ROUND, 90))
    assert given.sender.sent == []


# ------------------------------------------------------------------ opening


@pytest.mark.parametrize(
    ("ready", "curator", "admitted", "words"),
    [
        (Readiness.READY, OTHER, False, "has not admitted"),
        (Readiness.NOT_JOINED, SOLVER, False, "not every member has joined"),
        (Readiness.STAKE_TOO_LOW, OTHER, True, "too little free stake"),
        (Readiness.CAP_EXHAUSTED, SOLVER, False, "exceeds its cap"),
        (Readiness.UNKNOWN, SOLVER, True, "does not exist"),
    ],
)
async def test_a_round_that_its_verifiers_could_not_carry_is_paid_for_by_nobody(
    ready: Readiness, curator: str, admitted: bool, words: str
) -> None:
    given = opening(ready, curator, admitted)
    with pytest.raises(Transient, match=words) as caught:
        await Proposer(given).open_round(OpenRound(ProjectId(1), 1))
    assert given.sender.sent == [] and caught.value.remedy
    assert given.asked == [(5, TERMS.budget + TERMS.fee)] * (words != "has not admitted")


@pytest.mark.parametrize(("curator", "admitted"), [(SOLVER, False), (OTHER, True)])
async def test_a_set_that_would_carry_the_round_is_no_obstacle(curator: str, admitted: bool) -> None:
    given = opening(Readiness.READY, curator, admitted)
    await check_set(given, given.project(1), TERMS)


TERMS = round_terms(ProposerSection(), METHODS)


def opening(ready: Readiness, curator: str, admitted: bool) -> Any:
    """A proposer before a round; every step after the look at its set would fail on it."""
    given, asked = context(), []

    async def project(project_id: int, block: str) -> Any:
        return SimpleNamespace(active_round=0)

    async def verifier_set(set_id: int, block: str) -> Any:
        return SimpleNamespace(curator=curator)

    async def is_admitted(set_id: int, who: str, block: str) -> bool:
        return admitted

    async def can_open(set_id: int, escrow: int, block: str) -> Readiness:
        asked.append((set_id, escrow))
        return ready

    given.contracts.lens = SimpleNamespace(
        project=project, verifier_set=verifier_set, is_admitted=is_admitted, can_open=can_open
    )
    given.terms, given.asked = TERMS, asked
    given.project = lambda project_id: SimpleNamespace(id=project_id, verifier_set=5)
    given.state = lambda: SimpleNamespace(rounds={})
    return given


# ------------------------------------------------------------------ windows


@pytest.mark.parametrize(("role", "reveal", "verify"), [(Role.SOLVER, 9, 99), (Role.COORDINATOR, 99, 9)])
async def test_a_round_whose_window_this_node_cannot_keep_is_not_joined(
    role: Role, reveal: int, verify: int
) -> None:
    given, params = context(), SimpleNamespace(reveal_duration=reveal, verify_duration=verify)
    given.round = lambda round_id: SimpleNamespace(id=round_id, params=params)
    members = () if role is Role.SOLVER else (SOLVER,)
    given.state = lambda: SimpleNamespace(
        me=SimpleNamespace(roles=frozenset({role})), members=lambda round_: members
    )

    async def shortest_window() -> float:
        return 9.5

    given.shortest_window = shortest_window
    with pytest.raises(Rejected, match="lasts 9 s") as caught:
        await Preparation(given).prepare(PrepareRound(ROUND))
    assert caught.value.reason == "window-too-short" and caught.value.remedy


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    "reason",
    ["WrongPhase", "BeaconTooEarly", "VerifierSetInactive", "ClaimsOpen", "ClaimFirst", "InsufficientStake",
     "ERC20InsufficientBalance", "ERC20InsufficientAllowance", "AlreadyCommitted", "CommitmentMismatch",
     "BeaconNotFixed", "BeaconNotDrawn", "WrongHeader", "SignerUnderStaked"],
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
