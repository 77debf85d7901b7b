"""Calls of the contracts for what is not the caller's, tried in one round of honest nodes.

Strangers, a solver that never reveals, one that reveals too late, the only verifier and the proposer call
what they like in every phase. What is refused is refused by the contract itself: no node has to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from attackers import Attacker, attacker, refused, sheet_of
from forged_words import recording, word
from network import CHAIN_ID, TERMS, TOKEN, Network, deployer, new_wallet
from refusals import REFUSALS
from rows import NETWORK, Played

from jepanet.chain.contracts.abi import UnsignedCall
from jepanet.chain.contracts.training_rounds import Rounds
from jepanet.chain.contracts.views import Opening, SignedCommit
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.keys.wallet import Wallet
from jepanet.chain.keys.wallet_files import load_wallet, read_password
from jepanet.protocol import facts
from jepanet.protocol.documents.typed_data import commit_data
from jepanet.protocol.settling.sheet import ScoreSheet
from jepanet.types import Digest, Phase, RoundId, SlashCause, Verdict

pytestmark = [pytest.mark.scenario, pytest.mark.slow, pytest.mark.timeout(900)]

CHALLENGE = 600
"""Seconds; longer than all that is tried meanwhile, and skipped."""
OUTSIDERS = ("stranger", "silent", "late", "rival")
BROKEN = {
    "never reveal": "silent",
    "reveal only once the time is over": "late",
}
"""Attacks that cost a bond, and whose."""


@dataclass
class Outcome:
    network: Network
    number: int
    cast: dict[str, Attacker]
    refusals: dict[str, str]
    balances: dict[str, int]


class Tries:
    """What came of calls that were to be refused, by attack."""

    def __init__(self, rounds: Rounds) -> None:
        self.rounds, self.refusals = rounds, dict[str, str]()

    async def try_(self, attack: str, who: Attacker, call: UnsignedCall) -> None:
        self.refusals[attack] = await refused(who.sender.send(attack, call))


async def while_committing(tries: Tries, network: Network, number: int, cast: dict[str, Attacker]) -> None:
    rounds, params = tries.rounds, network.round(number).params
    stranger, silent, judge, hub = (cast[name] for name in ("stranger", "silent", "judge", "hub"))
    await tries.try_("commit without a stake", stranger, rounds.commit(number, b"\x01" * 32))
    await silent.commit(RoundId(number), Digest(b"\x77" * 32))
    await tries.try_("commit twice under one name", silent, rounds.commit(number, b"\x02" * 32))
    await tries.try_("commit as the verifier of the round", judge, rounds.commit(number, b"\x03" * 32))
    opened = rounds.reveal(number, b"\x77" * 32, silent.salt)
    await tries.try_("reveal while others still commit", silent, opened)
    out = rounds.withdraw(10 * TOKEN, silent.wallet.address)
    await tries.try_("take the stake behind a bond out", silent, out)
    all_of_it = rounds.request_unbond(200 * TOKEN)
    await tries.try_("take a verifier's stake out while a round holds it", judge, all_of_it)
    at_once = rounds.withdraw(TOKEN, judge.wallet.address)
    await tries.try_("withdraw a verifier's stake at once", judge, at_once)
    await tries.try_("cancel a round under way", stranger, rounds.cancel(number))
    await tries.try_("open a round of another's project", stranger, rounds.open_round(params))
    await tries.try_("open a second round beside the first", hub, rounds.open_round(params))
    await tries.try_("close the commits before their time", stranger, rounds.close_commits(number))
    set_id = network.project.set if network.project else 0
    own = stranger.wallet.address
    await tries.try_("admit oneself to a verifier set", stranger, rounds.admit(set_id, own, admitted=True))
    await tries.try_("join a verifier set as a stranger", stranger, rounds.join(set_id))
    half = rounds.create_verifier_set([own, silent.wallet.address], 1, TOKEN, 3600)
    await tries.try_("make a set of which half decide", stranger, half)
    await tries.try_("pause the contracts as a stranger", stranger, rounds.pause())
    late, word_ = cast["late"], b"\x04" * 32
    typed = commit_data(CHAIN_ID, rounds.address, round_id=number, commitment=word_)
    forged = SignedCommit(late.wallet.address, word_, stranger.wallet.sign_typed(typed))
    await stranger.sender.send("commit in another's name", rounds.commit_many(number, [forged]))
    if not network.round(number).committed(late.wallet.address):
        tries.refusals["commit in another's name"] = "left out"
    await late.commit(RoundId(number), Digest(b"\x78" * 32))


async def while_revealing(tries: Tries, network: Network, number: int, cast: dict[str, Attacker]) -> None:
    rounds, stranger, hub, solver = tries.rounds, cast["stranger"], cast["hub"], cast["solver"]
    await tries.try_("draw again for another shard", stranger, rounds.draw_beacon(number, b"\xc0"))
    await tries.try_("fix another block to draw by", stranger, rounds.close_commits(number))
    other = rounds.unseal(number, b"\x09" * 32, bytes(32), [])
    await tries.try_("unseal a shard as a stranger", stranger, other)
    await tries.try_("unseal another shard", hub, other)
    opened = network.round(number).reveal_of(solver.wallet.address)
    assert opened is not None
    again = rounds.reveal(number, opened.digest, opened.salt)
    await tries.try_("reveal twice", solver, again)
    late = cast["late"]
    assert late.digest is not None
    other_salt = rounds.reveal_many(number, [Opening(late.wallet.address, late.digest, bytes(32))])
    await tries.try_("open another's commitment with another salt", stranger, other_salt)
    early = rounds.slash_non_reveal(number, late.wallet.address)
    await tries.try_("take a bond while there is time to reveal", stranger, early)


async def while_verifying(tries: Tries, network: Network, number: int, cast: dict[str, Attacker]) -> None:
    """With the verifier at rest: nobody records anything meanwhile."""
    rounds, stranger, judge, late = tries.rounds, cast["stranger"], cast["judge"], cast["late"]
    round_ = network.round(number)
    assert late.digest is not None
    await tries.try_("reveal too late", late, rounds.reveal(number, late.digest, late.salt))
    victim = rounds.slash_non_reveal(number, cast["solver"].wallet.address)
    await tries.try_("take the bond of who has revealed", stranger, victim)

    async def record(attack: str, wallet: Wallet, times: int, claimed: int = number, **changed: Any) -> None:
        made, signature = word(network, claimed, wallet, **changed)
        await tries.try_(attack, stranger, recording(rounds, number, made, *[signature] * times))

    own, others = judge.wallet, stranger.wallet
    await record("record what nobody signed", own, 0)
    await record("record what a stranger signed", others, 1)
    await record("record what was signed for another round", own, 1, number + 1)
    await record("record what was signed on another chain", own, 1, chain_id=CHAIN_ID + 1)
    await record("record one verifier's word twice", own, 2)
    await record("record more pay than the escrow", own, 1, payout=103 * TOKEN)
    await record("record a gain and keep the model", own, 1, model=round_.base)
    said, signature = word(network, number, own)
    twice = rounds.slash_equivocation(said, signature, said, signature)
    await tries.try_("accuse a verifier of one word said twice", stranger, twice)
    first, second = (word(network, number, others, payout=payout) for payout in (1, 2))
    accused = rounds.slash_equivocation(*first, *second)
    await tries.try_("accuse a verifier of words that others signed", stranger, accused)
    recorded = facts.RecordedResult(
        said.root, said.model, said.sheet, said.extension, said.payout, said.improvement, 1
    )
    await tries.try_("settle before there is a result", stranger, rounds.settle(number, recorded))
    early = rounds.challenge(number, b"\x01" * 32, recorded)
    await tries.try_("challenge before there is a result", stranger, early)


async def while_challengeable(
    tries: Tries, network: Network, number: int, cast: dict[str, Attacker], sheet: ScoreSheet
) -> None:
    rounds, stranger, judge = tries.rounds, cast["stranger"], cast["judge"]
    (found,) = network.events(facts.ChainTrainingRecorded, number)
    recorded = network.round(number).recorded
    assert recorded is not None
    result = facts.RecordedResult(
        recorded.root, recorded.model, recorded.sheet, found.extension, recorded.payout,
        recorded.improvement, found.signers,
    )  # fmt: skip
    row = sheet.leaf_of(cast["solver"].wallet.address)
    assert row is not None
    await tries.try_("claim before the settlement", stranger, rounds.claim(number, *row))
    await tries.try_("challenge without money", stranger, rounds.challenge(number, b"\x01" * 32, result))
    other = rounds.challenge(number, b"\x01" * 32, replace(result, payout=result.payout + 1))
    await tries.try_("challenge another result than was recorded", stranger, other)
    overturned = rounds.overturn(number, result, stranger.wallet.address)
    await tries.try_("overturn a result as a stranger", stranger, overturned)
    await tries.try_("settle while it can be challenged", stranger, rounds.settle(number, result))
    made, signature = word(network, number, judge.wallet)
    await tries.try_("record a second result", stranger, recording(rounds, number, made, signature))
    # Last of all: a dispute of what is right, which the arbiter decides at once.
    rival, arbiter = cast["rival"], cast["arbiter"]
    await rival.sender.send("dispute", rounds.challenge(number, b"\x01" * 32, result))
    await arbiter.sender.send("uphold", rounds.uphold(number))
    await stranger.sender.send("close", rounds.close_challenge(number, rival.wallet.address))


async def once_settled(tries: Tries, number: int, cast: dict[str, Attacker], sheet: ScoreSheet) -> None:
    rounds, stranger, solver = tries.rounds, cast["stranger"], cast["solver"]
    row, fee = sheet.leaf_of(solver.wallet.address), sheet.leaf_of(cast["judge"].wallet.address)
    assert row is not None and fee is not None
    leaf, proof = row
    await tries.try_("claim a row twice", solver, rounds.claim(number, leaf, proof))
    await tries.try_("claim a fee twice", cast["judge"], rounds.claim(number, *fee))
    more = rounds.claim(number, replace(leaf, amount=leaf.amount + TOKEN), proof)
    await tries.try_("claim more than a row says", solver, more)
    taken = rounds.claim(number, replace(leaf, account=stranger.wallet.address), proof)
    await tries.try_("claim another's row", stranger, taken)
    made = replace(leaf, account=stranger.wallet.address, verdict=Verdict.ACCEPTED, amount=TOKEN)
    await tries.try_("claim with a row of one's own making", stranger, rounds.claim(number, made, ()))
    good = rounds.slash_invalid(number, leaf, proof)
    await tries.try_("take the bond of a delta that is not invalid", stranger, good)
    await tries.try_("release a bond without its row", solver, rounds.release_bond(number))
    await tries.try_("sweep what others have not claimed", stranger, rounds.sweep(number))


async def play(network: Network, folder: Path) -> Outcome:
    """One round, with every call in its phase."""
    network.run_nodes()
    wallets = {"judge": network.judge.wallet(), "hub": network.hub.wallet()}
    wallets |= {"solver": network.solvers[0].wallet(), "arbiter": deployer()}
    for name in OUTSIDERS:
        new_wallet(folder / name)
        wallets[name] = load_wallet(folder / name / "wallet", read_password(folder / name / "password"), None)
        await asyncio.to_thread(network.fund, [wallets[name].address], 100)
    rpc = Rpc([network.anvil.url], CHAIN_ID)
    cast = {name: attacker(network, rpc, name, wallet) for name, wallet in wallets.items()}
    tries = Tries(cast["stranger"].contracts.rounds)

    async def until(what: str, condition: Callable[[], Any]) -> None:
        await asyncio.to_thread(network.wait, what, condition)

    try:
        await asyncio.gather(*(cast[name].stake() for name in ("silent", "late", "rival")))
        commits = len(network.solvers) + 2
        number = await asyncio.to_thread(network.play, commits=commits, challenge_seconds=CHALLENGE)
        await while_committing(tries, network, number, cast)
        await until("the time to reveal", lambda: network.phase(number) is Phase.REVEAL)
        await until("honest reveals", lambda: len(network.round(number).reveals) == len(network.solvers))
        await until("the unsealed shard", lambda: network.round(number).shard)
        await while_revealing(tries, network, number, cast)
        network.judge.stop()
        network.warp(TERMS["reveal_seconds"])
        await until("the verification", lambda: network.phase(number) is Phase.VERIFY)
        await while_verifying(tries, network, number, cast)
        await asyncio.to_thread(network.run_nodes, "judge")
        await until("the record", lambda: network.phase(number) is Phase.CHALLENGE)
        sheet = await sheet_of(network, number, folder / "inputs")
        await while_challengeable(tries, network, number, cast, sheet)
        network.warp(CHALLENGE)
        await asyncio.to_thread(network.wait_finished, number)
        await once_settled(tries, number, cast, sheet)
        balances = {}
        for name in OUTSIDERS:
            address = wallets[name].address
            stake = await cast[name].contracts.lens.account(address, "latest")
            balances[name] = await cast[name].contracts.token.balance(address, "latest")
            balances[name] += stake.free + stake.locked
    finally:
        await rpc.close()
    return Outcome(network, number, cast, tries.refusals, balances)


@pytest.fixture(scope="module")
def called(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return asyncio.run(play(network, tmp_path_factory.mktemp("calls")))


@pytest.mark.parametrize("attack", REFUSALS)
def test_attack_what_is_not_the_callers_is_refused(called: Outcome, attack: str, rows: list[Played]) -> None:
    defence, reason = REFUSALS[attack]
    assert called.refusals[attack] == reason
    rows.append(Played(attack, defence, NETWORK, 0.0, 0.0, 0.0, False, reason))


@pytest.mark.parametrize("attack", BROKEN)
def test_attack_who_does_not_reveal_in_time_loses_the_bond(
    called: Outcome, attack: str, rows: list[Played]
) -> None:
    who = called.cast[BROKEN[attack]].wallet.address
    slashed = called.network.events(facts.ChainBondSlashed, RoundId(called.number))
    assert [item.cause for item in slashed if item.account == who] == [SlashCause.NOT_REVEALED]
    assert called.balances[BROKEN[attack]] == 90 * TOKEN
    defence = "a commitment that is not opened in time costs its bond"
    rows.append(Played(attack, defence, NETWORK, 0.0, 0.0, 1.0, False, "NOT_REVEALED"))


def test_attack_who_disputes_a_right_result_loses_the_challenge_bond(
    called: Outcome, rows: list[Played]
) -> None:
    who, lost = called.cast["rival"].wallet.address, 100 * TOKEN - called.balances["rival"]
    slashed = called.network.events(facts.ChainBondSlashed, RoundId(called.number))
    (closed,) = [item for item in slashed if item.account == who]
    assert (closed.cause, closed.amount) == (SlashCause.CHALLENGE_REJECTED, lost) and lost > 0
    rows.append(
        Played("dispute a right result", "a bond sized by the payout, and an arbiter", NETWORK, 0.0, 0.0,
               lost / (10 * TOKEN), False, "CHALLENGE_REJECTED")
    )  # fmt: skip


def test_nobody_else_lost_or_won_anything(called: Outcome) -> None:
    network, number = called.network, called.number
    assert called.balances["stranger"] == 100 * TOKEN
    slashed = network.events(facts.ChainBondSlashed, RoundId(number))
    broken = {called.cast[name].wallet.address for name in OUTSIDERS}
    honest = [item for item in slashed if item.account not in broken]
    assert all(item.cause is SlashCause.EXCLUDED for item in honest), "so small a training may do harm"
    claimed = {item.account for item in network.events(facts.ChainClaimed, number)}
    assert {node.address for node in (*network.solvers, network.judge)} <= claimed
