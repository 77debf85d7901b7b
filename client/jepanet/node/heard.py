"""Which wallet speaks through which peer, and when it was last heard: of those with a part in a round."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from jepanet.types import Address

MOST: Final = 1024
"""Wallets that are remembered; who was not heard for longest is forgotten first."""


@dataclass(frozen=True, slots=True)
class Word:
    """The newest message of a wallet that was admitted: its peer, and when it came, seconds of Unix."""

    peer: str
    at: int


class Heard:
    """Of admitted messages alone: a wallet without a part in a round leaves no trace here, so that nobody can
    push verifiers out with wallets that cost nothing."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: gives seconds of Unix."""
        self._clock = clock
        self._words: OrderedDict[Address, Word] = OrderedDict()

    def note(self, wallet: Address, peer: str) -> None:
        self._words[wallet] = Word(peer, int(self._clock()))
        self._words.move_to_end(wallet)
        while len(self._words) > MOST:
            self._words.popitem(last=False)

    def words(self) -> Mapping[Address, Word]:
        """By wallet, whoever was heard last comes last."""
        return dict(self._words)
