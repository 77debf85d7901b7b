"""Which symbols all sets have, and who is shown which of them.

A fifth of the symbols is for evaluation alone, a fifth for the warm start, and the rest is dealt out to the
sites that train: nobody trains on a symbol that is evaluated, in whatever style. Packages are public, so
that is a rule of the dataset and no secret; only which pictures a sealed shard shows is one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from jepanet.learning.sources.emoji.packages import Drawings

SEALED, PUBLIC, TRAINING = "sealed", "public", "training"
_SHARE = 5
_APART = ("Flags",)
"""Categories of which some sets have hardly anything."""
_TONES = "skin-tone"
"""Part of the names of symbols that differ from another in the colour of skin alone."""


def common_symbols(
    sets: Sequence[Drawings], categories: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, int], ...]:
    """(symbol, number of its category) of what every set can draw, in an order that nothing tells of."""
    found: dict[str, int] = {}
    kept = [name for name in sorted(categories) if name not in _APART]
    for number, name in enumerate(kept):
        for symbol in categories[name]:
            if _TONES not in symbol and all(item.find(symbol) for item in sets):
                found.setdefault(symbol, number)
    return tuple(sorted(found.items(), key=lambda item: hashlib.sha256(item[0].encode()).digest()))


def part_of_symbols(count: int, part: str, share: int, shares: int) -> range:
    """Places, among `count` symbols, of those of a part; of `TRAINING`, share number `share` of `shares`."""
    fifth = count // _SHARE
    if part == SEALED:
        return range(fifth)[share::shares]
    if part == PUBLIC:
        return range(fifth, 2 * fifth)[share::shares]
    return range(2 * fifth, count)[share::shares]
