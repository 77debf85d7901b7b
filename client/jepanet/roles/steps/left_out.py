"""No coordinator's report is left out of a sheet that is signed, as long as there is time to take it in.

Whoever builds a sheet picks the reports that medians and fees follow from. Where one is missing that was
there to be taken, a signer waits for a better sheet, and signs this one only late in VERIFY, so that no round
is lost over it:

    VERIFY ──────────── all reports, or it is late ─────────────── two thirds ─────────────── end
           nothing is signed that lacks a report │ nor that lacks one │ any sheet that follows
                                                 │ heard well before  │ from its reports
"""

from __future__ import annotations

from dataclasses import replace

from jepanet.errors import Rejected, Transient
from jepanet.protocol.documents.scores import MAX_REPORT_BYTES, ScoreReport, decode_report
from jepanet.protocol.settling.sheet import ScoreSheet
from jepanet.protocol.settling.tally import RoundFacts, check_reports
from jepanet.protocol.state import Round
from jepanet.roles.context import Context
from jepanet.roles.steps.audits import believed
from jepanet.roles.steps.preparation import RoundDocuments
from jepanet.types import Digest

_APART_SHARE = 60
"""Clocks of confirmed blocks, and the same message at two nodes, are less than this fraction of VERIFY apart:
a report that was here so long before a sheet was with its builder too. With a twentieth between the last
openings and `reports_awaited_until`, every honest report that was not late is such a one."""


def wait_for_left_out(
    context: Context,
    round_: Round,
    facts: RoundFacts,
    documents: RoundDocuments,
    sheet: ScoreSheet,
    digest: Digest,
) -> None:
    """Raises: Transient, until two thirds of VERIFY are over; `digest` lacks a report that belongs in it."""
    off_chain = context.off_chain(round_.id)
    arrived = [item.at for item in off_chain.sheets if item.sheet == digest]
    arrived += [item.at for item in off_chain.results if item.sheet == digest]
    if not arrived or context.state().now >= round_.sheets_complete_until:
        return
    known = min(arrived) - round_.params.verify_duration // _APART_SHARE
    early = min(arrived) + round_.params.verify_duration // _APART_SHARE < round_.reports_awaited_until(
        documents.spec.committed_scores
    )
    heard = {item.coordinator: item for item in off_chain.scores}
    inside = {item.coordinator for item in sheet.reports}
    for who in facts.members:
        report = heard.get(who)
        if who in inside or not (early or (report is not None and report.at <= known)):
            continue
        if report is None or _counts(context, facts, documents, report.scores):
            raise Transient(f"the sheet {digest.hex()} leaves out the report of {who}, which is not late")


def _counts(context: Context, facts: RoundFacts, documents: RoundDocuments, scores: Digest) -> bool:
    """Whether an honest builder takes a report that is here."""
    report: ScoreReport = decode_report(context.blobs.read(scores, max_bytes=MAX_REPORT_BYTES))
    try:
        check_reports(replace(facts, threshold=1), [report])
    except Rejected:
        return False
    return bool(believed(context, facts, documents, [report]))
