"""What nodes say over gossip: one canonical JSON envelope, signed by libp2p, bound to a wallet by EIP-712.

    {"version": 1, "kind": "provide|scores|commitment|sheet|result", "body": {...},
     "binding": {wallet, peer, expiry, signature}}

Parsing checks form and size alone; who may say it is decided by `jepanet.node.gossip_gate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from jepanet.records.codec import Codec, Tagged, rejected
from jepanet.records.kinds import Spelling
from jepanet.records.marks import SAFE_INTEGER, Embedded, Form, Name, Range, Size
from jepanet.types import Address, Digest, RoundId

VERSION = 1
MAX_MESSAGE_BYTES = 768 * 1024
"""Room for a report on `scores.MAX_DELTAS` deltas; the gossip layer silently drops 1 MiB and more."""
_SPELLING = Spelling(prefix="")
_MALFORMED = rejected("malformed")
_WALLET = Form(r"0x[0-9a-fA-F]{40}", "0x and 40 hex digits")
_PEER = Form(r"[1-9A-HJ-NP-Za-km-z]{20,80}", "a peer id")
_MULTIADDRESS = Form(r"(?s)/.*", "a multiaddress")
_Round = Annotated[RoundId, Name("round"), Range(0, SAFE_INTEGER)]
_Signature = Annotated[bytes, Size(65, 65)]


@dataclass(frozen=True, slots=True)
class Binding:
    """`NodeBinding`: the wallet vouches for a network key until `expiry` (unix seconds)."""

    wallet: Annotated[Address, _WALLET]
    peer: Annotated[str, _PEER]
    expiry: Annotated[int, Range(0, SAFE_INTEGER)]
    signature: _Signature


@dataclass(frozen=True, slots=True)
class Provide:
    """The sender serves this blob. A hint only: the digest decides what is accepted."""

    round_id: _Round
    digest: Digest
    addresses: Annotated[
        tuple[Annotated[str, Size(1, 256), _MULTIADDRESS], ...],
        Size(0, 8),
        "multiaddresses at which the sender can be dialled",
    ]


@dataclass(frozen=True, slots=True)
class SayScores:
    round_id: _Round
    report: Annotated[bytes, Embedded(), "canonical JSON of a `ScoreReport`"]


@dataclass(frozen=True, slots=True)
class SayCommitment:
    """A coordinator has measured, and says of what by a commitment alone."""

    round_id: _Round
    commitment: Annotated[bytes, Size(32, 32)]
    signature: _Signature


@dataclass(frozen=True, slots=True)
class SaySheet:
    round_id: _Round
    sheet: Digest


@dataclass(frozen=True, slots=True)
class SayResult:
    round_id: _Round
    sheet: Digest
    improvement: int
    signature: _Signature


Body = Provide | SayScores | SayCommitment | SaySheet | SayResult


@dataclass(frozen=True, slots=True)
class Envelope:
    binding: Binding
    body: Body


@dataclass(frozen=True, slots=True)
class _Outer:
    """An envelope as it travels: the kind stands beside the body that it belongs to."""

    HEAD: ClassVar = {"version": VERSION}

    kind: str
    body: object
    binding: Binding


_OUTER = Codec(_Outer, "message", max_bytes=MAX_MESSAGE_BYTES, spelling=_SPELLING, refuse=_MALFORMED)
_BINDING = Codec(Binding, "binding", max_bytes=1024, spelling=_SPELLING, refuse=_MALFORMED)
_FIRST = b'{"binding":'
_BODIES: Tagged[Body] = Tagged(
    {
        "provide": Provide,
        "scores": SayScores,
        "commitment": SayCommitment,
        "sheet": SaySheet,
        "result": SayResult,
    },
    "message",
    spelling=_SPELLING,
    refuse=_MALFORMED,
)


def encode_envelope(envelope: Envelope) -> bytes:
    """Canonical bytes of a message.

    Raises:
        Rejected: larger than `MAX_MESSAGE_BYTES`, or a field out of bounds.
    """
    kind = _BODIES.tag_of(envelope.body)
    return _OUTER.encode(_Outer(kind, _BODIES.codec(kind).tree(envelope.body), envelope.binding))


def decode_envelope(data: bytes) -> Envelope:
    """Parses a message from a stranger.

    Raises:
        Rejected: over the cap, not canonical JSON, or any field missing, unknown or malformed.
    """
    outer = _OUTER.decode(data)
    return Envelope(outer.binding, _BODIES.codec(outer.kind).read(outer.body))


def binding_of(data: bytes) -> Binding:
    """The binding of a message from a stranger, which stands first in its canonical form: nothing behind it
    is read, however long that is.

    Raises:
        Rejected: it does not begin with a binding.
    """
    end = data.find(b"}", 0, len(_FIRST) + 1024) + 1
    return _BINDING.decode(data[len(_FIRST) : end] if data.startswith(_FIRST) else b"")
