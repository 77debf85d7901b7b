"""Amounts and addresses among the parameters of methods, which are texts."""

from __future__ import annotations

from typing import Final

from jepanet.addresses import checksum_address
from jepanet.records.marks import Form
from jepanet.rpc.codes import Code, Refused
from jepanet.types import Address

TOKENS: Final = Form(r"[1-9][0-9]{0,28}", "a whole number of 10**-18 of a token")
ADDRESS: Final = Form(r"0x[0-9a-fA-F]{40}", "an address 0x… of 40 hexadecimal digits")


def address_of(text: str) -> Address:
    """Raises: Refused: `INVALID_PARAMS`: its capitals are those of another address (EIP-55)."""
    try:
        return checksum_address(text)
    except ValueError as error:
        raise Refused(Code.INVALID_PARAMS, str(error)) from None
