"""A federation that goes on under the rules of merging and pay, without chain or network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import log
from types import SimpleNamespace

import numpy as np

from attacks.judging import Held, rules_of
from attacks.rounds import LEARNING_RATE, MOMENTUM, Data
from jepanet.federation.deltas.delta import DeltaHeader, encode_delta
from jepanet.federation.judging.judge import Claim, Judged, Judgement, merge
from jepanet.federation.judging.judge import judge as judge_claims
from jepanet.federation.judging.repair import Repair
from jepanet.federation.judging.similarity import norm
from jepanet.federation.merging.lengths import no_longer, reference_length, relative_nano
from jepanet.learning.data.building.plan import PUBLIC, sealed_name, training_name
from jepanet.learning.evaluation.metrics import Metrics, heldout_metrics
from jepanet.learning.recipe import Recipe
from jepanet.learning.seeding import derive
from jepanet.learning.training.loop import train, warm_start
from jepanet.protocol.documents.scores import Among
from jepanet.protocol.documents.spec import NormCaps
from jepanet.protocol.settling.caps import usual_within
from jepanet.protocol.settling.reference import next_reference
from jepanet.protocol.settling.rewards import settle_payouts
from jepanet.protocol.settling.shares import as_one_of
from jepanet.tensors import Arrays
from jepanet.types import Address, Digest, Verdict


@dataclass(frozen=True)
class Under:
    """A set of rules."""

    name: str
    drop_sigmas_milli: int = 0
    to_reference_milli: int = 0
    pay_to_median_milli: int = 0
    variance_price_milli: int = 0
    pay_as_merged: bool = False


USUAL = Under("usual", 1000, 1000, 1500, 100, pay_as_merged=True)
"""Of rounds whose proposer changes nothing."""
NONE = Under("none")
REPORTS = 4
"""Shards, beside those that rounds draw, on which what becomes of the model is told."""


@dataclass(frozen=True)
class Ended:
    """One round: pay in micro-nats by place, and what became of each delta."""

    pay: tuple[int, ...]
    verdicts: tuple[str, ...]
    dropped: tuple[bool, ...]
    published: bool
    base: dict[str, float]
    """Its rank and variance on the shard of the round."""
    costs: tuple[dict[str, float], ...]
    """Of each delta that was measured, logarithms: by how much `variance` and `rank` are less and `sigreg` is
    more than the base's, and its `length` over the base's; empty where none was measured."""


@dataclass(frozen=True)
class HeldRound:
    """One round as it was judged and mended."""

    ended: Ended
    judged: Judged
    kept: tuple[Digest, ...]
    """In digest order."""
    merged: Callable[[Sequence[Digest]], tuple[Arrays, Arrays]]
    """Weights and velocity of the model that some of the deltas make."""


class Federation:
    """What one seed of a recipe comes to, round by round."""

    def __init__(
        self, recipe: Recipe, data: Data, seed: int, *, solvers: int, rounds: int, under: Under
    ) -> None:
        """`data` has at least `rounds` + `REPORTS` evaluation shards."""
        self.recipe, self.data, self.under = recipe, data, under
        self.secret = derive(bytes(32), f"whole {seed}")
        self.shards = [data.shard(training_name(place)) for place in range(solvers)]
        self.public = data.shard(PUBLIC)
        self.reports = [data.shard(sealed_name(rounds + place)) for place in range(REPORTS)]
        self.base = warm_start(recipe, self.public, derive(self.secret, "start"))
        self.number = 0
        self._velocity: Arrays | None = None
        self._caps = NormCaps(
            longest_milli=round(1000 * recipe.gates.longest), to_reference_milli=under.to_reference_milli
        )

    @property
    def start(self) -> int:
        """Steps of the schedule that are over."""
        return self.number * self.recipe.inner_steps

    @property
    def longest(self) -> float:
        """L2 norm beyond which a delta counts as shortened; 0: no round has said one."""
        return reference_length(self.base, self._caps.reference_nano, self._caps.to_reference_milli)

    def seed_of(self, place: int) -> bytes:
        return derive(self.secret, f"round {self.number} solver {place}")

    def honest(self, place: int, *, steps: int | None = None, recipe: Recipe | None = None) -> Arrays:
        """The delta of a training by the rules, or of as many steps or by a recipe of one's own."""
        shard = self.shards[place % len(self.shards)]
        made = train(
            self.base, shard, recipe or self.recipe, seed=self.seed_of(place), steps=steps,
            start_step=self.start,
        )  # fmt: skip
        return {name: made.weights[name] - self.base[name] for name in self.base}

    def play(self, deltas: Sequence[Arrays | None], held: HeldRound | None = None) -> Ended:
        """Judges, mends, merges and pays a round; None stands for a delta that nobody serves. `held`: what
        was found of these deltas already."""
        held = held or self.held(deltas)
        self.number += 1
        if held.ended.published:
            self._refer(held.judged, set(held.kept), held.ended.pay)
            self.base, self._velocity = held.merged(held.kept)
        return held.ended

    def scorer(self) -> Held:
        """Of the round that comes next."""
        return Held(self.base, self.recipe, self.data.shard(sealed_name(self.number)))

    def held(self, deltas: Sequence[Arrays | None], scorer: Held | None = None) -> HeldRound:
        """What `play` would come to; the federation stays where it is."""
        base, under, velocity, caps = self.base, self.under, self._velocity, self._caps
        scorer = scorer or self.scorer()
        judged = self._judged(deltas, scorer)
        accepted = {item.digest for item in judged.judgements if item.verdict is Verdict.ACCEPTED}
        verdicts = tuple(
            item.reason if item.verdict is not Verdict.ACCEPTED else "" for item in judged.judgements
        )
        before = {name: judged.base_metrics[name] for name in ("rank", "variance")}
        costs = tuple(_costs(base, judged, item) for item in judged.judgements)
        counted = judged.deltas
        if caps.referred:
            most = reference_length(base, caps.reference_nano, under.to_reference_milli)
            counted = {digest: no_longer(delta, most) for digest, delta in counted.items()}

        def merged(kept: Sequence[Digest]) -> tuple[Arrays, Arrays]:
            return merge(
                base, velocity, [(digest, counted[digest]) for digest in kept],
                longest_milli=caps.to_own_median_milli, lr_milli=LEARNING_RATE, momentum_milli=MOMENTUM,
            )  # fmt: skip

        if not accepted:
            none = (0,) * len(deltas)
            nothing = Ended(none, verdicts, (False,) * len(deltas), False, before, costs)
            return HeldRound(nothing, judged, (), merged)
        repair = Repair(
            accepted, lambda kept: merged(kept)[0], judged.base_metrics, scorer,
            sigmas_milli=under.drop_sigmas_milli,
        )  # fmt: skip
        mended = repair.mend()
        kept, published = accepted - set(mended.dropped), mended.verdict.published
        pay = paid(judged.judgements, kept, under) if published else (0,) * len(deltas)
        dropped = tuple(item.digest in mended.dropped for item in judged.judgements)
        ended = Ended(pay, verdicts, dropped, published, before, costs)
        return HeldRound(ended, judged, tuple(sorted(kept)), merged)

    def told(self) -> dict[str, float]:
        """What the model is on the shards that no round drew, means over them."""
        found = [heldout_metrics(self.base, self.recipe, shard) for shard in self.reports]
        return {
            name: float(np.mean([getattr(item, name) for item in found]))
            for name in ("nmse", "rank", "variance", "val_pred", "pi", "probe_r2")
            if getattr(found[0], name) is not None
        }

    def public_metrics(self, weights: Arrays) -> Metrics:
        """On frames that everybody has."""
        return heldout_metrics(weights, self.recipe, self.public)

    def _judged(self, deltas: Sequence[Arrays | None], scorer: Held) -> Judged:
        rules = replace(
            rules_of(self.recipe),
            codec="fp32",
            to_reference_milli=self.under.to_reference_milli,
            reference_nano=self._caps.reference_nano,
            longest_milli=self._caps.to_own_median_milli,
            variance_price_milli=self.under.variance_price_milli,
            pay_as_merged=self.under.pay_as_merged,
        )
        header, claims = DeltaHeader(base=rules.base, recipe=rules.recipe), []
        for place, delta in enumerate(deltas):
            data = None if delta is None else encode_delta(delta, header, rules.codec)
            name = Digest(hashlib.sha256(data or f"{self.number} {place}".encode()).digest())
            claims.append(Claim(Address(f"0x{place:040x}"), place, name, data))
        return judge_claims(self.base, claims, rules, scorer)

    def _refer(self, judged: Judged, kept: set[Digest], pay: Sequence[int]) -> None:
        rows = [
            SimpleNamespace(
                digest=item.digest, amount=amount,
                verdict=Verdict.ACCEPTED if item.digest in kept else Verdict.EXCLUDED,
            )
            for item, amount in zip(judged.judgements, pay, strict=True)
        ]  # fmt: skip
        norms = {digest: relative_nano(judged.deltas[digest], self.base) for digest in kept}
        reference = next_reference(rows, norms, self._caps)  # type: ignore[arg-type]
        self._caps = replace(self._caps, reference_nano=reference)


def _costs(base: Arrays, judged: Judged, item: Judgement) -> dict[str, float]:
    if item.metrics is None:
        return {}
    before, after = judged.base_metrics, item.metrics
    lost = {name: log(before[name] / after[name]) for name in ("variance", "rank")}
    length = norm(judged.deltas[item.digest]) / norm(base)
    return {**lost, "sigreg": log(after["sigreg"] / before["sigreg"]), "length": length}


def paid(judgements: Sequence[Judgement], kept: set[Digest], under: Under) -> tuple[int, ...]:
    """Micro-nats that each delta of a published round is paid for, by place: price 1, no budget."""
    accepted = {item.digest for item in judgements if item.verdict is Verdict.ACCEPTED}
    counted = {item.digest: (item.gain, item.stderr) for item in judgements}
    if under.pay_as_merged and 0 < len(kept) < len(judgements):
        for item in judgements:
            among = None if item.among is None else Among(*item.among)
            measured = SimpleNamespace(gain=item.gain, stderr=item.stderr, among=among)
            counted[item.digest] = as_one_of(measured, len(judgements), len(kept))
    earned = {digest: max(0, gain - error) for digest, (gain, error) in counted.items() if digest in accepted}
    usual = usual_within(list(earned.values())) if under.pay_to_median_milli else 0
    gains = [counted[item.digest] if item.digest in kept else (0, 0) for item in judgements]
    return settle_payouts(
        gains, price=1, shrink_milli=1000, budget=1 << 100,
        pay_cap=usual * under.pay_to_median_milli // 1000 if usual else None,
    )  # fmt: skip
