"""Rounds: what the chain says of them, the receipts of their score sheets, and disputing a result."""

from __future__ import annotations

import asyncio

from jepanet.chain.contracts.deployment import Deployment
from jepanet.cid import parse_digest, to_cid
from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.learning.auditing.division import measured_every
from jepanet.learning.recipe import MAX_RECIPE_BYTES
from jepanet.learning.recipe_reader import read_recipe
from jepanet.operations.access import SigningAccess
from jepanet.operations.funds.precheck import check_challenge
from jepanet.operations.funds.stake import allow
from jepanet.operations.projects.deterring import deterrence_of_round, shown_deterrence
from jepanet.operations.projects.terms import terms_of
from jepanet.operations.reading.history import History, find_round
from jepanet.operations.reading.library import Library
from jepanet.operations.receipts.receipts import Terms, sheet_view
from jepanet.operations.receipts.recomputed import recompute
from jepanet.operations.views.audits import Deterring
from jepanet.operations.views.json_form import Wei
from jepanet.operations.views.rounds import (
    Challenged,
    Commitment,
    RoundDetails,
    RoundSchedule,
    RoundSummary,
    SheetView,
)
from jepanet.protocol.commitment import merkle_root, result_leaf
from jepanet.protocol.documents.spec import MAX_SPEC_BYTES, RoundSpec
from jepanet.protocol.settling.sheet import MAX_SHEET_BYTES, ScoreSheet, decode_sheet
from jepanet.protocol.settling.tally import RoundFacts, drawn_solvers, facts_of
from jepanet.protocol.state import NodeState, Round
from jepanet.types import CancelCause, Digest, Phase
from jepanet.work.methods import known_spec

CANCEL_CAUSES = {
    CancelCause.NO_COMMITS: "no commits",
    CancelCause.NOT_UNSEALED: "evaluation shard not unsealed",
    CancelCause.NO_REVEALS: "no reveals",
    CancelCause.EXPIRED: "no result in time",
    CancelCause.OVERTURNED: "result overturned",
}


async def list_rounds(history: History) -> tuple[RoundSummary, ...]:
    """Every round of the deployment."""
    state = await history.state()
    return tuple(summary(state, round_) for _, round_ in sorted(state.rounds.items()))


async def summary_of(history: History, round_id: int) -> RoundSummary:
    """What the chain alone says of one round. Raises: Fatal: no such round (exit code `NOT_FOUND`)."""
    state = await history.state()
    return summary(state, find_round(state, round_id))


async def list_commitments(history: History, round_id: int) -> tuple[Commitment, ...]:
    """Who committed to what in a round, in order. Raises: Fatal: no such round (exit code `NOT_FOUND`)."""
    return commitments(find_round(await history.state(), round_id))


def commitments(round_: Round) -> tuple[Commitment, ...]:
    """Who committed to what in a round, in order."""
    revealed = {item.solver: to_cid(item.digest) for item in round_.reveals}
    return tuple(
        Commitment(item.solver, "0x" + item.commitment.hex(), revealed.get(item.solver))
        for item in round_.commits
    )


async def show_round(history: History, library: Library, round_id: int) -> RoundDetails:
    """One round with a receipt for every solver, from the recorded score sheet.

    Raises:
        Fatal: no such round. Transient: a result is recorded and nobody serves its sheet.
    """
    state = await history.state()
    round_ = find_round(state, round_id)
    sheet = await fetch_sheet(library, round_, judged_facts(state, round_, history.deployment))
    spec = await _rules(library, round_)
    if spec is None:
        return RoundDetails(summary(state, round_), sheet)
    terms = terms_of(state, round_, spec)
    return RoundDetails(summary(state, round_), sheet, await _audits(library, round_, spec), terms)


async def _rules(library: Library, round_: Round) -> RoundSpec | None:
    """None where they are not to be had, or this program does not know them: no reason to show nothing."""
    try:
        data = await _spec(library, round_)
        return None if data is None else known_spec(data)
    except (Rejected, Fatal):
        return None


async def _audits(library: Library, round_: Round, spec: RoundSpec) -> Deterring | None:
    """What the bond is worth against the round's audits; None without any."""
    found = deterrence_of_round(
        spec,
        bond=round_.params.bond,
        budget=round_.params.budget,
        measured_every=await _measured_every(library, spec),
    )
    return None if found is None else shown_deterrence(found)


async def _measured_every(library: Library, spec: RoundSpec) -> int | None:
    """As `lottery_of` takes it; None where nobody serves the recipe, or this program cannot read it."""
    if spec.audit is None or not spec.audit.probability_milli:
        return None
    try:
        path = await library.get("recipe", spec.recipe, "dag-json", max_bytes=MAX_RECIPE_BYTES)
        return measured_every(read_recipe(path.read_bytes()))
    except (Transient, Rejected, Fatal):
        return None


def judged_facts(state: NodeState, round_: Round, deployment: Deployment) -> RoundFacts | None:
    """What the chain says of a round whose deltas were judged; None before its evaluation shard is known."""
    if round_.shard is None:
        return None
    return facts_of(state, round_, deployment.chain_id, deployment.rounds)


async def fetch_sheet(library: Library, round_: Round, facts: RoundFacts | None) -> SheetView:
    """The score sheet of a round, without a row where no result is recorded.

    Raises: Transient: nobody serves it. Rejected: as `read_sheet`, or the library's file is altered.
    """
    if round_.recorded is None or facts is None:
        return SheetView()
    path = await library.get("score sheet", round_.recorded.sheet, "dag-json", max_bytes=MAX_SHEET_BYTES)
    spec = await _spec(library, round_)
    return await asyncio.to_thread(lambda: read_sheet(path.read_bytes(), spec, round_, facts))


async def _spec(library: Library, round_: Round) -> bytes | None:
    try:
        path = await library.get("round spec", round_.params.spec, "dag-json", max_bytes=MAX_SPEC_BYTES)
    except Transient:
        return None
    return path.read_bytes()


def read_sheet(sheet: bytes, spec: bytes | None, round_: Round, facts: RoundFacts) -> SheetView:
    """A score sheet's bytes as receipts, recomputed and with sums where there is the round's spec, which
    names the price. One that does not follow from its own scores says so: it is what was recorded.

    Raises: Rejected: bytes that are none, or a sheet that says otherwise than the chain (reason `altered`).
    """
    terms = None
    if spec is not None:
        rules = known_spec(spec)
        drawn = drawn_solvers(facts, rules)
        terms = Terms(rules, round_.params.budget, round_.params.fee, facts.members, drawn)
    document = decode_sheet(sheet)
    _check_against_chain(document, round_)
    return sheet_view(document, terms, recompute(document, None if terms is None else terms.spec, facts))


def _check_against_chain(sheet: ScoreSheet, round_: Round) -> None:
    """That it is the sheet of this round, and grants what was recorded: verifiers may record the hash of any
    file. Whether its scores are true, only an audit can say.

    Raises: Rejected (reason `altered`), naming what differs.
    """
    recorded, leaves = round_.recorded, sheet.leaves
    assert recorded is not None, "who reads a sheet has it from what was recorded"
    try:
        root = merkle_root([result_leaf(sheet.round_id, leaf) for leaf in leaves])
    except ValueError:  # of no leaves, or of one that no contract could take
        root = b""
    told = {
        "round": (sheet.round_id, round_.id),
        "project": (sheet.project_id, round_.project_id),
        "rules": (sheet.spec, round_.params.spec),
        "base": (sheet.base, round_.base),
        "evaluation shard": (sheet.shard, round_.shard),
        "model": (sheet.model, recorded.model),
        "payments": (root, recorded.root),
        "payout": (sum(leaf.amount for leaf in leaves), recorded.payout),
    }
    wrong = [name for name, (claimed, known) in told.items() if claimed != known]
    if wrong:
        raise Rejected(
            f"round {round_.id}: its score sheet is altered: the chain has another {' and '.join(wrong)}",
            reason="altered",
            remedy="believe none of it; who signed that result is in the transaction that recorded it",
        )


def summary(state: NodeState, round_: Round) -> RoundSummary:
    """What the chain alone says of a round."""
    recorded = round_.recorded
    return RoundSummary(
        round=int(round_.id),
        project=int(round_.project_id),
        phase=round_.phase(state.now).name.lower(),
        cause=CANCEL_CAUSES.get(round_.cancel_cause),
        base=to_cid(round_.base),
        model=to_cid(recorded.model) if recorded else None,
        sheet=to_cid(recorded.sheet, "dag-json") if recorded else None,
        commits=len(round_.commits),
        reveals=len(round_.reveals),
        budget=Wei(round_.params.budget),
        fee=Wei(round_.params.fee),
        bond=Wei(round_.params.bond),
        payout=Wei(recorded.payout) if recorded else None,
        improvement=recorded.improvement if recorded else None,
    )


def schedule(state: NodeState, round_: Round) -> RoundSchedule:
    """When the phases of a round end."""
    return RoundSchedule(
        round=int(round_.id),
        phase=round_.phase(state.now).name.lower(),
        proposer=round_.proposer,
        bond=Wei(round_.params.bond),
        now=state.now,
        opened=round_.opened_at,
        commit_end=round_.commit_end,
        reveal_start=round_.reveal_start,
        reveal_end=round_.reveal_end,
        verify_end=round_.verify_end,
        challenge_end=round_.recorded.challenge_end if round_.recorded else None,
        ended=round_.ended_at or None,
        drawn=round_.evaluation_index is not None,
        unsealed=round_.shard is not None,
        bonds_until=_bonds_until(state, round_),
        recorded=(round_.recorded_at or None) if round_.recorded else None,
    )


def _bonds_until(state: NodeState, round_: Round) -> int | None:
    """A result that comes last of all is challenged last of all."""
    if round_.phase(state.now, state.me.resolve_duration) in (Phase.SETTLED, Phase.CANCELLED, Phase.DISPUTED):
        return None
    if round_.recorded is not None:
        return round_.recorded.challenge_end
    return round_.verify_end + round_.params.challenge_duration


def evidence_digest(text: str) -> Digest:
    """The digest of a document that says what is wrong with a result, from a CID or hex.

    Raises: Fatal: it is neither (exit code `USAGE`).
    """
    try:
        return parse_digest(text)
    except Rejected as error:
        raise Fatal(error.message, remedy="give a CID or 64 hex digits", code=Exit.USAGE) from error


async def challenge(access: SigningAccess, history: History, round_id: int, evidence: Digest) -> Challenged:
    """Disputes a recorded result before its window ends. The bond comes from this wallet's free stake, and
    what that lacks from its tokens.

    Raises:
        Fatal: no such round, not in its challenge window, challenged before, or too few tokens.
    """
    contracts, me = access.chain.contracts, access.wallet.address
    recorded = find_round(await history.state(), round_id).recorded
    bond, lacking = await check_challenge(access.chain, round_id, recorded.payout if recorded else 0, me)
    if recorded is None:
        raise Transient(f"the endpoint does not show what was recorded for round {round_id} yet")
    if lacking:
        await allow(access, lacking)
    call = contracts.rounds.challenge(round_id, evidence, recorded.shown)
    receipt = await access.sender.send(f"challenge/{round_id}/{evidence.hex()}", call)
    return Challenged(round_id, Wei(bond), "0x" + receipt.tx_hash.hex())
