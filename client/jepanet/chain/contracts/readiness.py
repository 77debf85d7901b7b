"""Why a verifier set could not carry a round now, in words."""

from __future__ import annotations

from collections.abc import Mapping

from jepanet.chain.contracts.sentence import Sentence
from jepanet.types import Readiness

NOT_READY: Mapping[Readiness, Sentence] = {
    Readiness.UNKNOWN: Sentence("it does not exist", "look at `jepanet project show`"),
    Readiness.NOT_JOINED: Sentence(
        "not every member has joined", "wait until every member has run `jepanet verifiers join`"
    ),
    Readiness.STAKE_TOO_LOW: Sentence(
        "a member has too little free stake", "wait until it has deposited the minimum"
    ),
    Readiness.CAP_EXHAUSTED: Sentence(
        "the escrow of its open rounds and of this one exceeds its cap",
        "wait for its other rounds to end, or lower the budget",
    ),
}
