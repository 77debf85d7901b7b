"""Up to which block an endpoint's headers must give their hash, whoever it is.

A fork of the chain may bring fields of which this version knows nothing, and no header since then gives its
hash here. That is so for every block from the fork on, and for none before it. So an endpoint that adds a
field of its own, to be believed what it says of a block, is seen as soon as any other one, or itself, answers
a later block whose hash comes out.
"""

from __future__ import annotations

from jepanet.chain.endpoints.answers import Header, Malformed
from jepanet.telemetry import get_logger

log = get_logger("chain")


class HeaderForms:
    """What all endpoints of a chain have shown of its headers."""

    def __init__(self) -> None:
        self._proven = -1
        self._trusted: int | None = None
        self._disproven: int | None = None

    def take(self, header: Header) -> Header:
        """The header. Raises: Malformed: its hash cannot be computed, that of a later block could."""
        number = header.ref.number
        if header.receipts_root is None:
            if number <= self._proven:
                raise Malformed(
                    f"the header of block {number} has fields of its own, block {self._proven} has not",
                    remedy="ask another endpoint (chain.endpoints): this one altered the header",
                )
            self._trusted = number if self._trusted is None else min(self._trusted, number)
            return header
        self._proven = max(self._proven, number)
        if self._trusted is not None and self._trusted <= self._proven:
            log.error("header.contradicted", block=self._trusted, proven=self._proven)
            since = self._trusted if self._disproven is None else min(self._trusted, self._disproven)
            self._trusted, self._disproven = None, since
        return header

    def disproven(self) -> int | None:
        """The first block that was taken on trust wrongly, and is to be read again; told once."""
        since, self._disproven = self._disproven, None
        return since
