"""How a coordinator's scores were committed to before anybody's were opened.

    measure ─▶ commitment (32 bytes, signed, gossiped) ─▶ … all have committed, or it is time … ─▶ opening

A commitment hides the scores under a salt. With its scores a coordinator opens the salt and signs whose
commitments it had heard before: who committed only after it had read another's scores is missing from the
lists of honest coordinators, or stands in them with two commitments. `settling.in_time` makes a rule of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from jepanet.records.marks import Size
from jepanet.types import Address

SALT_BYTES = 32
MAX_HEARD = 64
"""Commitments that an opening lists: two of each verifier that a set can have."""
MOST_OF_ONE = 2
"""Commitments of one coordinator that are kept: a second one proves that it says different things."""


@dataclass(frozen=True, slots=True)
class HeardCommitment:
    """A coordinator's signed commitment to its scores of a round (`typed_data.score_commitment_data`)."""

    coordinator: Address
    commitment: Annotated[bytes, Size(32, 32)]
    signature: Annotated[bytes, Size(65, 65)]


@dataclass(frozen=True, slots=True)
class Opening:
    """What a coordinator says with its scores when it opens them."""

    salt: Annotated[bytes, Size(SALT_BYTES, SALT_BYTES)]
    heard: Annotated[
        tuple[HeardCommitment, ...],
        Size(0, MAX_HEARD),
        "of the other coordinators, before this one opened; ascending by coordinator and commitment",
    ]
    signature: Annotated[bytes, Size(65, 65), "over its own commitment and all that it heard"]


def heard_order(item: HeardCommitment) -> tuple[str, bytes]:
    """Where a commitment stands in a list."""
    return item.coordinator.lower(), item.commitment
