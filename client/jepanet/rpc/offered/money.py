"""`rewards`, `transactions`, `wallet`: what results grant this wallet, what it sent and holds."""

from __future__ import annotations

from typing import Final

from jepanet.intents import Intent
from jepanet.operations.receipts.bond_words import lost_of
from jepanet.operations.views.funds import Account, Fee, Transaction
from jepanet.operations.views.json_form import Wei
from jepanet.operations.views.node import TakenUp
from jepanet.operations.views.rounds import Reward, SheetView
from jepanet.protocol.duties import ReleaseBond, SendClaim, duty_key
from jepanet.protocol.state import NodeState, Round
from jepanet.rpc.codes import Code, Refused
from jepanet.rpc.handles.holdings import Holdings
from jepanet.rpc.handles.running import RunningNode
from jepanet.rpc.handles.sheets import Sheets
from jepanet.rpc.method import Method, NoParams, Scope
from jepanet.rpc.offered.paging import Page, PageParams, page_of
from jepanet.rpc.offered.rounds import OneRound, known_round
from jepanet.storage.kept_intents import JournalIntents
from jepanet.types import Verdict

_NEWEST: Final = 20
"""Transactions by which it is told how much gas one takes."""


def methods(node: RunningNode, sheets: Sheets, holdings: Holdings[Account]) -> tuple[Method, ...]:
    """Those of these namespaces."""
    intents = JournalIntents(node.journal)

    async def offered() -> Fee:
        offer = await node.fees()
        sent = intents.page(node.state.me.address, before=None, most=_NEWEST)
        return Fee(Wei(offer.max_fee), max((intent.gas for _, intent in sent), default=None))

    fees = Holdings(offered, "what a transaction costs now, or the fee is above `chain.max_fee_gwei`")

    async def rewards(given: PageParams) -> Page[Reward]:
        state = node.state
        mine = [item for _, item in sorted(state.rounds.items(), reverse=True) if _part(state, item)]
        page = page_of(mine, lambda item: int(item.id), given.limit, given.cursor, falling=True)
        return Page(tuple([_reward(node, item, await sheets.brief(item)) for item in page.items]), page.next)

    async def claim(given: OneRound) -> tuple[TakenUp, ...]:
        number = known_round(node.state, given.round).id
        owed = (SendClaim(number), ReleaseBond(number))
        found = [(duty_key(duty), node.engine.take_up(duty)) for duty in owed]
        taken = tuple(TakenUp(key, state) for key, state in found if state is not None)
        if not taken:
            raise Refused(Code.NOT_FOUND, "this round has nothing for this wallet that can be taken out now")
        return taken

    async def transactions(given: PageParams) -> Page[Transaction]:
        before = None if given.cursor is None else int(given.cursor)
        found = intents.page(node.state.me.address, before=before, most=given.limit + 1)
        shown = found[: given.limit]
        return Page(
            tuple(shown_transaction(intent) for _, intent in shown),
            str(shown[-1][0]) if len(found) > given.limit else None,
        )

    async def account(_: NoParams) -> Account:
        return await holdings.get()

    async def fee(_: NoParams) -> Fee:
        return await fees.get()

    return (
        Method(
            "wallet.account",
            "What this node's wallet holds, as an endpoint of the chain told within the last 15 s",
            NoParams,
            Account,
            account,
        ),
        Method(
            "wallet.fee",
            "What a transaction of this wallet costs at most, as an endpoint told within the last 15 s",
            NoParams,
            Fee,
            fee,
        ),
        Method(
            "rewards.list",
            "What recorded results grant this wallet, the newest round first",
            PageParams,
            Page[Reward],
            rewards,
        ),
        Method(
            "rewards.claim",
            "Tries the claim of an ended round now, also one given up; the node itself sends it",
            OneRound,
            tuple[TakenUp, ...],
            claim,
            Scope.OPERATE,
        ),
        Method(
            "transactions.list",
            "Transactions of this node's wallet, the newest first",
            PageParams,
            Page[Transaction],
            transactions,
        ),
    )


def _part(state: NodeState, round_: Round) -> str | None:
    """What this wallet can be paid for in a round that has a result."""
    if round_.recorded is None:
        return None
    if round_.reveal_of(state.me.address) is not None:
        return "solver"
    return "coordinator" if state.me.address in state.members(round_) else None


def _reward(node: RunningNode, round_: Round, sheet: SheetView | None) -> Reward:
    me, part = node.state.me.address, _part(node.state, round_)
    assert part is not None
    verdict: str | None = None
    paid: Wei | None = None
    if sheet is not None and part == "solver":
        row = next((item for item in sheet.receipts if item.solver == me), None)
        verdict, paid = (row.verdict, row.paid) if row is not None else (None, Wei(0))
    elif part == "solver" and me in round_.slashed:  # who revealed loses its bond by this verdict alone
        verdict, paid = Verdict.INVALID.name.lower(), Wei(0)
    elif sheet is not None and sheet.figures is not None:
        paid = Wei(sum(item.paid for item in sheet.figures.fees if item.coordinator == me))
    claim = node.journal.duty_state(duty_key(SendClaim(round_.id)))
    lost = None if verdict is None else lost_of(round_.params.bond, verdict, node.excluded_bps)
    return Reward(
        int(round_.id),
        int(round_.project_id),
        part,
        round_.recorded_at,
        verdict,
        paid,
        claim,
        None if lost is None else Wei(lost),
        None if sheet is None or sheet.figures is None else sheet.figures.published,
    )


def shown_transaction(intent: Intent) -> Transaction:
    """What is told of a transaction: not its call."""
    return Transaction(
        what=intent.key,
        nonce=intent.nonce,
        to=intent.to,
        value=Wei(intent.value),
        gas=intent.gas,
        max_fee=Wei(intent.max_fee),
        max_priority_fee=Wei(intent.max_priority_fee),
        hashes=tuple("0x" + item.hex() for item in intent.hashes),
        state=intent.state.value,
        block=intent.block_number,
        created=int(intent.created),
    )
