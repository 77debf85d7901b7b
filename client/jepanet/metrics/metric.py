"""A metric by name, and a value of it. Names and units follow Prometheus' conventions.

Labels take values of small, fixed sets only, or of what the operator configured: never an address, a digest,
a peer or a round, of which strangers make as many as they like.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["gauge", "counter", "summary", "info"]


@dataclass(frozen=True, slots=True)
class Metric:
    """`name` is what an expression names: a counter's ends in `_total`, an info's in `_info`."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Kind = "gauge"

    def at(self, value: float, *labels: str) -> Sample:
        """A value of it, with its labels' values in order."""
        assert len(labels) == len(self.labels)
        return Sample(self, labels, float(value))


class Sample(NamedTuple):
    """One value. `observations`: of a summary, how many observations `value` is the sum of."""

    metric: Metric
    labels: tuple[str, ...]
    value: float
    observations: int = 0


def known(metric: Metric, value: float | None) -> Iterator[Sample]:
    """The value, or nothing where it is not known: an absent figure is no zero."""
    if value is not None:
        yield metric.at(value)


def whether(metric: Metric, holds: bool, *labels: str) -> Sample:
    """1 where it holds, else 0."""
    return metric.at(float(holds), *labels)


Samples = Iterable[Sample]
