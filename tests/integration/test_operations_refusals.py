"""What a contract would refuse is refused before anything is signed, in words and tokens, with a remedy."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Sequence
from pathlib import Path
from typing import Any

import pytest
from contract_fixtures import PARAMS, TOKEN, Network, configured, deployed_network, found_project, signed

from jepanet.errors import Exit, Fatal
from jepanet.operations.access import ChainAccess, SigningAccess
from jepanet.operations.auditing import rounds
from jepanet.operations.checks.findings import Finding, Level
from jepanet.operations.checks.openings import judge_set
from jepanet.operations.funds import stake, verifier_sets
from jepanet.operations.funds.precheck import check_limits, check_members
from jepanet.operations.reading.history import open_history
from jepanet.operations.views.funds import Admission, CreatedSet, JoinedSet, LeftSet, Seat, VerifierSet
from jepanet.operations.views.json_form import Wei
from jepanet.operations.views.rounds import Challenged
from jepanet.settings.terms import wei
from jepanet.tokens import exact
from jepanet.types import Address, Readiness

pytestmark = pytest.mark.integration


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with deployed_network() as network:
        yield network


async def refused(network: Network, who: int, work: Awaitable[Any], code: Exit, *words: str) -> None:
    """`work` fails with these words, a remedy and this exit code, and sends nothing."""
    address = network.wallet(who).address
    before = await network.chain.rpc.transaction_count(address, "latest")
    with pytest.raises(Fatal) as caught:
        await work
    assert caught.value.code is code, caught.value
    assert caught.value.remedy
    for word in words:
        assert word in caught.value.message
    assert not re.search(r"[1-9]0{15,}\b", caught.value.message), "amounts are in tokens"
    assert await network.chain.rpc.transaction_count(address, "latest") == before


LIMITS = verifier_sets.Limits(100 * TOKEN, 5_000)


async def create_set(config: Path, members: Sequence[str], threshold: int) -> CreatedSet:
    addresses = check_members(members, threshold)
    return await signed(config, lambda access: verifier_sets.create_set(access, addresses, threshold, LIMITS))


async def leave_set(config: Path, set_id: int) -> LeftSet:
    return await signed(config, lambda access: verifier_sets.leave_set(access, set_id))


async def admit(config: Path, set_id: int, who: Address, *, admitted: bool = True) -> Admission:
    return await signed(config, lambda access: verifier_sets.admit(access, set_id, who, admitted=admitted))


async def join_set(config: Path, set_id: int) -> JoinedSet:
    return await signed(config, lambda access: verifier_sets.join_set(access, set_id))


async def show_set(network: Network, set_id: int) -> VerifierSet:
    chain = ChainAccess(network.chain.rpc, network.deployment, network.contracts, 1)
    return await verifier_sets.show_set(chain, set_id)


async def challenge(config: Path, evidence: str) -> Challenged:
    digest = rounds.evidence_digest(evidence)

    async def act(access: SigningAccess) -> Challenged:
        async with open_history(access.chain) as history:
            return await rounds.challenge(access, history, 1, digest)

    return await signed(config, act)


async def test_stake_commands_refuse_what_the_contract_would(network: Network, tmp_path: Path) -> None:
    config = configured(network, 1, tmp_path)
    rejected = Exit.REJECTED
    await refused(
        network, 1, signed(config, lambda a: stake.deposit(a, wei("0", "AMOUNT"))), rejected, "zero"
    )
    await refused(
        network,
        1,
        signed(config, lambda a: stake.deposit(a, wei("10001", "AMOUNT"))),
        rejected,
        "10,000 tokens",
        "10,001",
    )
    await refused(
        network,
        1,
        signed(config, lambda a: stake.unbond(a, wei("1", "AMOUNT"))),
        rejected,
        "0 tokens of free stake",
    )
    await refused(network, 1, signed(config, stake.withdraw), rejected, "0 tokens of free stake")
    await signed(config, lambda a: stake.deposit(a, wei("20", "AMOUNT")))
    await refused(
        network,
        1,
        signed(config, lambda a: stake.withdraw(a, wei("20.5", "AMOUNT"))),
        rejected,
        "20 tokens of free stake",
    )
    await refused(
        network, 1, signed(config, lambda a: stake.unbond(a, TOKEN)), rejected, "never joined", "no delay"
    )
    made = await create_set(config, [network.wallet(1).address], 1)
    await refused(
        network, 1, join_set(config, made.set), Exit.UNFUNDED, "20 tokens of free stake", "members keep 100"
    )
    await network.do(1, network.contracts.rounds.join(made.set))  # the contracts would have let it in
    await refused(network, 1, signed(config, stake.withdraw), rejected, "no stake back")
    await refused(network, 1, signed(config, lambda a: stake.withdraw(a, TOKEN)), rejected, "by unbonding")
    await refused(
        network, 1, signed(config, lambda a: stake.unbond(a, TOKEN)), rejected, "members keep 100 tokens"
    )
    assert not (await leave_set(config, made.set)).left_before
    assert (await leave_set(config, made.set)).left_before
    await refused(network, 1, signed(config, lambda a: stake.unbond(a, wei("0", "AMOUNT"))), rejected, "zero")
    await refused(
        network,
        1,
        signed(config, lambda a: stake.unbond(a, wei("20.5", "AMOUNT"))),
        rejected,
        "20 tokens",
        "20.5",
    )
    for _ in range(16):
        await network.do(1, network.contracts.rounds.request_unbond(TOKEN))
    await refused(
        network,
        1,
        signed(config, lambda a: stake.unbond(a, wei("1", "AMOUNT"))),
        rejected,
        "16 unbonding requests",
    )
    await refused(network, 1, signed(config, stake.withdraw), rejected, "is ripe before", "UTC")
    await network.at((await network.chain.block()).timestamp + 61)
    assert (await signed(config, stake.withdraw)).account.stake_unbonding == 0
    await network.do(0, network.contracts.rounds.pause())
    await refused(
        network, 1, signed(config, lambda a: stake.deposit(a, wei("1", "AMOUNT"))), rejected, "paused"
    )


async def test_verifier_commands_refuse_what_the_contract_would(network: Network, tmp_path: Path) -> None:
    config = configured(network, 1, tmp_path)
    a, b, c = (network.wallet(who).address for who in (1, 2, 3))
    usage = Exit.USAGE
    for members, threshold, word in (
        ([a, b], 1, "over half"),
        ([a, b], 3, "at most all"),
        ([a, a.lower()], 2, "all different"),
        (["0x" + "0" * 40], 1, "zero address"),
        ([f"0x{n:040x}" for n in range(1, 34)], 17, "not 33"),
        (["0x12"], 1, "not an address"),
    ):
        await refused(network, 1, create_set(config, members, threshold), usage, word)
    await refused(network, 1, join_set(config, 1), Exit.NOT_FOUND, "no verifier set 1")
    made = await create_set(config, [b, c], 2)
    await refused(network, 1, join_set(config, made.set), Exit.REJECTED, "no seat")
    await refused(network, 1, show_set(network, 2), Exit.NOT_FOUND, "no verifier set 2")
    seat = await create_set(config, [a], 1)
    minimum = (await network.contracts.rounds.configuration("latest")).minimum_verifier_stake
    lacking = f"members keep {exact(minimum)}"
    await refused(network, 1, join_set(config, seat.set), Exit.UNFUNDED, "0 tokens of free stake", lacking)
    await signed(config, lambda access: stake.deposit(access, minimum))
    assert not (await join_set(config, seat.set)).joined_before
    assert seat.curator == a and seat.cap == LIMITS.cap and seat.max_hold_seconds == LIMITS.max_hold
    await refused(network, 1, admit(configured(network, 2, tmp_path / "b"), 1, c), Exit.REJECTED, "curator")
    assert not (await admit(config, 1, c)).unchanged
    nonce = await network.chain.rpc.transaction_count(a, "latest")
    assert (await join_set(config, seat.set)).joined_before
    assert (await admit(config, 1, c)).unchanged
    assert await network.chain.rpc.transaction_count(a, "latest") == nonce
    shown = await show_set(network, seat.set)
    assert (shown.active, shown.open_rounds, shown.escrow_at_risk) == (True, 0, 0)
    assert shown.members == (Seat(a, True, Wei(minimum), Wei(0), Wei(0)),)


@pytest.mark.parametrize(("cap", "hold"), [(0, 5), (5, 0), (1 << 96, 5), (5, 1 << 32)])
async def test_limits_that_the_contract_cannot_count_are_refused(
    network: Network, cap: int, hold: int
) -> None:
    deployed = await network.contracts.rounds.configuration("latest")
    with pytest.raises(Fatal) as caught:
        check_limits(cap, hold, deployed)
    assert caught.value.code is Exit.USAGE and "above 0" in str(caught.value)


async def test_limits_with_which_no_round_could_ever_open_are_refused(network: Network) -> None:
    """A set's limits never change, so that such a set would be a waste of everybody's consent."""
    deployed = await network.contracts.rounds.configuration("latest")
    least = deployed.minimum_budget
    shortest = 4 * deployed.minimum_phase_duration + deployed.minimum_challenge_duration
    shortest += deployed.resolve_duration
    check_limits(least, shortest, deployed)
    for cap, hold, word in ((least - 1, shortest, "--cap"), (least, shortest - 1, "--max-hold")):
        with pytest.raises(Fatal) as caught:
            check_limits(cap, hold, deployed)
        assert caught.value.code is Exit.USAGE and word in str(caught.value.remedy)


async def test_the_next_round_is_judged_before_it_is_opened(network: Network) -> None:
    """A row for each refusal of an opening: not admitted, held too long, above the cap, not joined."""
    await found_project(network)
    me, found = network.wallet(0).address, await network.contracts.lens.verifier_set(1, "latest")
    ready = await network.contracts.lens.can_open(1, PARAMS.budget, "latest")

    def row(**changes: Any) -> Finding:
        given = {"me": me, "admitted": True, "hold": 100, "escrow": TOKEN, **changes}
        (only,) = judge_set(1, 1, given.pop("found", found), given.pop("ready", ready), **given)
        return only

    assert row().level is Level.OK
    for changes, word in (
        ({"admitted": False}, "has not admitted"),
        ({"hold": found.max_hold + 1}, "agreed to"),
        ({"escrow": found.cap + 1}, "whose cap is"),
        ({"ready": Readiness.STAKE_TOO_LOW}, "too little free stake"),
        ({"ready": Readiness.NOT_JOINED}, "has joined"),
    ):
        bad = row(**changes)
        assert bad.level is Level.FAILURE and word in bad.text and bad.remedy


async def test_a_challenge_outside_its_window_is_refused(network: Network, tmp_path: Path) -> None:
    config = configured(network, 3, tmp_path)
    evidence = "ab" * 32
    await refused(network, 3, challenge(config, evidence), Exit.NOT_FOUND, "no round 1")
    await found_project(network)
    await network.do(0, network.contracts.rounds.open_round(PARAMS))
    await refused(network, 3, challenge(config, evidence), Exit.REJECTED, "phase commit")
    await refused(network, 3, challenge(config, "x"), Exit.USAGE)
