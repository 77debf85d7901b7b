"""A coordinator commits to its scores, and opens them once it has heard the others' commitments."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from jepanet.protocol.documents.messages import SayCommitment
from jepanet.protocol.documents.openings import SALT_BYTES, Opening
from jepanet.protocol.documents.score_commitments import commitment_of, in_order, opening_message
from jepanet.protocol.documents.scores import (
    MAX_REPORT_BYTES,
    SIGNATURE_BYTES,
    ScoreReport,
    decode_report,
    encode_report,
)
from jepanet.protocol.documents.typed_data import score_commitment_data
from jepanet.protocol.state import Round
from jepanet.roles.context import Context
from jepanet.roles.steps.preparation import pin_of
from jepanet.tensors import canonical_json
from jepanet.types import Digest, RoundId

_COMMITTED = "scores/committed"
_OPENED = "scores/opened"


@dataclass(frozen=True, slots=True)
class Committed:
    """What is kept of a commitment until it is opened. `salt` stays here until then."""

    salt: bytes
    commitment: bytes
    signature: bytes


def commit_to(context: Context, report: ScoreReport) -> None:
    """Draws a salt and signs what commits this node to its report; on disk before any of it can be said."""
    salt = context.random_bytes(SALT_BYTES)
    commitment = commitment_of(report, salt, context.chain_id, context.rounds_address)
    typed = score_commitment_data(
        context.chain_id, context.rounds_address, round_id=report.round_id, commitment=commitment
    )
    kept = {
        "salt": salt.hex(),
        "commitment": commitment.hex(),
        "signature": context.wallet.sign_typed(typed).hex(),
    }
    context.journal.put_note(report.round_id, _COMMITTED, canonical_json(kept).decode())
    context.trace("scores:committed")


def committed(context: Context, round_id: RoundId) -> Committed | None:
    """What this node committed to in a round; None: to nothing."""
    note = context.journal.notes(round_id).get(_COMMITTED)
    if note is None:
        return None
    kept = json.loads(note)
    return Committed(*(bytes.fromhex(kept[name]) for name in ("salt", "commitment", "signature")))


def own_commitment(context: Context, round_id: RoundId) -> SayCommitment | None:
    """The message that says what this node committed to."""
    kept = committed(context, round_id)
    return None if kept is None else SayCommitment(round_id, kept.commitment, kept.signature)


def open_scores(context: Context, round_: Round, scores: Digest) -> Digest:
    """The report with its opening: once, for it lists what was heard before it leaves this machine.

    A second one, after a crash, would list what came meanwhile: whoever has died in between says the first.
    """
    stored = context.journal.notes(round_.id).get(_OPENED)
    if stored is not None:
        return Digest(bytes.fromhex(json.loads(stored)))
    kept = committed(context, round_.id)
    assert kept is not None, "it was journaled before the scores counted as committed"
    heard = in_order(context.off_chain(round_.id).commitments)
    report = decode_report(context.blobs.read(scores, max_bytes=MAX_REPORT_BYTES))
    opened = replace(report, opening=Opening(kept.salt, heard, bytes(SIGNATURE_BYTES)))
    signature = context.wallet.sign_typed(opening_message(opened, context.chain_id, context.rounds_address))
    assert opened.opening is not None
    opened = replace(opened, opening=replace(opened.opening, signature=signature))
    digest = context.blobs.put_bytes(encode_report(opened), pin=pin_of(round_))
    context.journal.put_note(round_.id, _OPENED, canonical_json(digest.hex()).decode())
    context.trace("scores:opened")
    return digest
