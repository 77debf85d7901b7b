"""Headers that nodes answer, held against what was asked for and against their own hash.

A block's hash covers every field of its header. So an endpoint that alters one (a logs bloom without bits
says that nothing happened) gives itself away, and another endpoint is asked instead.
"""

from __future__ import annotations

from dataclasses import replace

from jepanet.chain.endpoints.answers import Header, Malformed, member, octets, parse_header
from jepanet.chain.endpoints.header_rlp import UnknownFields, encode_header
from jepanet.telemetry import get_logger

log = get_logger("chain")

_MOST_TOLD = 16
_told: set[str] = set()


def asked_header(block: int | bytes | str, raw: object) -> Header:
    """A block object that answers a request for `block` (number, hash or tag).

    Of a fork that adds fields of which this version knows nothing, the hash cannot be computed. Such headers
    are taken as they are, without `receipts_root`, and logged once a field, of a few: nodes choose the names.

    Raises:
        Malformed: it is not the block asked for, or its fields do not give the hash that it names.
    """
    header = parse_header(raw)
    if isinstance(block, int) and header.ref.number != block:
        raise Malformed(f"asked for block {block}, the node answered block {header.ref.number}")
    if isinstance(block, bytes) and header.ref.hash != block:
        raise Malformed(f"asked for block 0x{block.hex()}, the node answered 0x{header.ref.hash.hex()}")
    try:
        encode_header(raw)
    except UnknownFields as error:
        if len(_told) < _MOST_TOLD and not _told.issuperset(error.names):
            _told.update(error.names)
            log.warning("header.trusted", block=header.ref.number, why=error.message, remedy=error.remedy)
        return header
    return replace(header, receipts_root=octets(member(raw, "receiptsRoot"), 32))
