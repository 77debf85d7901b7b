"""What wallets sign, as EIP-712 dictionaries (https://eips.ethereum.org/EIPS/eip-712).

Each dictionary is complete (`types`, `primaryType`, `domain`, `message`) and JSON-able, the shape wallets
and `eth_account` take. The domain binds every signature to one chain and one `TrainingRounds` contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict, cast

from eth_hash.auto import keccak

from jepanet.protocol.commitment import abi_encode
from jepanet.types import Address, Verdict


class TypedData(TypedDict):
    """A document to sign; `types` gives the members of each struct as `name` and `type`, in their order."""

    types: dict[str, list[dict[str, str]]]
    primaryType: str  # the standard's spelling
    domain: dict[str, str | int]
    message: Mapping[str, str | int]


_HALF_OF_THE_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half of the order of secp256k1's group (EIP-2)."""

_DOMAIN = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)
_RESULT = (
    ("roundId", "uint256"),
    ("root", "bytes32"),
    ("model", "bytes32"),
    ("sheet", "bytes32"),
    ("payout", "uint128"),
    ("improvement", "int64"),
    ("extension", "bytes32"),
)
_COMMIT = (("roundId", "uint256"), ("commitment", "bytes32"))
_SCORE = (
    ("roundId", "uint256"),
    ("solver", "address"),
    ("digest", "bytes32"),
    ("verdict", "uint8"),
    ("reason", "string"),
    ("gain", "int64"),
    ("stderr", "int64"),
)
_AUDIT = ("audit", "bytes32")
_AMONG = (("count", "uint32"), ("gainAmong", "int64"), ("stderrAmong", "int64"))
_SCORE_COMMITMENT = (("roundId", "uint256"), ("commitment", "bytes32"))
_SCORE_OPENING = (("roundId", "uint256"), ("commitment", "bytes32"), ("heard", "bytes32"))
_NODE_BINDING = (("wallet", "address"), ("peerId", "string"), ("expiry", "uint64"))


def result_data(
    chain_id: int,
    contract: Address,
    *,
    round_id: int,
    root: bytes,
    model: bytes,
    sheet: bytes,
    payout: int,
    improvement: int,
    extension: bytes,
) -> TypedData:
    """A verifier's word on a whole round: `Result` of the contracts, checked on chain.

    `payout` in wei, `improvement` the signer's own measurement of the merged model in micro-nats. `extension`
    is the digest of a document that extends the result, zeros for none.
    """
    message: dict[str, str | int] = {
        "roundId": round_id,
        "root": "0x" + root.hex(),
        "model": "0x" + model.hex(),
        "sheet": "0x" + sheet.hex(),
        "payout": payout,
        "improvement": improvement,
        "extension": "0x" + extension.hex(),
    }
    return _typed(chain_id, contract, "Result", _RESULT, message)


def commit_data(chain_id: int, contract: Address, *, round_id: int, commitment: bytes) -> TypedData:
    """A solver's commit that somebody else sends (`commitMany`); `commitment` has 32 bytes."""
    message: dict[str, str | int] = {"roundId": round_id, "commitment": "0x" + commitment.hex()}
    return _typed(chain_id, contract, "Commit", _COMMIT, message)


def score_data(
    chain_id: int,
    contract: Address,
    *,
    round_id: int,
    solver: Address,
    digest: bytes,
    verdict: Verdict,
    reason: str,
    gain: int,
    stderr: int,
    audit: bytes | None = None,
    among: tuple[int, int, int] | None = None,
) -> TypedData:
    """A coordinator's score of one delta; gain and standard error in micro-nats per direction.

    `audit` has 32 bytes where its training was audited (`settling.audit_words`); without one the type has no
    such member, so a score says of no audit what it does not say. `among`: of how many, gain and standard
    error as one of so many, likewise.
    """
    message: dict[str, str | int] = {
        "roundId": round_id,
        "solver": solver,
        "digest": "0x" + digest.hex(),
        "verdict": int(verdict),
        "reason": reason,
        "gain": gain,
        "stderr": stderr,
    }
    members: tuple[tuple[str, str], ...] = _SCORE
    if audit is not None:
        members = (*members, _AUDIT)
        message["audit"] = "0x" + audit.hex()
    if among is not None:
        members = (*members, *_AMONG)
        message["count"], message["gainAmong"], message["stderrAmong"] = among
    return _typed(chain_id, contract, "Score", members, message)


def score_commitment_data(chain_id: int, contract: Address, *, round_id: int, commitment: bytes) -> TypedData:
    """A coordinator's commitment to its scores of a round, before it opens them; 32 bytes."""
    message: dict[str, str | int] = {"roundId": round_id, "commitment": "0x" + commitment.hex()}
    return _typed(chain_id, contract, "ScoreCommitment", _SCORE_COMMITMENT, message)


def score_opening_data(
    chain_id: int, contract: Address, *, round_id: int, commitment: bytes, heard: bytes
) -> TypedData:
    """A coordinator opens its scores; `heard` is the digest of the commitments that it had heard before."""
    message: dict[str, str | int] = {
        "roundId": round_id,
        "commitment": "0x" + commitment.hex(),
        "heard": "0x" + heard.hex(),
    }
    return _typed(chain_id, contract, "ScoreOpening", _SCORE_OPENING, message)


def node_binding_data(
    chain_id: int, contract: Address, *, wallet: Address, peer_id: str, expiry: int
) -> TypedData:
    """A wallet's statement that a libp2p peer speaks for it until `expiry` (Unix seconds)."""
    message: dict[str, str | int] = {"wallet": wallet, "peerId": peer_id, "expiry": expiry}
    return _typed(chain_id, contract, "NodeBinding", _NODE_BINDING, message)


def compact_signature(signature: bytes) -> tuple[bytes, bytes]:
    """A 65-byte signature (r, s, v) as the two words (r, vs) that the contracts take (ERC-2098).

    Raises:
        ValueError: it has another length, v is neither 27 nor 28, or s is in the upper half, where no wallet
            puts it.
    """
    if len(signature) != 65 or signature[64] not in (27, 28):
        raise ValueError("a signature has 65 bytes, the last of them 27 or 28")
    s = int.from_bytes(signature[32:64], "big")
    if s > _HALF_OF_THE_ORDER:
        raise ValueError("the s of a signature lies in the lower half")
    return signature[:32], ((signature[64] - 27) << 255 | s).to_bytes(32, "big")


def signing_hash(typed: TypedData) -> bytes:
    """The 32 bytes a wallet signs: keccak256(0x19 0x01 || domain separator || struct hash).

    Raises:
        ValueError: a value does not fit its type.
    """
    domain = struct_hash(typed, "EIP712Domain", typed["domain"])
    return keccak(b"\x19\x01" + domain + struct_hash(typed, typed["primaryType"], typed["message"]))


def struct_hash(typed: TypedData, name: str, values: Mapping[str, str | int]) -> bytes:
    """EIP-712 `hashStruct` of a flat struct (no nested structs, no arrays).

    Raises:
        ValueError: a value does not fit its type.
    """
    members = [(item["name"], item["type"]) for item in typed["types"][name]]
    signature = f"{name}({','.join(f'{kind} {member}' for member, kind in members)})"
    types: list[str] = ["bytes32"]
    words: list[str | int | bytes] = [keccak(signature.encode())]
    for member, kind in members:
        value: str | int | bytes = values[member]
        if kind == "string":
            kind, value = "bytes32", keccak(cast(str, value).encode())
        elif kind == "bytes32":
            value = bytes.fromhex(cast(str, value).removeprefix("0x"))
        types.append(kind)
        words.append(value)
    return keccak(abi_encode(types, words))


def _typed(
    chain_id: int,
    contract: Address,
    name: str,
    members: tuple[tuple[str, str], ...],
    message: Mapping[str, str | int],
) -> TypedData:
    return {
        "types": {"EIP712Domain": _members(_DOMAIN), name: _members(members)},
        "primaryType": name,
        "domain": {
            "name": "jepanet",
            "version": "1",
            "chainId": chain_id,
            "verifyingContract": contract,
        },
        "message": message,
    }


def _members(pairs: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in pairs]
