"""Account addresses in their checksummed form (https://eips.ethereum.org/EIPS/eip-55)."""

from __future__ import annotations

import re

from eth_hash.auto import keccak

from jepanet.types import Address

_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")


def checksum_address(text: str) -> Address:
    """The EIP-55 form of an address.

    Letters all small or all capital carry no checksum and pass; mixed ones are a checksum and must fit, or a
    mistyped digit would name an account that nobody holds.

    Raises:
        ValueError: not 0x and 40 hex digits, or the checksum is wrong; the message says which.
    """
    if not _ADDRESS.fullmatch(text):
        raise ValueError(f"{text[:60]!r} is not an address: that is 0x and 40 hex digits")
    digits = text[2:]
    lower = digits.lower()
    hashed = keccak(lower.encode()).hex()
    form = "".join(c.upper() if int(hashed[i], 16) >= 8 else c for i, c in enumerate(lower))
    if digits not in (form, lower, lower.upper()):
        raise ValueError(
            f"{text} is mistyped: its capital letters are a checksum (EIP-55) that its digits do not have"
        )
    return Address("0x" + form)
