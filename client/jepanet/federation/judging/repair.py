"""A merge that does not pass is mended: the deltas that make it worse are dropped, the others are merged.

    last marginal of a delta = gain of the merge with all of them - gain of the merge without it

The delta with the lowest last marginal is dropped while that and some standard errors are below zero, or
while the merge does not pass; then the same of what is left. Withheld as a whole, a few long steps of no
worth would stop everybody's work at no loss to whoever takes them. Nothing is decided by how long a delta is
or by what it gains alone: two that are good alone may be too much together; a bad one may gain beside few.

Marginals are measured, so near ties fall either way on two honest machines. Whoever signs repeats another's
drops in the other's order, and takes them where each is one here too, up to a small share of the round's
tolerance, where all together lose no more than that, and where what is left passes here (`hold`).

What it costs: every delta's marginal once, after each drop that of the next candidate again, and those of all
that are left at the end. What is known of a larger set stands for the rest until they are candidates
themselves (lazy evaluation, Minoux 1978), so that nothing is dropped that was not measured among those that
were left, and nothing is kept. A signer cannot know which of the others were measured again on the way:
it asks of each whether it may have been known to be no lower.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import inf, isfinite

from jepanet.errors import Rejected
from jepanet.federation.judging.judge import Gain, MergeVerdict, Metrics, Scorer, judge_merge
from jepanet.tensors import Arrays
from jepanet.types import MICRO, Digest

_NEAR = 16
"""Honest machines may lie apart in a marginal by a share of the round's tolerance: a sixteenth. That is 125
of the usual 2,000 micro-nats; devices as far from a CPU as may measure moved gains by 9 and errors by 40."""
_MOST_MODELS = 4
"""Times as many merges as there are deltas that are measured before what is left is not looked at again."""
_MORE_MODELS = 3
"""Times as many merges as there are deltas may be measured to repeat another's drops, beyond one's own."""

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
        self._most: int | None = None
        self._complete = True
        """Whether no delta can have been kept that makes the merge worse by what is measured here."""

    def mend(self) -> Mended:
        """Drops what has to go."""
        return self._mended(self._all, {})

    def _mended(self, all_: tuple[Digest, ...], known: dict[Digest, float]) -> Mended:
        kept, dropped = all_, list[Digest]()
        self._verdict(all_)
        way = [kept]
        while len(kept) > 1 and self._sigmas:
            worst = self._lowest(kept, kept, known)
            if not self._upper(worst) < 0 and self._verdict(kept).published:
                if self.measured > _MOST_MODELS * len(self._all):
                    self._complete = False
                    break
                hidden = self._hidden(kept, known)
                if hidden is None:
                    break
                worst = hidden
            kept = _without(kept, worst.digest)
            dropped.append(worst.digest)
            way.append(kept)
        # What was left on the way is judged only where nothing after it passes: its metrics were not needed.
        for length, left in reversed(list(enumerate(way))):
            if self._verdict(left).published:
                return Mended(tuple(dropped[:length]), self._verdict(left))
        return Mended((), self._verdict(all_))

    def _hidden(self, kept: tuple[Digest, ...], known: dict[Digest, float]) -> Marginal | None:
        """The lowest of what is left, where that is below zero and what was known of larger sets hid it."""
        for digest in sorted(kept, key=lambda digest: (known[digest], digest)):
            item = self._marginal(kept, digest)
            known[digest] = item.gain
            if self._upper(item) < 0:
                worst = self._lowest(kept, kept, known)
                if self._upper(worst) < 0:
                    return worst
        return None

    def hold(self, dropped: Sequence[Digest], tolerance: int) -> MergeVerdict:
        """What somebody dropped, in that order, against what is measured here; `tolerance` in micro-nats.

        Returns the verdict on what is left. The drops are repeated one by one. Up to a share of the
        tolerance, each has to be the lowest of all that are there and to make the merge worse, unless the
        merge does not pass; what they cost together has to stay below that share as well; and what is left
        must hold none that clearly makes it worse.

        Raises:
            Rejected: reason `drops-disagree`.
        """
        told = tuple(dropped)
        if told and not (self._sigmas and set(told) < set(self._all) and len(set(told)) == len(told)):
            raise _disagree("deltas were dropped that no rule of this round drops")
        own = self.mend()
        if set(own.dropped) == set(told):
            return own.verdict
        self._most = self.measured + _MORE_MODELS * len(self._all)
        try:
            return self._verdict(self._repeated(told, tolerance / _NEAR))
        finally:
            self._most = None

    def _repeated(self, told: Sequence[Digest], near: float) -> tuple[Digest, ...]:
        """What is left without `told`. Raises: Rejected where one is none to drop, or one was kept."""
        kept, lost = self._all, 0.0
        way: list[tuple[tuple[Digest, ...], float]] = []
        for digest in told:
            drop, failing = self._repeat(kept, digest, near)
            way = [(before, max(most, drop.gain)) for before, most in (*way, (kept, -inf))]
            self._check_order(way, drop, near)
            # The most that the merge lost since it passed best: noise of single marginals cancels in the sum,
            # so honest machines stay near zero however many they drop.
            lost = 0.0 if failing else max(0.0, lost + drop.gain)
            if lost > near:
                raise _disagree(f"{_told(drop)} was dropped, with which the merge lost {lost:.0f} in all")
            kept = _without(kept, digest)
        if len(kept) > 1 and self._complete:
            worst = self._lowest(kept, kept, {})
            ties = (self._marginal(kept, digest) for digest in kept)
            clearly = all(self._upper(item) < -near for item in ties if item.gain <= worst.gain + near)
            # Whoever merges keeps it too where no part of the rest passes without it.
            if clearly and self._mended(kept, {}).dropped:
                raise _disagree(f"{_told(worst)} was kept, and makes the merge worse")
        return kept

    def _repeat(self, kept: tuple[Digest, ...], digest: Digest, near: float) -> tuple[Marginal, bool]:
        """One drop, and whether it goes only since the merge does not pass."""
        drop = self._marginal(kept, digest)
        if self._upper(drop) < near:
            return drop, False
        verdict = self._verdict(kept)
        if verdict.published and verdict.improvement > near:
            raise _disagree(f"{_told(drop)} was dropped from a merge that passes with it")
        return drop, True

    def _check_order(
        self, way: Sequence[tuple[tuple[Digest, ...], float]], drop: Marginal, near: float
    ) -> None:
        """Whether a drop may have been the lowest to whoever measures as little as `mend`: of each of the
        others, what was known from some set on the way was not clearly below any drop since then.

        `way`: every set on it, the last one that of this drop, with the highest marginal that was dropped
        from there on.
        """
        first, *others = way
        for digest in way[-1][0]:
            if all(
                self._marginal(kept, digest).gain < most - near for kept, most in (first, *reversed(others))
            ):
                item = self._marginal(way[-1][0], digest)
                raise _disagree(f"{_told(drop)} was dropped before {_told(item)}")

    def _lowest(
        self, kept: tuple[Digest, ...], among: Collection[Digest], known: dict[Digest, float]
    ) -> Marginal:
        """The lowest marginal of `among`, measured in `kept`, below what is `known` of the others, which is
        renewed."""
        found: dict[Digest, Marginal] = {}
        while True:
            first = min(among, key=lambda digest: (known.get(digest, -inf), digest))
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
                weights = self._merge_of(kept)
            except Rejected:
                self._gains[kept] = None
            else:
                self._gains[kept] = self._gain_of(weights)
        return self._gains[kept]

    def _gain_of(self, weights: Arrays) -> Gain | None:
        if self._most is not None and self.measured >= self._most:
            raise _disagree("to repeat what was dropped takes too many measurements")
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


def _told(item: Marginal) -> str:
    return f"delta {item.digest.hex()[:16]} ({item.gain:+.0f} +- {item.stderr:.0f} micro-nats here)"


def _disagree(why: str) -> Rejected:
    return Rejected(why, reason="drops-disagree")
