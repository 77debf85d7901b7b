"""Attack: a few long steps of no worth make every merge fail. They are dropped, and the others are merged."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
import pytest
from test_federation_judge import GOAL, MODEL, HiddenOptimum, Measured, draw, honest, plus

from jepanet.errors import Rejected
from jepanet.federation.judging.judge import judge_merge, merge
from jepanet.federation.judging.repair import Repair
from jepanet.tensors import Arrays
from jepanet.types import Digest

pytestmark = pytest.mark.unit

TOLERANCE = 2000


def cheap(seed: int) -> Arrays:
    """Hardly any work, and as far as the norm gate lets it go in a direction that several share."""
    return plus(plus(draw(900, 0.8), draw(900 + seed, 0.3)), GOAL, 0.05)


def name(delta: Arrays) -> Digest:
    return Digest(sha256(b"".join(array.tobytes() for array in delta.values())).digest())


class Round:
    """Deltas of one round with what measures them."""

    def __init__(self, deltas: Sequence[Arrays], scorer: HiddenOptimum | None = None) -> None:
        self.deltas = {name(delta): delta for delta in deltas}
        self.scorer = scorer or HiddenOptimum()
        self.before = self.scorer.metrics(MODEL)

    def merged(self, kept: Sequence[Digest]) -> Arrays:
        chosen = [(digest, self.deltas[digest]) for digest in kept]
        return merge(MODEL, None, chosen, lr_milli=1000, momentum_milli=0)[0]

    def repair(self, sigmas_milli: int = 1000, scorer: HiddenOptimum | None = None) -> Repair:
        return Repair(self.deltas, self.merged, self.before, scorer or self.scorer, sigmas_milli=sigmas_milli)


class Machine(HiddenOptimum):
    """Measures as others do, up to rounding."""

    def __init__(self, seed: int, rounding: float) -> None:
        super().__init__()
        self._draw, self._rounding = np.random.default_rng(seed), rounding

    def gain(self, weights: Arrays) -> Measured:
        found = super().gain(weights)
        return Measured(found.mean + float(self._draw.normal(0, self._rounding)), found.stderr)


GOOD = [honest(seed) for seed in range(3)]
BAD = [cheap(seed) for seed in range(5)]


def test_attack_long_steps_of_no_worth_stop_nobody() -> None:
    """Five of them beside three honest ones: the merge of all fails, and that of the honest ones is made."""
    attacked = Round([*GOOD, *BAD])
    assert not judge_merge(
        attacked.merged(sorted(attacked.deltas)), attacked.before, attacked.scorer
    ).published
    assert not attacked.repair(0).mend().verdict.published, "without the rule they do stop everybody"
    mended = attacked.repair().mend()
    assert set(mended.dropped) == {name(delta) for delta in BAD}
    assert mended.verdict == Round(GOOD).repair(0).mend().verdict


def test_attack_a_harmful_delta_beside_enough_good_ones_is_dropped_though_the_merge_passes() -> None:
    beside = Round([*(honest(seed) for seed in range(6)), BAD[0]])
    assert judge_merge(beside.merged(sorted(beside.deltas)), beside.before, beside.scorer).published
    assert beside.repair().mend().dropped == (name(BAD[0]),)


def test_honest_work_alone_is_merged_whole() -> None:
    clean = Round([honest(seed) for seed in range(6)])
    assert clean.repair().mend().dropped == ()


def test_where_nothing_passes_the_merge_is_withheld_and_nobody_named() -> None:
    mended = Round(BAD).repair().mend()
    assert (mended.dropped, mended.verdict.published) == ((), False)
    assert mended.verdict.note.startswith("no improvement")
    unsafe = Round(GOOD, HiddenOptimum(broken=("variance fell",))).repair().mend()
    assert (unsafe.dropped, unsafe.verdict.published) == ((), False)


def test_one_delta_is_measured_once() -> None:
    one = Round(GOOD[:1]).repair()
    assert (one.mend().dropped, one.measured) == ((), 1)


def test_signers_take_what_they_find_themselves_up_to_rounding() -> None:
    attacked = Round([*GOOD, *BAD])
    told = attacked.repair().mend()
    for seed in range(4):
        signer = attacked.repair(scorer=Machine(seed, 1e-4))
        assert signer.hold(told.dropped, TOLERANCE).published


def test_attack_an_aggregator_drops_a_rival() -> None:
    attacked = Round([*GOOD, *BAD])
    bad = [name(delta) for delta in BAD]
    with pytest.raises(Rejected, match="was dropped") as error:
        attacked.repair().hold([*bad, name(GOOD[0])], TOLERANCE)
    assert error.value.reason == "drops-disagree"
    with pytest.raises(Rejected, match="was dropped"):
        Round(GOOD).repair().hold([name(GOOD[0])], TOLERANCE)
    with pytest.raises(Rejected, match="no rule of this round"):
        Round(GOOD).repair(0).hold([name(GOOD[0])], TOLERANCE)


def test_attack_an_aggregator_drops_rivals_while_the_merge_fails() -> None:
    """Honest ones instead of the worst: every merge on the way fails, so that alone is no excuse."""
    attacked = Round([*GOOD, *BAD])
    with pytest.raises(Rejected, match="was dropped before"):
        attacked.repair().hold([name(delta) for delta in GOOD[:2]], TOLERANCE)


def test_attack_an_aggregator_keeps_a_friend_that_makes_the_merge_worse() -> None:
    friendly = Round([*(honest(seed) for seed in range(6)), cheap(1)])
    assert friendly.repair().mend().dropped == (name(cheap(1)),)
    assert judge_merge(friendly.merged(sorted(friendly.deltas)), friendly.before, friendly.scorer).published
    with pytest.raises(Rejected, match="makes the merge worse"):
        friendly.repair().hold((), TOLERANCE)


class Small(HiddenOptimum):
    """As late in a training: all there is to gain is so much of a nat, and it is measured as exactly."""

    def __init__(self, scale: float) -> None:
        super().__init__(stderr=0.001 * scale)
        self._scale = scale

    def gain(self, weights: Arrays) -> Measured:
        found = super().gain(weights)
        return Measured(found.mean * self._scale, found.stderr)


@pytest.mark.parametrize("scale", [0.05, 0.1])
def test_attack_an_aggregator_drops_rivals_one_small_marginal_after_another(scale: float) -> None:
    """Each costs the merge less than the tolerance; together they doubled what a friend is paid."""
    small = Round([honest(seed) for seed in range(12)], Small(scale))
    _friend, *rivals = sorted(small.deltas)
    assert small.repair().mend().dropped == ()
    ordered = sorted(rivals, key=lambda digest: _marginal(small, small.deltas[digest]))
    assert _marginal(small, small.deltas[ordered[0]]) * 1e6 < TOLERANCE
    for count in (1, 3, 5, 7):
        with pytest.raises(Rejected, match="was dropped"):
            small.repair().hold(ordered[:count], TOLERANCE)


def test_attack_drops_that_each_pass_for_noise_add_up_to_no_more_than_one() -> None:
    """Marginals below the share of the tolerance: all together may cost that share once."""
    small = Round([honest(seed) for seed in range(12)], Small(0.003))
    ordered = sorted(small.deltas, key=lambda digest: _marginal(small, small.deltas[digest]))
    whole = small.repair().mend().verdict.improvement
    signed = [count for count in range(1, 12) if _signs(small, ordered[:count])]
    assert signed, "one near tie is signed"
    for count in signed:
        left = small.scorer.gain(small.merged(sorted(ordered[count:]))).mean * 1e6
        assert whole - left <= TOLERANCE / 16 + 1
    assert max(signed) < 6


@pytest.mark.parametrize(("good", "bad"), [(4, 8), (6, 24), (8, 48)])
def test_attack_a_told_set_near_ones_own_costs_signers_few_measurements(good: int, bad: int) -> None:
    """With one drop fewer, or another in the place of the first, it took about half of n squared."""
    attacked = Round([*(honest(seed) for seed in range(good)), *(cheap(seed) for seed in range(bad))])
    alone = attacked.repair()
    own = alone.mend().dropped
    for told in (own[:-1], own[1:], (*own, name(honest(0))), (*own[1:], name(honest(0)))):
        signer = attacked.repair()
        with pytest.raises(Rejected) as error:
            signer.hold(told, TOLERANCE)
        assert error.value.reason == "drops-disagree"
        assert signer.measured <= alone.measured + 10


def test_attack_no_told_set_costs_signers_more_than_so_many_measurements() -> None:
    """On a shard where every measurement looks as if what is known were worth nothing any more."""

    class Restless(Machine):
        def gain(self, weights: Arrays) -> Measured:
            found = super().gain(weights)
            return Measured(found.mean / 1e4, found.stderr / 1e4)

    many = Round([honest(seed) for seed in range(30)], Restless(0, 0.5))
    signer = many.repair(scorer=Restless(1, 0.5))
    alone = many.repair(scorer=Restless(1, 0.5))
    alone.mend()
    told = sorted(many.deltas)[::2]
    try:
        signer.hold(told, 1_000_000)
    except Rejected as error:
        assert error.reason == "drops-disagree"
    assert alone.measured < signer.measured <= alone.measured + 3 * 30


def _signs(round_: Round, told: Sequence[Digest]) -> bool:
    try:
        return round_.repair().hold(told, TOLERANCE).published
    except Rejected:
        return False


def test_a_near_tie_stalls_no_round() -> None:
    """A delta whose last marginal lies at the threshold is dropped here, kept there, and signed by both."""
    near = Round(GOOD)
    lowest = min(GOOD, key=lambda delta: _marginal(near, delta))
    shift = _marginal(near, lowest) + 0.2 * 0.001 - 1e-5

    class Tie(HiddenOptimum):
        def __init__(self, side: float) -> None:
            super().__init__()
            self._side = side

        def gain(self, weights: Arrays) -> Measured:
            found = super().gain(weights)
            rest = [name(delta) for delta in GOOD if delta is not lowest]
            without = near.merged(sorted(rest))
            same = all(np.array_equal(weights[key], without[key]) for key in weights)
            return Measured(found.mean + (shift + self._side) * same, found.stderr)

    drops, keeps = (near.repair(scorer=Tie(side)).mend().dropped for side in (5e-5, -5e-5))
    assert (drops, keeps) == ((name(lowest),), ())
    assert near.repair(scorer=Tie(-5e-5)).hold(drops, TOLERANCE).published
    assert near.repair(scorer=Tie(5e-5)).hold(keeps, TOLERANCE).published


def _marginal(round_: Round, delta: Arrays) -> float:
    rest = [digest for digest in sorted(round_.deltas) if digest != name(delta)]
    gain = round_.scorer.gain
    return gain(round_.merged(sorted(round_.deltas))).mean - gain(round_.merged(rest)).mean
