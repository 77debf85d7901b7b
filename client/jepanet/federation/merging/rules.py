"""Every merge rule, by the name in a round's spec. A new one is a file beside this and a line here.

A rule is a plain function over deltas in a fixed order, bit-exact on every CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from jepanet.federation.deltas.delta import Weights
from jepanet.federation.merging.lengths import shortened
from jepanet.federation.merging.mean import mean
from jepanet.federation.merging.robust import (
    coordinate_median,
    geometric_median,
    krum,
    multi_krum,
    trimmed_mean,
)
from jepanet.federation.merging.ties import ties
from jepanet.tensors import Arrays
from jepanet.types import Digest

Rule = Callable[[Sequence[Weights]], Arrays]
"""Merged float32 deltas, in name order. Raises ValueError: no deltas, or layouts that differ."""

RULES: Mapping[str, Rule] = {
    "mean": mean,
    "median": coordinate_median,
    "trimmed": trimmed_mean,
    "krum": krum,
    "multi-krum": multi_krum,
    "geometric-median": geometric_median,
    "ties": ties,
}


def combined(deltas: Sequence[tuple[Digest, Weights]], rule: str, longest_milli: int = 0) -> Arrays:
    """Deltas merged by a rule, in the one order that everybody can agree on.

    `longest_milli`: none counts as longer than so many thousandths of their median norm; 0: all as they are.

    Raises:
        ValueError: no deltas, one twice, or layouts that differ.
    """
    return RULES[rule](shortened(in_digest_order(deltas), longest_milli))


def in_digest_order(deltas: Sequence[tuple[Digest, Weights]]) -> list[Weights]:
    """Deltas ascending by digest: the one order everybody can agree on.

    Raises:
        ValueError: a digest occurs twice.
    """
    digests = [digest for digest, _ in deltas]
    if len(set(digests)) != len(digests):
        raise ValueError("a delta is counted once")
    return [delta for _, delta in sorted(deltas, key=lambda item: item[0])]
