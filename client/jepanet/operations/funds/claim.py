"""`jepanet claim`: what ended rounds owe a wallet, taken out without a running node.

Everything but proofs is read from the contracts. A claim needs the round's score sheet; bonds of cancelled
rounds, and those that no claim frees, are taken back without sheets and peers. It all arrives as free stake.
"""

from __future__ import annotations

from collections.abc import Sequence

from jepanet.chain.contracts.all import RoundView
from jepanet.chain.contracts.sentences import moment
from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.operations.access import SigningAccess
from jepanet.operations.funds.stake import balances
from jepanet.operations.reading.history import History, find_round
from jepanet.operations.reading.library import Library
from jepanet.operations.views.funds import Claimed, RoundClaim
from jepanet.operations.views.json_form import Wei
from jepanet.protocol.due.exit_rules import CLAIM_DURATION, RELEASE_DELAY
from jepanet.protocol.settling.sheet import MAX_SHEET_BYTES, decode_sheet
from jepanet.types import TERMINAL_PHASES, Address, Phase, Standing, Verdict


async def claim(
    access: SigningAccess, history: History, library: Library, round_ids: Sequence[int]
) -> Claimed:
    """Claims this wallet's pay, fees and bonds of ended rounds; all of it becomes free stake.

    Without `round_ids`: of every ended round this wallet took part in. What cannot be taken out is reported
    with its reason; `missing` counts the rounds whose score sheet `library` could not give. `history` is read
    only where a claim needs a sheet.

    Raises:
        Fatal: a named round does not exist. Transient: no endpoint answers.
    """
    lens, me = access.chain.contracts.lens, access.wallet.address
    count = await lens.round_count("latest")
    for round_id in round_ids:
        if round_id > count:
            known = f"ids run from 1 to {count}" if count else "none was opened yet"
            raise Fatal(f"there is no round {round_id}", remedy=known, code=Exit.NOT_FOUND)
    done = []
    for round_id in dict.fromkeys(round_ids) or range(1, count + 1):
        standing = (await lens.commitment(round_id, me, "latest")).standing
        view = await lens.round(round_id, "latest")
        involved = standing is not Standing.NONE or view.proposer == me
        if round_ids or (involved and view.phase in TERMINAL_PHASES):
            done.append(await _take(access, history, library, round_id, view, standing))
    return Claimed(
        rounds=tuple(done),
        missing=sum(bool(item.missing) for item in done),
        wallet=await balances(access.chain, me),
    )


async def _take(
    access: SigningAccess,
    history: History,
    library: Library,
    round_id: int,
    view: RoundView,
    standing: Standing,
) -> RoundClaim:
    """Sends what one round still allows this wallet; says what that was, or why there was nothing."""
    if view.phase not in TERMINAL_PHASES:
        return RoundClaim(round_id, reason=f"not ended yet (phase {view.phase.name.lower()})")
    settled = view.phase is Phase.SETTLED
    over = settled and (await access.chain.rpc.head()).ref.timestamp >= view.claim_end
    if standing is Standing.REVEALED and (over or not settled):
        return await _release(access, round_id, view)
    if settled and not over and standing in (Standing.REVEALED, Standing.VERIFIER):
        return await _claim_leaf(access, history, library, round_id, view, standing)
    return RoundClaim(round_id, reason=_nothing(access.wallet.address, view, standing))


async def _release(access: SigningAccess, round_id: int, view: RoundView) -> RoundClaim:
    await access.sender.send(f"release/{round_id}", access.chain.contracts.rounds.release_bond(round_id))
    return RoundClaim(round_id, bond_released=Wei(view.bond))


async def _claim_leaf(
    access: SigningAccess,
    history: History,
    library: Library,
    round_id: int,
    view: RoundView,
    standing: Standing,
) -> RoundClaim:
    recorded = find_round(await history.state(), round_id).recorded
    if recorded is None:
        raise Transient(f"the endpoint does not show what was recorded for round {round_id} yet")
    try:
        path = await library.get("score sheet", recorded.sheet, "dag-json", max_bytes=MAX_SHEET_BYTES)
        mine = decode_sheet(path.read_bytes()).leaf_of(access.wallet.address)
    except Rejected as error:
        return RoundClaim(round_id, reason=str(error), missing=True)
    except (Transient, Fatal) as error:
        if error.code not in (Exit.TRY_AGAIN, Exit.NOT_FOUND, Exit.NO_PEERS):
            raise
        reason = f"the score sheet that proves the claim is not to be had: {error}"
        return RoundClaim(round_id, reason=reason, missing=True)
    if mine is None and standing is Standing.VERIFIER:
        return RoundClaim(round_id, reason="the result grants this wallet no fee")
    if mine is None:
        releasable = view.claim_end - CLAIM_DURATION + RELEASE_DELAY
        if (await access.chain.rpc.head()).ref.timestamp >= releasable:
            return await _release(access, round_id, view)
        reason = f"the result has no row for it; the bond returns from {moment(releasable)}"
        return RoundClaim(round_id, reason=reason)
    leaf, proof = mine
    if leaf.verdict is Verdict.INVALID:
        return RoundClaim(round_id, reason="the delta was found invalid: its bond does not return")
    call = access.chain.contracts.rounds.claim(round_id, leaf, proof)
    await access.sender.send(f"claim/{round_id}", call)
    return RoundClaim(round_id, claimed=Wei(leaf.amount), verdict=leaf.verdict.name.lower())


def _nothing(me: Address, view: RoundView, standing: Standing) -> str:
    if standing is Standing.VERIFIER:
        settled = view.phase is Phase.SETTLED
        return f"claims ended at {moment(view.claim_end)}" if settled else "a cancelled round pays no fee"
    if standing is Standing.NONE and view.proposer == me:
        return "what it returned is free stake"
    return {
        Standing.NONE: "this wallet took no part in it, or took out all of it before a later round",
        Standing.COMMITTED: "its delta was not revealed: the bond does not return",
        Standing.SLASHED: "the bond was lost",
    }.get(standing, "taken out before")
