"""A merge that does not pass is mended: the deltas that make it worse are dropped, the others are merged.

    last marginal of a delta = gain of the merge with all of them - gain of the merge without it

The delta with the lowest last marginal is dropped while that and some standard errors are below zero, or
while the merge does not pass; then the same of what is left. Withheld as a whole, a few long steps of no
worth would stop everybody's work at no loss to whoever takes them. Nothing is decided by how long a delta is
or by what it gains alone: two that are good alone may be too much together; a bad one may gain beside few.

Marginals are measured, so near ties fall either way on two honest machines. Whoever signs takes another's
choice where each drop is one here too, within the round's tolerance, and what is left passes here (`hold`).

What it costs: every delta's marginal once, and after each drop that of the next candidate again. What is
known of a larger set stands for the rest until they are candidates themselves (lazy evaluation, Minoux 1978),
so that nothing is dropped that was not measured among those that were left.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import inf, isfinite

from jepanet.errors import Rejected
from jepanet.federation.judging.judge import Gain, MergeVerdict, Metrics, Scorer, judge_merge
from jepanet.tensors import Arrays
from jepanet.types import MICRO, Digest

MergeOf = Callable[[Sequence[Digest]], Arrays]
"""Weights of the model that some of the deltas make, given in digest order. Raises Rejected where they make
none."""


@dataclass(frozen=True, slots=True)
class Mended:
    """What is merged. `verdict` is that of the merge without `dropped`; of all, where nothing passes."""

    dropped: tuple[Digest, ...]
    """In the order in which they left; none where no part of the deltas passes."""
    verdict: MergeVerdict


@dataclass(frozen=True, slots=True)
class Marginal:
    """What a merge gains by a delta, in micro-nats; infinite where one of both merges measures nothing."""

    digest: Digest
    gain: float
    stderr: float


class Repair:
    """One round's accepted deltas, with what was measured of merges of them kept."""

    def __init__(
        self,
        accepted: Collection[Digest],
        merge_of: MergeOf,
        base_metrics: Metrics,
        scorer: Scorer,
        *,
        sigmas_milli: int,
    ) -> None:
        """`sigmas_milli`: thousandths of a standard error by which a delta has to be below zero. 0: nothing
        is dropped, and a merge that does not pass is withheld."""
        self._all = tuple(sorted(accepted))
        self._merge_of, self._base_metrics, self._scorer = merge_of, base_metrics, scorer
        self._sigmas = sigmas_milli / 1000
        self._gains: dict[tuple[Digest, ...], Gain | None] = {}
        self._verdicts: dict[tuple[Digest, ...], MergeVerdict] = {}
        self.measured = 0
        """Merges that were measured."""

    def mend(self) -> Mended:
        """Drops what has to go."""
        kept, dropped = self._all, list[Digest]()
        passing: Mended | None = None
        known: dict[Digest, float] = {}
        while True:
            verdict = self._verdict(kept)
            if verdict.published:
                passing = Mended(tuple(dropped), verdict)
            if len(kept) < 2 or not self._sigmas:
                break
            worst = self._lowest(kept, known)
            if verdict.published and not self._upper(worst) < 0:
                break
            kept = _without(kept, worst.digest)
            dropped.append(worst.digest)
        return passing or Mended((), self._verdict(self._all))

    def hold(self, dropped: Collection[Digest], tolerance: int) -> MergeVerdict:
        """What somebody dropped, against what is measured here; `tolerance` in micro-nats.

        Returns the verdict on what is left. Each drop must be one here, within the tolerance: of a delta that
        makes the merge worse, or where the merge does not pass of none better than the worst; and what is
        left must hold none that clearly makes it worse.

        Raises:
            Rejected: reason `drops-disagree`.
        """
        own = self.mend()
        if set(own.dropped) == set(dropped):
            return own.verdict
        if not self._sigmas or not set(dropped) < set(self._all):
            raise _disagree("deltas were dropped that no rule of this round drops")
        kept, left = self._all, set(dropped)
        while left:
            worst = min((self._marginal(kept, digest) for digest in left), key=_order)
            if not self._upper(worst) < tolerance:
                self._check_failing(kept, worst, tolerance)
            kept = _without(kept, worst.digest)
            left.remove(worst.digest)
        if len(kept) > 1:
            worst = self._lowest(kept, {})
            if self._upper(worst) < -tolerance:
                raise _disagree(f"{_told(worst)} was kept, and makes the merge worse")
        return self._verdict(kept)

    def _check_failing(self, kept: tuple[Digest, ...], dropped: Marginal, tolerance: int) -> None:
        """Raises: Rejected where a delta that does no harm need not have gone for the merge to pass."""
        verdict = self._verdict(kept)
        if verdict.published and verdict.improvement > tolerance:
            raise _disagree(f"{_told(dropped)} was dropped from a merge that passes with it")
        lowest = self._lowest(kept, {})
        if dropped.gain > lowest.gain + tolerance:
            raise _disagree(f"{_told(dropped)} was dropped before {_told(lowest)}")

    def _lowest(self, kept: tuple[Digest, ...], known: dict[Digest, float]) -> Marginal:
        """The lowest marginal: measured as it is, below what is `known` of the others, which is renewed."""
        found: dict[Digest, Marginal] = {}
        while True:
            first = min(kept, key=lambda digest: (known.get(digest, -inf), digest))
            if first in found:
                return found[first]
            found[first] = self._marginal(kept, first)
            known[first] = found[first].gain

    def _marginal(self, kept: tuple[Digest, ...], digest: Digest) -> Marginal:
        whole, rest = self._gain(kept), self._gain(_without(kept, digest))
        if whole is None or rest is None:
            return Marginal(digest, -inf if rest is not None else inf if whole is not None else 0.0, 0.0)
        found = whole.beyond(rest)
        return Marginal(digest, found.mean * MICRO, found.stderr * MICRO)

    def _upper(self, found: Marginal) -> float:
        return found.gain + self._sigmas * found.stderr

    def _gain(self, kept: tuple[Digest, ...]) -> Gain | None:
        """None where such a merge measures nothing."""
        if kept not in self._gains:
            try:
                self._gains[kept] = self._gain_of(self._merge_of(kept))
            except Rejected:
                self._gains[kept] = None
        return self._gains[kept]

    def _gain_of(self, weights: Arrays) -> Gain | None:
        self.measured += 1
        try:
            gain = self._scorer.gain(weights)
        except Rejected:
            return None
        return gain if isfinite(gain.mean) and isfinite(gain.stderr) else None

    def _verdict(self, kept: tuple[Digest, ...]) -> MergeVerdict:
        if kept not in self._verdicts:
            try:
                weights = self._merge_of(kept)
            except Rejected as error:
                found = MergeVerdict(False, 0, 0, error.message[:240], {})
            else:
                # Gain and verdict of the same weights, one after the other: a scorer runs them once.
                self._gains[kept] = self._gain_of(weights)
                found = judge_merge(weights, self._base_metrics, self._scorer)
            self._verdicts[kept] = found
        return self._verdicts[kept]


def _without(kept: tuple[Digest, ...], digest: Digest) -> tuple[Digest, ...]:
    return tuple(item for item in kept if item != digest)


def _order(item: Marginal) -> tuple[float, Digest]:
    return item.gain, item.digest


def _told(item: Marginal) -> str:
    return f"delta {item.digest.hex()[:16]} ({item.gain:+.0f} +- {item.stderr:.0f} micro-nats here)"


def _disagree(why: str) -> Rejected:
    return Rejected(why, reason="drops-disagree")
