"""Whether code on a chain is what abi/ says, whatever its immutables and linked addresses are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jepanet.addresses import checksum_address
from jepanet.chain.contracts.abi import CONTRACTS, library_names, load_abi
from jepanet.types import Address


@dataclass(frozen=True, slots=True)
class Deployed:
    """`fault`: what differs, in words, or None. `links`: the libraries that the code names, without a fault.
    `values`: what its constructor put in place of the immutables, each once."""

    fault: str | None
    links: Mapping[str, Address]
    values: frozenset[bytes]


def examined(name: str, code: bytes) -> Deployed:
    """The code of a contract or library of abi/, byte by byte."""
    abi = load_abi(name)
    if len(code) != abi.size:
        return _faulty(_size(name, code))
    built, links = bytearray(abi.masked_runtime), {}
    for library, places in abi.link_places.items():
        named = {code[place : place + 20] for place in places}
        if len(named) != 1:
            return _faulty(f"it names {len(named)} addresses for {library}")
        links[library] = checksum_address("0x" + named.pop().hex())
        for place in places:
            built[place : place + 20] = code[place : place + 20]
    for start, length in abi.immutables:
        built[start : start + length] = code[start : start + length]
    other = [place for place, (one, two) in enumerate(zip(built, code, strict=True)) if one != two]
    if other:
        return _faulty(f"{len(other)} of {len(code)} bytes are not what was built, from byte {other[0]} on")
    values = frozenset(code[start : start + length] for start, length in abi.immutables)
    return Deployed(None, links, values)


def fault_of(name: str, code: bytes) -> str | None:
    """What makes code another than that of `name`, or None."""
    return examined(name, code).fault


def _faulty(why: str) -> Deployed:
    return Deployed(why, {}, frozenset())


def _size(name: str, code: bytes) -> str:
    if not code:
        return "there is no code"
    for other in (*CONTRACTS, *library_names()):
        if other != name and len(code) == load_abi(other).size and examined(other, code).fault is None:
            return f"it is the code of {other}"
    return f"it has {len(code)} bytes, {name} has {load_abi(name).size}"
