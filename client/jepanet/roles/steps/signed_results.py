"""What a verifier signs of a sheet, and whether another one truly did."""

from __future__ import annotations

from jepanet.chain.keys.wallet_files import recover_typed
from jepanet.errors import Rejected
from jepanet.protocol.documents.typed_data import TypedData, result_data
from jepanet.protocol.settling.sheet import ScoreSheet
from jepanet.protocol.state import SignedResult
from jepanet.roles.context import Context
from jepanet.types import Digest

NO_EXTENSION = bytes(32)
"""What results carry that no document extends."""


def result_message(context: Context, sheet: ScoreSheet, digest: Digest, improvement: int) -> TypedData:
    """The typed data a verifier signs for a sheet, with its own measured improvement (micro-nats)."""
    return result_data(
        context.chain_id,
        context.rounds_address,
        round_id=sheet.round_id,
        root=sheet.root,
        model=sheet.model,
        sheet=digest,
        payout=sheet.payout,
        improvement=improvement,
        extension=NO_EXTENSION,
    )


def truly_signed(context: Context, sheet: ScoreSheet, item: SignedResult) -> bool:
    """Whether the verifier in whose name a result was heard signed it; `sheet`: the one that it names."""
    try:
        signer = recover_typed(result_message(context, sheet, item.sheet, item.improvement), item.signature)
    except Rejected:
        return False
    return signer == item.coordinator
