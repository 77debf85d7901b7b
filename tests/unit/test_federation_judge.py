"""Judging claimed deltas: every attack meets the verdict the threat model promises, honest work passes.

The scorer stands in for a held-out shard: gain is how much closer to a hidden optimum the weights get.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
import pytest

from jepanet.addresses import checksum_address
from jepanet.errors import Rejected
from jepanet.federation.deltas.codecs import BY_ARRAY
from jepanet.federation.deltas.delta import DeltaHeader, encode_delta
from jepanet.federation.judging.judge import (
    GAIN_LIMIT,
    Claim,
    Judged,
    Judgement,
    Rules,
    Unscored,
    judge,
    judge_merge,
    merge,
)
from jepanet.federation.judging.similarity import norm
from jepanet.federation.merging.lengths import no_longer, relative_nano
from jepanet.learning.evaluation.guards import length_guards
from jepanet.learning.recipe import Gates as RecipeGates
from jepanet.protocol.documents.spec import Gates
from jepanet.tensors import Arrays, encode_tensors
from jepanet.types import Digest, Verdict

pytestmark = pytest.mark.unit

BASE = Digest(sha256(b"base").digest())
RECIPE = Digest(sha256(b"recipe").digest())
HEADER = DeltaHeader(BASE, RECIPE)
RULES = Rules(
    base=BASE,
    recipe=RECIPE,
    codec="int8",
    max_delta_bytes=1 << 20,
    to_base_milli=1000,
    to_median_milli=2000,
    zero_nano=1000,
    similarity_milli=900,
    harm_sigmas_milli=3000,
)
SHAPES = {"encoder": (40, 50), "scale": ()}


def draw(seed: int, scale: float = 1.0) -> Arrays:
    generator = np.random.default_rng(seed)
    return {name: np.asarray(generator.normal(0, scale, shape), np.float32) for name, shape in SHAPES.items()}


def plus(a: Arrays, b: Arrays, times: float = 1.0) -> Arrays:
    return {name: np.asarray(a[name] + np.float32(times) * b[name]) for name in a}


MODEL = draw(0)
GOAL = draw(1, 0.2)
"""Direction from the base to the hidden optimum."""


def honest(seed: int) -> Arrays:
    """Part of the way to the optimum, part a direction of its own (cosine of two of them about 0.5)."""
    return plus(GOAL, draw(100 + seed, 0.2))


@dataclass
class Measured:
    mean: float
    stderr: float

    def beyond(self, other: Measured) -> Measured:
        return Measured(self.mean - other.mean, 0.2 * self.stderr)


class HiddenOptimum:
    """gain = squared distance to the optimum saved, relative to all there is to save."""

    unit = "nats per direction"

    def __init__(self, stderr: float = 0.001, broken: tuple[str, ...] = ()) -> None:
        self.stderr, self.broken = stderr, broken
        self.seen: list[Arrays] = []

    def gain(self, weights: Arrays) -> Measured:
        self.seen.append(weights)
        target = plus(MODEL, GOAL)
        left = sum(float(((weights[name] - target[name]) ** 2).sum()) for name in weights)
        all_of_it = sum(float((GOAL[name] ** 2).sum()) for name in GOAL)
        return Measured(1 - left / all_of_it, self.stderr)

    def metrics(self, weights: Arrays) -> Mapping[str, float]:
        return {"pi": 1.0, "variance": float(np.var(weights["encoder"]))}

    def state_guards(
        self, base: Mapping[str, float], candidate: Mapping[str, float], length: float, share: float
    ) -> tuple[str, ...]:
        return ("variance fell",) if candidate["variance"] < 0.9 * base["variance"] else ()

    def merge_guards(self, base: Mapping[str, float], merged: Mapping[str, float]) -> tuple[str, ...]:
        return self.broken


def claim(index: int, data: bytes | None, digest: bytes | None = None) -> Claim:
    named = Digest(digest or sha256(str(index).encode() if data is None else data).digest())
    return Claim(checksum_address("0x" + f"{index + 1:040x}"), index, named, data)


def encoded(delta: Arrays) -> bytes:
    return encode_delta(delta, HEADER, "int8")


def verdicts(judged: Judged) -> list[tuple[Verdict, str]]:
    return [(item.verdict, item.reason) for item in judged.judgements]


def beside_honest(data: bytes | None, rules: Rules = RULES) -> Judgement:
    """The judgement of one claim committed after three honest ones, which all must pass."""
    claims = [claim(i, encoded(honest(i))) for i in range(3)]
    judged = judge(MODEL, [*claims, claim(3, data)], rules, HiddenOptimum())
    assert verdicts(judged)[:3] == [(Verdict.ACCEPTED, "accepted")] * 3
    return judged.judgements[3]


def test_honest_work_is_accepted_and_measured_at_contribution_scale() -> None:
    claims = [claim(i, encoded(honest(i))) for i in range(4)]
    scorer = HiddenOptimum()
    judged = judge(MODEL, list(reversed(claims)), RULES, scorer)
    assert [item.solver for item in judged.judgements] == [item.solver for item in claims]
    assert verdicts(judged) == [(Verdict.ACCEPTED, "accepted")] * 4
    for item in judged.judgements:
        assert 300_000 < item.gain < 500_000
        assert item.stderr == 1_000
        assert item.metrics is not None
    assert set(judged.deltas) == {item.digest for item in claims}
    for weights, item in zip(scorer.seen, claims, strict=True):
        delta = judged.deltas[item.digest]
        for name in MODEL:
            assert isinstance(weights[name], np.ndarray)
            np.testing.assert_array_equal(weights[name], MODEL[name] + delta[name] / np.float32(4))


def with_scales(value: float) -> bytes:
    """A well-formed int8 file whose scale is not a number."""
    parts = {}
    for name, array in honest(9).items():
        for part, tensor in BY_ARRAY["int8"].encode(array).items():
            parts[f"{name}/{part}"] = np.full_like(tensor, value) if part == "scales" else tensor
    header = {"kind": "delta", "schema": 1, "base": BASE.hex(), "recipe": RECIPE.hex(), "codec": "int8"}
    return encode_tensors(parts, header)


GOOD = encoded(honest(9))
INVALID = {
    "NaN": (with_scales(float("nan")), "non-finite"),
    "infinity": (with_scales(float("inf")), "non-finite"),
    "truncated": (GOOD[:-1], "truncated"),
    "empty": (b"", "truncated"),
    "garbage": (b"\xff" * 5000, "truncated"),
    "oversized": (bytes((1 << 20) + 1), "too-large"),
    "wrong base": (encode_delta(honest(9), DeltaHeader(RECIPE, RECIPE), "int8"), "wrong-base"),
    "wrong recipe": (encode_delta(honest(9), DeltaHeader(BASE, BASE), "int8"), "wrong-recipe"),
    "wrong codec": (encode_delta(honest(9), HEADER, "fp32"), "bad-codec"),
    "wrong shape": (encoded({**honest(9), "encoder": np.zeros((50, 40), np.float32)}), "wrong-shape"),
    "missing weight": (encoded({"encoder": honest(9)["encoder"]}), "wrong-shape"),
    "ten times": (encoded({name: array * 10 for name, array in honest(9).items()}), "norm-cap"),
}


@pytest.mark.parametrize("attack", INVALID)
def test_attack_provable_faults_lose_the_bond(attack: str) -> None:
    data, reason = INVALID[attack]
    found = beside_honest(data)
    assert (found.verdict, found.reason) == (Verdict.INVALID, reason)
    assert (found.gain, found.stderr) == (0, 0)
    assert found.detail
    assert found.detail.isascii()
    assert len(found.detail) <= 240


EXCLUDED = {
    "unavailable": (None, "unavailable"),
    "zero": (encoded({name: np.zeros_like(array) for name, array in MODEL.items()}), "zero-delta"),
    "nearly zero": (encoded({name: array * np.float32(1e-8) for name, array in GOAL.items()}), "zero-delta"),
    "three times": (encoded({name: array * 3 for name, array in honest(9).items()}), "norm-outlier"),
    "near copy": (encoded(plus(honest(1), draw(7, 0.01))), "near-copy"),
    "scaled copy": (
        encoded({name: array * np.float32(0.7) for name, array in honest(1).items()}),
        "near-copy",
    ),
    "flipped copy": (encoded({name: -array for name, array in honest(1).items()}), "near-copy"),
    "harm": (encoded(plus(draw(8, 0.01), GOAL, -1.0)), "harm"),
    "collapse": (encoded({name: array * np.float32(-0.38) for name, array in MODEL.items()}), "state-guard"),
}


@pytest.mark.parametrize("attack", EXCLUDED)
def test_attack_useless_deltas_are_excluded(attack: str) -> None:
    data, reason = EXCLUDED[attack]
    found = beside_honest(data)
    assert (found.verdict, found.reason) == (Verdict.EXCLUDED, reason)
    assert found.detail


def test_attack_a_longer_step_of_honest_work_is_paid_no_more() -> None:
    rules = replace(RULES, longest_milli=1000)
    plain, drawn_out = encoded(honest(9)), encoded({name: array * 1.9 for name, array in honest(9).items()})
    assert beside_honest(drawn_out).gain > 1.3 * beside_honest(plain).gain, "without a limit it is"
    assert beside_honest(drawn_out, rules).gain < 1.02 * beside_honest(plain, rules).gain


def test_honest_deltas_of_usual_length_are_measured_as_they_are() -> None:
    claims = [claim(i, encoded(honest(i))) for i in range(4)]
    free, bound = (
        [item.gain for item in judge(MODEL, claims, rules, HiddenOptimum()).judgements]
        for rules in (RULES, replace(RULES, longest_milli=1200))
    )
    assert free == bound


def test_attack_a_tiny_delta_does_not_shorten_an_honest_one() -> None:
    rules = replace(RULES, longest_milli=1000)
    tiny = encoded({name: array * np.float32(1e-3) for name, array in honest(1).items()})
    alone = judge(MODEL, [claim(0, encoded(honest(0))), claim(1, None)], RULES, HiddenOptimum())
    beside = judge(MODEL, [claim(0, encoded(honest(0))), claim(1, tiny)], rules, HiddenOptimum())
    assert beside.judgements[0].gain == alone.judgements[0].gain


def test_attack_a_delta_that_changes_frozen_weights_loses_the_bond() -> None:
    rules = replace(RULES, frozen=("scale", "other."))
    kept = [{**honest(seed), "scale": np.zeros((), np.float32)} for seed in range(4)]
    honest_files = [claim(i, encoded(item)) for i, item in enumerate(kept[:3])]
    judged = judge(MODEL, [*honest_files, claim(3, encoded(honest(3)))], rules, HiddenOptimum())
    assert verdicts(judged) == [(Verdict.ACCEPTED, "accepted")] * 3 + [(Verdict.INVALID, "frozen-changed")]
    assert "scale" in judged.judgements[3].detail


def test_noise_is_not_punished_and_earns_nothing() -> None:
    noise = beside_honest(encoded(draw(55, 0.05)))
    assert noise.verdict in (Verdict.ACCEPTED, Verdict.EXCLUDED)
    assert noise.gain <= 3 * noise.stderr


def test_attack_same_bytes_twice_are_paid_once() -> None:
    """The later of two may be the solver whose work was taken."""
    data = encoded(honest(0))
    judged = judge(
        MODEL, [claim(1, data), claim(0, data), claim(2, None, sha256(data).digest())], RULES, HiddenOptimum()
    )
    assert verdicts(judged) == [
        (Verdict.ACCEPTED, "accepted"),
        (Verdict.EXCLUDED, "duplicate"),
        (Verdict.EXCLUDED, "duplicate"),
    ]
    assert len(judged.deltas) == 1


def test_attack_other_bytes_than_committed_count_as_not_served() -> None:
    found = judge(MODEL, [claim(0, encoded(honest(0)), bytes(32))], RULES, HiddenOptimum()).judgements[0]
    assert (found.verdict, found.reason) == (Verdict.EXCLUDED, "unavailable")


RULES_AS_MERGED = replace(RULES, pay_as_merged=True)
REFERRED = replace(RULES, to_reference_milli=1000, reference_nano=relative_nano(honest(0), MODEL))
"""What was usual in the round before is the length of honest work."""


def test_attack_more_tiny_deltas_than_honest_ones_exclude_nobody() -> None:
    """By the round's own median they make every honest delta an outlier; by the reference none."""
    work = [honest(seed) for seed in range(3)]
    tiny = [{name: 0.01 * array for name, array in draw(50 + seed, 0.2).items()} for seed in range(4)]
    claims = [claim(i, encoded(delta)) for i, delta in enumerate([*tiny, *work])]
    lost = verdicts(judge(MODEL, claims, RULES, HiddenOptimum()))[4:]
    assert lost == [(Verdict.EXCLUDED, "norm-outlier")] * 3
    kept = verdicts(judge(MODEL, claims, REFERRED, HiddenOptimum()))
    assert kept == [(Verdict.ACCEPTED, "accepted")] * 7


FIRST = replace(RULES, to_reference_milli=1000, longest_milli=1000)
"""Of a round whose project has no reference norm yet."""


def test_attack_a_majority_of_tiny_deltas_takes_nobodys_bond_in_a_first_round() -> None:
    """Its own median shortens the others, which then earn next to nothing; nobody is excluded."""
    work = [honest(seed) for seed in range(3)]
    tiny = [{name: 0.01 * array for name, array in draw(50 + seed, 0.2).items()} for seed in range(4)]
    claims = [claim(i, encoded(delta)) for i, delta in enumerate([*tiny, *work])]
    found = judge(MODEL, claims, FIRST, HiddenOptimum()).judgements
    assert [(item.verdict, item.reason) for item in found] == [(Verdict.ACCEPTED, "accepted")] * 7
    alone = judge(MODEL, claims[4:], FIRST, HiddenOptimum()).judgements
    assert all(0 < short.gain < 0.02 * whole.gain for short, whole in zip(found[4:], alone, strict=True))


def test_attack_a_long_step_in_a_first_round_earns_what_the_usual_length_does() -> None:
    work = [encoded(honest(seed)) for seed in range(3)]
    found = []
    for times in (1, 1.5, 3):
        drawn_out = {name: np.float32(times) * array for name, array in honest(9).items()}
        claims = [claim(i, data) for i, data in enumerate([*work, encoded(drawn_out)])]
        found.append(judge(MODEL, claims, FIRST, HiddenOptimum()).judgements[3])
    assert [item.verdict for item in found] == [Verdict.ACCEPTED] * 3
    assert all(abs(item.gain - found[0].gain) < 0.03 * found[0].gain for item in found)


def test_attack_a_step_towards_collapse_pays_for_the_variance_it_costs() -> None:
    """It predicts better and no guard stops it; what it takes of the variance is taken off its gain."""

    class Shrinking(HiddenOptimum):
        def metrics(self, weights: Arrays) -> Mapping[str, float]:
            return {"variance": 1.0 if weights is MODEL else 0.95}

    def found(price: int, scorer: HiddenOptimum) -> Judgement:
        rules = replace(RULES, variance_price_milli=price)
        (made,) = judge(MODEL, [claim(0, encoded(honest(0)))], rules, scorer).judgements
        assert made.verdict is Verdict.ACCEPTED
        return made

    plain, priced = (found(price, Shrinking()) for price in (0, 100))
    assert plain.gain - priced.gain == round(1e5 * np.log(1 / 0.95))
    assert priced.stderr == plain.stderr and "variance" in priced.detail

    rules = replace(RULES, variance_price_milli=100, pay_as_merged=True)
    claims = [claim(0, encoded(honest(0))), claim(1, None)]
    second = [judge(MODEL, claims, it, Shrinking()).judgements[0].among for it in (RULES_AS_MERGED, rules)]
    assert second[0] and second[1], "beside one that nobody serves it is measured again"
    assert second[0][1] - second[1][1] == round(1e5 * np.log(1 / 0.95)), "and pays there too"

    class Growing(HiddenOptimum):
        def metrics(self, weights: Arrays) -> Mapping[str, float]:
            return {"variance": 1.0 if weights is MODEL else 1.3}

    assert found(0, Growing()) == found(100, Growing()), "what is won is worth nothing"


def test_attack_a_delta_that_cannot_be_measured_as_one_of_fewer_is_worth_nothing_there() -> None:
    """Without a number every coordinator would lack one that it owes, and lose its fee for it."""

    class Breaking(HiddenOptimum):
        def gain(self, weights: Arrays) -> Measured:
            if any(np.abs(weights[name] - MODEL[name]).max() > reach[name] for name in weights):
                raise Rejected("the latents are not finite", reason="non-finite")
            return super().gain(weights)

    delta = honest(0)
    reach = {name: 0.75 * np.abs(array).max() + 1e-6 for name, array in delta.items()}
    found = judge(MODEL, [claim(0, encoded(delta)), claim(1, None)], RULES_AS_MERGED, Breaking()).judgements
    assert found[0].gain > found[0].stderr
    assert found[0].among == (1, -GAIN_LIMIT, 0)


class Guarding(HiddenOptimum):
    """Guards see what a delta costs by its length: here all cost the same, some share of a whole delta."""

    def __init__(self, cost: float) -> None:
        super().__init__()
        self.cost, self.steps = cost, list[tuple[float, float]]()

    def state_guards(
        self, base: Mapping[str, float], candidate: Mapping[str, float], length: float, share: float
    ) -> tuple[str, ...]:
        self.steps.append((length, share))
        before, after = (Latents(np.exp(-lost)) for lost in (0.0, share * self.cost))
        return length_guards(before, after, RecipeGates(variance_per_length=0.7), length, share)


@dataclass(frozen=True)
class Latents:
    variance: float
    sigreg: float = 1.0
    rank: float = 1.0


def test_attack_a_short_step_that_costs_what_a_long_one_may_is_excluded() -> None:
    """An honest one costs as much and is long; drawing out the short one counts up to the usual length."""
    size = norm(honest(0)) / norm(MODEL)
    cost = 0.69 * size**0.5
    short = {name: np.float32(0.5) * array for name, array in honest(1).items()}
    drawn_out = {name: np.float32(3) * array for name, array in honest(2).items()}
    claims = [claim(i, encoded(delta)) for i, delta in enumerate((honest(0), short, drawn_out))]
    scorer = Guarding(cost)
    found = judge(MODEL, claims, REFERRED, scorer)
    assert verdicts(found) == [
        (Verdict.ACCEPTED, "accepted"),
        (Verdict.EXCLUDED, "state-guard"),
        (Verdict.ACCEPTED, "accepted"),
    ]
    assert "variance-for-length" in found.judgements[1].detail
    lengths, shares = zip(*scorer.steps, strict=True)
    assert lengths == pytest.approx((size, norm(short) / norm(MODEL), size), rel=0.01)
    assert shares == (1 / 3,) * 3


def test_attack_more_identities_do_not_widen_what_a_step_may_cost() -> None:
    cost = 0.75 * (norm(honest(0)) / norm(MODEL)) ** 0.5
    junk = [claim(1 + i, None) for i in range(15)]
    for claims in ([claim(0, encoded(honest(0)))], [claim(0, encoded(honest(0))), *junk]):
        found = judge(MODEL, claims, RULES, Guarding(cost)).judgements[0]
        assert (found.verdict, found.detail) == (Verdict.EXCLUDED, "variance-for-length")


def test_what_is_worth_paying_is_measured_again_as_one_of_so_many() -> None:
    """Beside junk that nobody serves, and beside noise that is accepted and worth nothing."""
    rules = replace(RULES, pay_as_merged=True, codec="fp32", similarity_milli=1000)
    work = [encode_delta(honest(seed), HEADER, "fp32") for seed in range(3)]
    noise = [encode_delta(draw(70 + seed, 0.02), HEADER, "fp32") for seed in range(2)]
    claims = [claim(i, data) for i, data in enumerate([*work, *noise, None, None, None, None])]
    scorer = HiddenOptimum(stderr=0.02)
    found = judge(MODEL, claims, rules, scorer).judgements
    for judgement, seed in zip(found, range(3), strict=False):
        alone = scorer.gain(plus(MODEL, honest(seed), 1 / 3)).mean
        assert judgement.among is not None and judgement.among[0] == 3
        assert abs(judgement.among[1] - 1e6 * alone) < 100 and judgement.among[1] > 2 * judgement.gain
    assert [item.among for item in found[3:]] == [None] * 6
    clean = judge(MODEL, claims[:3], rules, scorer)
    assert [item.among for item in clean.judgements] == [None] * 3, "all are: once is enough"
    assert judge(MODEL, claims, replace(rules, pay_as_merged=False), scorer).judgements[0].among is None


def test_attack_drawn_out_work_is_measured_at_the_length_of_the_round_before() -> None:
    """All of it, so that no median of the round says so; and nobody gains by the factor."""
    work = [honest(seed) for seed in range(3)]
    plain, long = (
        judge(
            MODEL,
            [
                claim(i, encode_delta(plus(delta, delta, times - 1), HEADER, "fp32"))
                for i, delta in enumerate(work)
            ],
            replace(REFERRED, codec="fp32"),
            HiddenOptimum(),
        ).judgements
        for times in (1.0, 2.5)
    )
    for at_length, drawn_out in zip(plain, long, strict=True):
        assert drawn_out.verdict is Verdict.ACCEPTED
        assert drawn_out.gain <= 1.15 * at_length.gain
    for drawn_out, delta in zip(long, work, strict=True):
        short = no_longer(plus(delta, delta, 1.5), norm(honest(0)))
        assert abs(drawn_out.gain - 1e6 * HiddenOptimum().gain(plus(MODEL, short, 1 / 3)).mean) < 10


def test_attack_tiny_delta_does_not_make_an_honest_norm_an_outlier() -> None:
    tiny = encoded({name: array * np.float32(1e-3) for name, array in draw(3, 0.2).items()})
    judged = judge(MODEL, [claim(0, encoded(honest(0))), claim(1, tiny)], RULES, HiddenOptimum())
    assert verdicts(judged)[0] == (Verdict.ACCEPTED, "accepted")


def test_a_copy_of_an_excluded_delta_stands_alone() -> None:
    """Of a group that says the same thing exactly one is paid, even if the first of it is thrown out."""
    loud = encoded({name: array * 3 for name, array in honest(5).items()})
    claims = [claim(0, loud), *(claim(i, encoded(honest(i))) for i in (1, 2)), claim(3, encoded(honest(5)))]
    judged = judge(MODEL, claims, RULES, HiddenOptimum())
    assert [reason for _, reason in verdicts(judged)] == ["norm-outlier", "accepted", "accepted", "accepted"]


@pytest.mark.parametrize(
    ("mean", "stderr", "verdict", "reason", "gain"),
    [
        (-0.01, 0.001, Verdict.EXCLUDED, "harm", -10_000),
        (-0.002, 0.001, Verdict.ACCEPTED, "accepted", -2_000),
        (-0.003, 0.001, Verdict.ACCEPTED, "accepted", -3_000),
        (0.5, 1e-9, Verdict.ACCEPTED, "accepted", 500_000),
        (0.5, 0.0, Verdict.EXCLUDED, "not-measurable", 0),
        (0.0, 0.0, Verdict.EXCLUDED, "not-measurable", 0),
        (float("nan"), 0.001, Verdict.EXCLUDED, "not-measurable", 0),
        (0.1, float("inf"), Verdict.EXCLUDED, "not-measurable", 0),
        (0.1, -0.1, Verdict.EXCLUDED, "not-measurable", 0),
        (1e300, 1e300, Verdict.ACCEPTED, "accepted", GAIN_LIMIT),
    ],
)
def test_harm_needs_significance(
    mean: float, stderr: float, verdict: Verdict, reason: str, gain: int
) -> None:
    class Fixed(HiddenOptimum):
        def gain(self, weights: Arrays) -> Measured:
            return Measured(mean, stderr)

    (found,) = judge(MODEL, [claim(0, encoded(honest(0)))], RULES, Fixed()).judgements
    assert (found.verdict, found.reason, found.gain) == (verdict, reason, gain)


@pytest.mark.parametrize(
    ("what", "gain", "stderr", "reason"),
    [
        ("honest, round 8, one of two", -14_363, 2_746, "accepted"),
        ("honest, round 6, one of four", -10_757, 1_910, "accepted"),
        ("their mean turned round, round 6, one of four", -6_228, 489, "harm"),
        ("noise of the honest norm, round 1, one of two", -7_335, 1_118, "accepted"),
    ],
)
def test_by_the_usual_gates_honest_work_that_harms_alone_keeps_its_bond(
    what: str, gain: int, stderr: int, reason: str
) -> None:
    """Figures of rounds that `benchmarks/round_rules.py tworoom-small` keeps, seed 0."""

    class Fixed(HiddenOptimum):
        def gain(self, weights: Arrays) -> Measured:
            return Measured(gain / 1e6, stderr / 1e6)

    rules = replace(RULES, harm_sigmas_milli=Gates().harm_sigmas_milli)
    (found,) = judge(MODEL, [claim(0, encoded(honest(0)))], rules, Fixed()).judgements
    assert (found.reason, found.gain) == (reason, gain), what
    assert RecipeGates().harm_sigmas * 1000 == Gates().harm_sigmas_milli


def test_a_standard_error_is_never_rounded_to_certainty() -> None:
    class Sure(HiddenOptimum):
        def gain(self, weights: Arrays) -> Measured:
            return Measured(0.5, 1e-9)

    (found,) = judge(MODEL, [claim(0, encoded(honest(0)))], RULES, Sure()).judgements
    assert (found.gain, found.stderr) == (500_000, 1)


def test_what_cannot_be_scored_is_excluded_and_its_bond_is_safe() -> None:
    claims = [
        claim(0, encoded(honest(0))),
        claim(1, with_scales(float("nan"))),
        claim(2, encoded(honest(2))),
        claim(3, None, sha256(b"nobody serves it").digest()),
    ]
    judged = judge(MODEL, claims, RULES, Unscored("thin-sites: site 8 has one episode"))
    assert [(item.verdict, item.reason) for item in judged.judgements] == [
        (Verdict.EXCLUDED, "shard-refused"),
        (Verdict.INVALID, "non-finite"),  # a fault that anyone can recompute from the bytes stays one
        (Verdict.EXCLUDED, "shard-refused"),
        (Verdict.EXCLUDED, "unavailable"),
    ]
    first = judged.judgements[0]
    assert (first.gain, first.stderr, first.metrics) == (0, 0, None) and "site 8" in first.detail
    assert judged.deltas == {} and judged.base_metrics == {}


@pytest.mark.parametrize("part", ["gain", "metrics"])
def test_a_candidate_that_cannot_be_measured_does_not_end_the_round(part: str) -> None:
    class Broken(HiddenOptimum):
        pass

    def refuse(self: HiddenOptimum, weights: Arrays) -> Measured:
        if any((weights[name] != MODEL[name]).any() for name in MODEL):
            raise Rejected("the latents hold NaN or infinity", reason="non-finite")
        return getattr(HiddenOptimum, part)(self, weights)  # type: ignore[no-any-return]

    setattr(Broken, part, refuse)
    (found,) = judge(MODEL, [claim(0, encoded(honest(0)))], RULES, Broken()).judgements
    assert (found.verdict, found.reason) == (Verdict.EXCLUDED, "not-measurable") and "NaN" in found.detail
    merged = judge_merge(plus(MODEL, GOAL), {}, Broken())
    assert not merged.published and (merged.improvement, merged.metrics) == (0, {})
    assert "can't be measured" in merged.note


def test_a_good_merge_is_published_a_bad_or_unsafe_one_is_not() -> None:
    deltas = [(Digest(bytes([i]) * 32), honest(i)) for i in range(4)]
    merged, velocity = merge(MODEL, None, deltas, lr_milli=700, momentum_milli=600)
    assert merged.keys() == velocity.keys() == MODEL.keys()
    scorer = HiddenOptimum()
    before = scorer.metrics(MODEL)
    good = judge_merge(merged, before, scorer)
    assert good.published
    assert good.improvement > 0
    assert not good.note
    worse = judge_merge(plus(MODEL, GOAL, -1), before, scorer)
    assert (worse.published, worse.improvement < 0) == (False, True)
    same = judge_merge(MODEL, before, scorer)
    assert (same.published, same.improvement) == (False, 0)
    unsafe = judge_merge(merged, before, HiddenOptimum(broken=("variance fell",)))
    assert (unsafe.published, unsafe.improvement) == (False, 0)
    assert "variance fell" in unsafe.note
    lost = judge_merge(merged, before, HiddenOptimum(stderr=float("nan")))
    assert (lost.published, lost.improvement) == (False, 0)


def test_merge_does_not_depend_on_the_order_of_arrival() -> None:
    deltas = [(Digest(sha256(bytes([i])).digest()), honest(i)) for i in range(5)]
    one, _ = merge(MODEL, draw(4), deltas, lr_milli=700, momentum_milli=600)
    two, _ = merge(MODEL, draw(4), deltas[::-1], lr_milli=700, momentum_milli=600)
    for name in one:
        assert one[name].tobytes() == two[name].tobytes()


def test_strictest_similarity_rule_still_lets_the_first_pass() -> None:
    rules = replace(RULES, similarity_milli=1)
    claims = [claim(i, encoded(honest(i))) for i in range(3)]
    judged = judge(MODEL, claims, rules, HiddenOptimum())
    assert [reason for _, reason in verdicts(judged)] == ["accepted", "near-copy", "near-copy"]
