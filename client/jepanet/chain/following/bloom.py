"""The logs bloom of a block header: a negative answer about logs that does not depend on an index.

Source: Ethereum yellow paper, section 4.4.3, the function M3:2048. An entry sets three of 2,048 bits; a log
enters with its address and each of its topics. A clear bit proves absence, set bits prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from eth_hash.auto import keccak
from eth_utils.address import to_canonical_address

from jepanet.chain.endpoints.answers import Header, RawLog
from jepanet.telemetry import get_logger
from jepanet.types import Address

log = get_logger("chain")

_CONTRADICTIONS = 3
_SATURATED = 64


def bloom_of(logs: Iterable[RawLog]) -> int:
    """The bloom of a block with exactly these logs, as a 2,048-bit number."""
    bits = 0
    for item in logs:
        bits |= _entry(to_canonical_address(item.address))
        for topic in item.topics:
            bits |= _entry(topic)
    return bits


def _entry(value: bytes) -> int:
    digest = keccak(value)
    return sum({1 << (int.from_bytes(digest[at : at + 2], "big") & 2047) for at in (0, 2, 4)})


class Blooms:
    """Which blocks may hold logs of some addresses.

    The bloom of a header that gives its block's hash is believed. Where that could not be computed (a fork
    brought fields that this version does not know), a bloom is believed once the complete logs of a block
    have given exactly its header's bloom (`proven`). Before, and where headers carry none or constant ones
    (`useless`), every block with transactions may hold logs.

    Args:
        addresses: the contracts whose logs are wanted.
    """

    def __init__(self, addresses: Iterable[Address]) -> None:
        self._entries = tuple(_entry(to_canonical_address(address)) for address in addresses)
        self._contradicted = 0
        self._in_vain = 0
        self._saturation_told = False
        self.proven = False
        self.useless = False

    def may_hold(self, header: Header) -> bool:
        """Whether the block's logs have to be read; False is certain."""
        if header.bloom is None or (self.useless and header.receipts_root is None):
            return bool(header.transactions)
        named = any(header.bloom & entry == entry for entry in self._entries)
        if header.receipts_root is not None:
            return named
        # Also a block that is said to have no transactions: its bloom would contradict that.
        return named or (bool(header.transactions) and not self.proven)

    def accepts(self, header: Header, logs: Iterable[RawLog]) -> bool:
        """Holds all logs of a block against its header; False asks the caller to read them again.

        Three contradictions before the first agreement mean that the chain's blooms are useless: logged once.
        """
        if self.useless:
            return True
        if header.bloom is None:
            self._give_up("headers carry no logs bloom")
            return True
        computed = bloom_of(logs)
        if computed == header.bloom:
            # Every chain agrees on a block without logs: that proves nothing.
            self.proven = self.proven or computed != 0
            return True
        if self.proven:
            return False
        self._contradicted += 1
        if self._contradicted >= _CONTRADICTIONS:
            self._give_up("the logs of a block do not give its header's bloom")
            return True
        return False

    def count(self, header: Header, *, found: bool) -> None:
        """Notes whether a block that had to be read held anything, to notice blooms that deny nothing."""
        believed = self.proven or header.receipts_root is not None
        self._in_vain = 0 if found or not believed else self._in_vain + 1
        if self._in_vain >= _SATURATED and not self._saturation_told:
            self._saturation_told = True
            log.warning(
                "bloom.saturated", block=header.ref.number, in_vain=self._in_vain,
                remedy="nothing is lost; each block costs one more request on this chain",
            )  # fmt: skip

    def _give_up(self, why: str) -> None:
        self.useless = True
        log.warning(
            "bloom.ignored", why=why,
            remedy="nothing is lost; the receipts of every block with transactions are read instead",
        )  # fmt: skip
