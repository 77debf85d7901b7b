"""What nodes say over gossip: one canonical JSON envelope, signed by libp2p, bound to a wallet by EIP-712.

    {"version": 1, "kind": "provide|scores|sheet|result", "body": {...},
     "binding": {wallet, peer, expiry, signature}}

Parsing checks form and size alone; who may say it is decided by `jepanet.node.gate`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from jepanet.errors import Rejected
from jepanet.tensors import canonical_json, parse_json
from jepanet.types import Address, Digest, RoundId

VERSION = 1
MAX_MESSAGE_BYTES = 768 * 1024
"""Room for a report on `scores.MAX_DELTAS` deltas; the gossip layer silently drops 1 MiB and more."""
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_PEER = re.compile(r"[1-9A-HJ-NP-Za-km-z]{20,80}")
_MAX_ADDRESSES, _MAX_ADDRESS_LENGTH = 8, 256


@dataclass(frozen=True, slots=True)
class Binding:
    """`NodeBinding`: the wallet vouches for a network key until `expiry` (unix seconds)."""

    wallet: Address
    peer: str
    expiry: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Provide:
    """The sender serves this blob. A hint only: the digest decides what is accepted."""

    round_id: RoundId
    digest: Digest
    addresses: tuple[str, ...]
    """Multiaddresses at which the sender can be dialled."""


@dataclass(frozen=True, slots=True)
class SayScores:
    round_id: RoundId
    report: bytes
    """Canonical JSON of a `protocol.sheet.ScoreReport`."""


@dataclass(frozen=True, slots=True)
class SaySheet:
    round_id: RoundId
    sheet: Digest


@dataclass(frozen=True, slots=True)
class SayResult:
    round_id: RoundId
    sheet: Digest
    improvement: int
    signature: bytes


Body = Provide | SayScores | SaySheet | SayResult


@dataclass(frozen=True, slots=True)
class Envelope:
    binding: Binding
    body: Body


def encode_envelope(envelope: Envelope) -> bytes:
    """Canonical bytes of a message.

    Raises:
        Rejected: larger than `MAX_MESSAGE_BYTES`.
    """
    binding, body = envelope.binding, envelope.body
    kind, fields = _body_fields(body)
    data = canonical_json(
        {
            "version": VERSION,
            "kind": kind,
            "body": {"round": int(body.round_id), **fields},
            "binding": {
                "wallet": binding.wallet,
                "peer": binding.peer,
                "expiry": binding.expiry,
                "signature": binding.signature.hex(),
            },
        }
    )
    if len(data) > MAX_MESSAGE_BYTES:
        raise Rejected(f"a {kind} message of {len(data)} bytes is over the cap", reason="too-large")
    return data


def decode_envelope(data: bytes) -> Envelope:
    """Parses a message from a stranger.

    Raises:
        Rejected: over the cap, not canonical JSON, or any field missing, unknown or malformed.
    """
    tree = parse_json(data, max_bytes=MAX_MESSAGE_BYTES, what="message")
    top = _fields(tree, "message", {"version", "kind", "body", "binding"})
    if type(top["version"]) is not int or top["version"] != VERSION:  # true equals 1
        raise _malformed(f"version {top['version']!r} is not {VERSION}")
    raw = _fields(top["binding"], "binding", {"wallet", "peer", "expiry", "signature"})
    binding = Binding(
        wallet=_address(raw["wallet"]),
        peer=_match(_PEER, raw["peer"], "peer id"),
        expiry=_natural(raw["expiry"], "expiry"),
        signature=_hex(raw["signature"], 65, "binding signature"),
    )
    return Envelope(binding, _body(top["kind"], top["body"]))


def _body_fields(body: Body) -> tuple[str, dict[str, Any]]:
    match body:
        case Provide():
            return "provide", {"digest": body.digest.hex(), "addresses": list(body.addresses)}
        case SayScores():
            return "scores", {"report": parse_json(body.report, max_bytes=MAX_MESSAGE_BYTES, what="report")}
        case SaySheet():
            return "sheet", {"sheet": body.sheet.hex()}
        case SayResult():
            return "result", {
                "sheet": body.sheet.hex(),
                "improvement": body.improvement,
                "signature": body.signature.hex(),
            }


def _body(kind: Any, tree: Any) -> Body:
    match kind:
        case "provide":
            raw = _fields(tree, kind, {"round", "digest", "addresses"})
            addresses = raw["addresses"]
            if not isinstance(addresses, list) or len(addresses) > _MAX_ADDRESSES:
                raise _malformed("addresses must be a list of at most 8")
            for item in addresses:
                if not isinstance(item, str) or len(item) > _MAX_ADDRESS_LENGTH or not item.startswith("/"):
                    raise _malformed("an address is not a multiaddress")
            return Provide(_round(raw), Digest(_hex(raw["digest"], 32, "digest")), tuple(addresses))
        case "scores":
            raw = _fields(tree, kind, {"round", "report"})
            return SayScores(_round(raw), canonical_json(raw["report"]))
        case "sheet":
            raw = _fields(tree, kind, {"round", "sheet"})
            return SaySheet(_round(raw), Digest(_hex(raw["sheet"], 32, "sheet")))
        case "result":
            raw = _fields(tree, kind, {"round", "sheet", "improvement", "signature"})
            improvement = raw["improvement"]
            if type(improvement) is not int or abs(improvement) >= 1 << 53:
                raise _malformed("improvement is not an integer")
            sheet = Digest(_hex(raw["sheet"], 32, "sheet"))
            return SayResult(_round(raw), sheet, improvement, _hex(raw["signature"], 65, "signature"))
        case _:
            raise _malformed(f"unknown kind {str(kind)[:40]!r}")


def _malformed(why: str) -> Rejected:
    return Rejected(f"malformed message: {why}", reason="malformed")


def _fields(tree: Any, what: str, names: set[str]) -> dict[str, Any]:
    if not isinstance(tree, dict) or set(tree) != names:
        raise _malformed(f"{what} must have exactly the fields {', '.join(sorted(names))}")
    return tree


def _natural(value: Any, what: str) -> int:
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise _malformed(f"{what} is not a natural number")
    return value


def _round(raw: dict[str, Any]) -> RoundId:
    return RoundId(_natural(raw["round"], "round"))


def _match(pattern: re.Pattern[str], value: Any, what: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _malformed(f"{what} is malformed")
    return value


def _address(value: Any) -> Address:
    return Address(_match(_ADDRESS, value, "wallet"))


def _hex(value: Any, length: int, what: str) -> bytes:
    if not isinstance(value, str) or len(value) != 2 * length or not re.fullmatch("[0-9a-f]*", value):
        raise _malformed(f"{what} is not {length} bytes of lower-case hex")
    return bytes.fromhex(value)
