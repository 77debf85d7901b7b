"""The bytes behind a block's hash: its header in RLP, put together from what JSON-RPC answers.

A header is the RLP list of its fields in the order in which hard forks added them, and the block's hash is
the keccak-256 of it (Ethereum yellow paper, section 4.4 and appendix B; the fields since then in EIP-1559,
4895, 4844, 4788, 7685 and 7928). Nothing in a header can be altered without its hash; contracts, which cannot
ask for a block's randomness, can hold such a header against the hash too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import rlp
from eth_utils.crypto import keccak

from jepanet.chain.endpoints.answers import Malformed, member, octets, quantity

_MAX_EXTRA = 1 << 14
"""Bytes of `extraData`: 32 on Ethereum; chains that list their signers there need more."""


def _fixed(length: int) -> Callable[[object], bytes]:
    return lambda value: octets(value, length)


def _number(value: object) -> bytes:
    number = quantity(value)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


_SINCE_THE_MERGE: tuple[tuple[str, Callable[[object], bytes]], ...] = (
    ("parentHash", _fixed(32)),
    ("sha3Uncles", _fixed(32)),
    ("miner", _fixed(20)),
    ("stateRoot", _fixed(32)),
    ("transactionsRoot", _fixed(32)),
    ("receiptsRoot", _fixed(32)),
    ("logsBloom", _fixed(256)),
    ("difficulty", _number),
    ("number", _number),
    ("gasLimit", _number),
    ("gasUsed", _number),
    ("timestamp", _number),
    ("extraData", lambda value: octets(value, limit=_MAX_EXTRA)),
    ("mixHash", _fixed(32)),  # prevRandao since the Merge
    ("nonce", _fixed(8)),
    ("baseFeePerGas", _number),
)
_ADDED_LATER: tuple[tuple[str, Callable[[object], bytes]], ...] = (
    ("withdrawalsRoot", _fixed(32)),  # Shanghai
    ("blobGasUsed", _number),  # Cancun
    ("excessBlobGas", _number),
    ("parentBeaconBlockRoot", _fixed(32)),
    ("requestsHash", _fixed(32)),  # Prague
    ("blockAccessListHash", _fixed(32)),  # Amsterdam
)
"""Each is in the header of every block since its fork, and of none before."""
_BESIDE = frozenset({"hash", "size", "totalDifficulty", "transactions", "uncles", "withdrawals"})
"""What a block object holds beside the header's fields."""


class UnknownFields(Malformed):
    """The hash does not come out, and there are fields that this version does not know: `names`."""

    def __init__(self, what: str, names: Sequence[str]) -> None:
        known = f"this version does not know the fields {', '.join(names)}: install a newer one"
        super().__init__(what, remedy=known)
        self.names = names


def encode_header(raw: object) -> bytes:
    """The RLP of the header of a block object of `eth_getBlockBy*`; its keccak-256 is the hash that is named.

    Raises:
        Malformed: a field is missing or of another form, or the hash does not come out; `UnknownFields`
            where the object has fields that this version does not know.
    """
    if not isinstance(raw, Mapping):
        raise Malformed("the node answered no block object")
    lacking = [name for name, _ in _SINCE_THE_MERGE if raw.get(name) is None]
    if lacking:
        raise _unproven(raw, f"has no {lacking[0]}", "this one left it out, or its chain has other headers")
    fields = [read(raw[name]) for name, read in _SINCE_THE_MERGE]
    fields += [read(raw[name]) for name, read in _ADDED_LATER if raw.get(name) is not None]
    header = bytes(rlp.encode(fields))
    if keccak(header) != octets(member(raw, "hash"), 32):
        raise _unproven(raw, "does not give the hash that was named", "this one altered or left out a field")
    return header


def _unproven(raw: Mapping[str, object], what: str, why: str) -> Malformed:
    known = {name for name, _ in (*_SINCE_THE_MERGE, *_ADDED_LATER)} | _BESIDE
    unknown = sorted(str(name)[:40] for name, value in raw.items() if name not in known and value is not None)
    said = f"the header of block {quantity(member(raw, 'number'))} {what}"
    if unknown:
        return UnknownFields(said, unknown[:8])
    return Malformed(said, remedy=f"ask another endpoint (chain.endpoints): {why}")
