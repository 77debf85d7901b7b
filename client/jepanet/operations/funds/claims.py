"""`jepanet claim`: what ended rounds owe a wallet, taken out without a running node.

Everything is read from the contracts' views. Only the proof of a claim needs more, the round's score sheet:
what credit there is, bonds of cancelled rounds and unclaimed pay are taken out without sheets and peers.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from jepanet.chain.contracts.all import RoundView
from jepanet.chain.contracts.sentences import moment
from jepanet.cid import digest_of
from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.operations.access import SigningAccess, open_signing
from jepanet.operations.auditing.observer import Library, open_library
from jepanet.operations.funds.accounts import balances
from jepanet.operations.funds.unfinished import fresh_key, take_up
from jepanet.protocol.settling.sheet import MAX_SHEET_BYTES, ScoreSheet, decode_sheet
from jepanet.settings.paths import Paths
from jepanet.storage.blobs.files import place_of
from jepanet.types import TERMINAL_PHASES, Address, Phase, Standing, Verdict


async def claim(
    config_path: Path, round_ids: tuple[int, ...], *, inputs: Path, peers: tuple[str, ...], offline: bool
) -> dict[str, Any]:
    """Claims this wallet's pay, fees and bonds of ended rounds, then withdraws its credit into the wallet.

    Without `round_ids`: of every ended round this wallet took part in. What cannot be taken out is reported
    with its reason; `missing` counts the rounds whose score sheet could not be had.

    Raises:
        Fatal: a named round does not exist. Transient: no endpoint answers.
    """
    async with open_signing(config_path) as access, AsyncExitStack() as exits:
        rounds = access.chain.contracts.rounds
        count = await rounds.count("latest")
        for round_id in round_ids:
            if round_id > count:
                known = f"ids run from 1 to {count}" if count else "none was opened yet"
                raise Fatal(f"there is no round {round_id}", remedy=known, code=Exit.NOT_FOUND)
        sheets = _Sheets(access, exits, inputs, peers, offline)
        done = []
        for round_id in dict.fromkeys(round_ids) or range(1, count + 1):
            standing = (await rounds.commitment(round_id, access.wallet.address, "latest")).standing
            view = await rounds.round(round_id, "latest")
            involved = standing is not Standing.NONE or view.proposer == access.wallet.address
            if round_ids or (involved and view.phase in TERMINAL_PHASES):
                done.append({"round": round_id, **await _take(access, sheets, round_id, view, standing)})
        await take_up(access.sender, "credit", rounds.withdraw_credit())
        credit = await rounds.credit(access.wallet.address, "latest")
        if credit:
            await access.sender.send(fresh_key("credit"), rounds.withdraw_credit())
        return {
            "rounds": done,
            "missing": sum("missing" in item for item in done),
            "withdrawn": str(credit),
            "wallet": await balances(access.chain, access.wallet.address),
        }


class _Sheets:
    """Score sheets: from this node's own store, the folder of inputs, or peers, asked only if need be."""

    def __init__(
        self,
        access: SigningAccess,
        exits: AsyncExitStack,
        directory: Path,
        peers: tuple[str, ...],
        offline: bool,
    ) -> None:
        self._chain, self._exits, self._directory, self._offline = access.chain, exits, directory, offline
        self._blobs = Paths(access.data_dir).blobs
        self._peers = peers or access.chain.config.p2p.bootstrap
        self._library: Library | None = None

    async def get(self, digest: bytes) -> ScoreSheet:
        """Raises: Transient or Fatal: it is not to be had. Rejected: the folder's file is another."""
        own = place_of(self._blobs, digest)
        if own.is_file():
            data = own.read_bytes()
            if digest_of(data) == digest:
                return decode_sheet(data)
        if self._library is None:
            opened = open_library(self._chain, self._directory, peers=self._peers, offline=self._offline)
            self._library = await self._exits.enter_async_context(opened)
        path = await self._library.get("score sheet", digest, "dag-json", max_bytes=MAX_SHEET_BYTES)
        return decode_sheet(path.read_bytes())


async def _take(
    access: SigningAccess, sheets: _Sheets, round_id: int, view: RoundView, standing: Standing
) -> dict[str, Any]:
    """Sends what one round still allows this wallet; says what that was, or why there was nothing."""
    if view.phase not in TERMINAL_PHASES:
        return {"reason": f"not ended yet (phase {view.phase.name.lower()})"}
    rounds, taken = access.chain.contracts.rounds, {}
    settled = view.phase is Phase.SETTLED
    over = settled and (await access.chain.rpc.head()).ref.timestamp >= view.claim_end
    if over and view.proposer == access.wallet.address and view.claimed < view.payout:
        await access.sender.send(f"sweep/{round_id}", rounds.sweep(round_id))
        taken["swept"] = str(view.payout - view.claimed)
    if standing is Standing.REVEALED and (over or not settled):
        await access.sender.send(f"release/{round_id}", rounds.release_bond(round_id))
        return {**taken, "bond_released": str(view.bond)}
    if settled and not over and standing in (Standing.REVEALED, Standing.VERIFIER):
        return await _claim_leaf(access, sheets, round_id, view, standing)
    return taken or {"reason": _nothing(access.wallet.address, view, standing)}


async def _claim_leaf(
    access: SigningAccess, sheets: _Sheets, round_id: int, view: RoundView, standing: Standing
) -> dict[str, Any]:
    try:
        mine = (await sheets.get(view.sheet)).leaf_of(access.wallet.address)
    except Rejected as error:
        return {"reason": str(error), "missing": True}
    except (Transient, Fatal) as error:
        if error.code not in (Exit.TRY_AGAIN, Exit.NOT_FOUND, Exit.NO_PEERS):
            raise
        return {"reason": f"the score sheet that proves the claim is not to be had: {error}", "missing": True}
    if mine is None and standing is Standing.VERIFIER:
        return {"reason": "the result grants this wallet no fee"}
    if mine is None:
        return {"reason": f"the result has no row for it; the bond returns from {moment(view.claim_end)}"}
    leaf, proof = mine
    if leaf.verdict is Verdict.INVALID:
        return {"reason": "the delta was found invalid: its bond does not return"}
    call = access.chain.contracts.rounds.claim(round_id, leaf, proof)
    await access.sender.send(f"claim/{round_id}", call)
    return {"claimed": str(leaf.amount), "verdict": leaf.verdict.name.lower()}


def _nothing(me: Address, view: RoundView, standing: Standing) -> str:
    if standing is Standing.VERIFIER:
        settled = view.phase is Phase.SETTLED
        return f"claims ended at {moment(view.claim_end)}" if settled else "a cancelled round pays no fee"
    if standing is Standing.NONE and view.proposer == me:
        return "what it returned is credit"
    return {
        Standing.NONE: "this wallet took no part in it",
        Standing.COMMITTED: "its delta was not revealed: the bond does not return",
        Standing.SLASHED: "the bond was lost",
    }.get(standing, "taken out before")
