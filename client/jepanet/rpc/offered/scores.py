"""`deltas`, `scores`: what was revealed in a round, and what its coordinators measured of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from jepanet.cid import to_cid
from jepanet.errors import Rejected, Transient
from jepanet.operations.projects.attendance import verifiers_of
from jepanet.operations.views.rounds import RevealedDelta, RoundVerifiers, ScoreDocument, ScoreRow
from jepanet.protocol.documents.scores import MAX_REPORT_BYTES, REPORT, ScoreReport
from jepanet.rpc.codes import Code, Refused
from jepanet.rpc.handles.running import RunningNode
from jepanet.rpc.method import Method
from jepanet.rpc.offered.paging import Cursor, Limit, Page, page_of
from jepanet.rpc.offered.rounds import Number, OfRound, OneRound, known_round
from jepanet.types import Address, Digest


@dataclass(frozen=True, slots=True)
class OfCoordinator:
    round: Number
    coordinator: Address
    limit: Limit = 20
    cursor: Cursor | None = None


def methods(node: RunningNode) -> tuple[Method, ...]:
    """Those of these namespaces."""

    async def deltas(given: OfRound) -> Page[RevealedDelta]:
        found = list(enumerate(known_round(node.state, given.round).reveals, 1))
        page = page_of(found, lambda item: item[0], given.limit, given.cursor)
        shown = [
            RevealedDelta(item.solver, to_cid(item.digest), node.blobs.size(item.digest))
            for _, item in page.items
        ]
        return Page(tuple(shown), page.next)

    async def documents(given: OfRound) -> Page[ScoreDocument]:
        arrived = node.state.off_chain[known_round(node.state, given.round).id].scores
        page = page_of(list(enumerate(arrived, 1)), lambda item: item[0], given.limit, given.cursor)
        shown = [
            ScoreDocument(item.coordinator, to_cid(item.scores, "dag-json"), node.blobs.has(item.scores))
            for _, item in page.items
        ]
        return Page(tuple(shown), page.next)

    async def one(given: OfCoordinator) -> Page[ScoreRow]:
        round_ = known_round(node.state, given.round)
        arrived = {item.coordinator: item.scores for item in node.state.off_chain[round_.id].scores}
        if given.coordinator not in arrived:
            raise Refused(Code.NOT_FOUND, "no scores of this coordinator have arrived here")
        report = await asyncio.to_thread(_report, node, arrived[given.coordinator])
        if report is None or (report.round_id, report.coordinator) != (round_.id, given.coordinator):
            raise Refused(Code.UNAVAILABLE, "the scores are not stored here, or are none of this round")
        page = page_of(list(enumerate(report.scores, 1)), lambda item: item[0], given.limit, given.cursor)
        shown = [
            ScoreRow(
                item.solver,
                to_cid(item.digest),
                item.verdict.name.lower(),
                item.reason,
                item.gain,
                item.stderr,
                item.detail,
            )
            for _, item in page.items
        ]
        return Page(tuple(shown), page.next)

    async def verifiers(given: OneRound) -> RoundVerifiers:
        connected = {item.peer_id for item in await node.network.peers()}
        state = node.state
        return verifiers_of(state, known_round(state, given.round), node.heard.words(), connected)

    return (
        Method("deltas.list", "Deltas that were revealed in a round, and which are stored here", OfRound,
               Page[RevealedDelta], deltas),
        Method("scores.list", "Which coordinators' scores of a round have arrived", OfRound,
               Page[ScoreDocument], documents),
        Method("scores.verifiers", "Who scores a round: whose scores have arrived, and who is connected",
               OneRound, RoundVerifiers, verifiers),
        Method("scores.get", "What one coordinator measured of each delta of a round", OfCoordinator,
               Page[ScoreRow], one),
    )  # fmt: skip


def _report(node: RunningNode, digest: Digest) -> ScoreReport | None:
    try:
        return REPORT.decode(node.blobs.read(digest, max_bytes=MAX_REPORT_BYTES))
    except (Transient, Rejected):  # not fetched yet, collected meanwhile, damaged, or no scores at all
        return None
