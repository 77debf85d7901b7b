"""What a coordinator commits to before anybody's scores are opened, and what its opening has to show."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from jepanet.errors import Rejected
from jepanet.protocol.documents.openings import HeardCommitment, heard_order
from jepanet.protocol.documents.scores import Recover, ScoreReport, score_message
from jepanet.protocol.documents.typed_data import (
    TypedData,
    score_commitment_data,
    score_opening_data,
    signing_hash,
)
from jepanet.types import Address

_COMMITMENT = b"jepanet score commitment v1"
_HEARD = b"jepanet heard score commitments v1"


def commitment_of(report: ScoreReport, salt: bytes, chain_id: int, contract: Address) -> bytes:
    """The 32 bytes that commit a coordinator to its scores of a round on one chain, under a secret salt.

    They cover what every score signs, and nothing of the notes beside it. Bound to the coordinator, so that
    nobody can commit to another's scores unseen.
    """
    scores = sha256()
    for score in report.scores:
        scores.update(signing_hash(score_message(chain_id, contract, report.round_id, score)))
    place = chain_id.to_bytes(32, "big") + _account(contract) + int(report.round_id).to_bytes(32, "big")
    return sha256(_COMMITMENT + place + _account(report.coordinator) + salt + scores.digest()).digest()


def heard_digest(heard: Sequence[HeardCommitment]) -> bytes:
    """The digest of a list of heard commitments, in its order."""
    found = sha256(_HEARD)
    for item in heard:
        found.update(_account(item.coordinator) + item.commitment)
    return found.digest()


def opening_message(report: ScoreReport, chain_id: int, contract: Address) -> TypedData:
    """The typed data that `report.opening.signature` signs; the report has an opening."""
    assert report.opening is not None
    return score_opening_data(
        chain_id,
        contract,
        round_id=report.round_id,
        commitment=commitment_of(report, report.opening.salt, chain_id, contract),
        heard=heard_digest(report.opening.heard),
    )


def check_opening(report: ScoreReport, chain_id: int, contract: Address, recover: Recover) -> None:
    """Whoever opened signed what it had heard, and every commitment that it lists was signed by its author.

    Raises:
        Rejected: reason `bad-signature`, or what `recover` raises.
    """
    if report.opening is None:
        return
    signed = [(report.coordinator, opening_message(report, chain_id, contract), report.opening.signature)]
    for item in report.opening.heard:
        typed = score_commitment_data(
            chain_id, contract, round_id=report.round_id, commitment=item.commitment
        )
        signed.append((item.coordinator, typed, item.signature))
    for who, typed, signature in signed:
        signer = recover(typed, signature)
        if signer != who:
            raise Rejected(
                f"what the opening of {report.coordinator} has of {who} was signed by {signer}",
                reason="bad-signature",
            )


def in_order(heard: Sequence[HeardCommitment]) -> tuple[HeardCommitment, ...]:
    """As an opening lists them."""
    return tuple(sorted(heard, key=heard_order))


def _account(address: Address) -> bytes:
    return bytes.fromhex(address[2:])
