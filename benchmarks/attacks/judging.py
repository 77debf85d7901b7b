"""Deltas as a coordinator judges them, with what was measured once kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from jepanet.federation.deltas.delta import DeltaHeader, encode_delta
from jepanet.federation.judging.judge import Claim, Judgement, Rules, judge
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.gain import Gain
from jepanet.learning.evaluation.guards import absolute_guards, length_guards, state_guards
from jepanet.learning.evaluation.metrics import Metrics, encode, metrics_of
from jepanet.learning.evaluation.scorer import scorer_of
from jepanet.learning.recipe import Recipe
from jepanet.protocol.documents.spec import NormCaps
from jepanet.tensors import Arrays
from jepanet.types import ZERO_DIGEST, Address, Digest

CODEC, SIMILARITY = "int8", 900


class Held:
    """The scorer of one round, as `work/scoring.py` makes it; what was measured once is kept."""

    def __init__(self, base: Arrays, recipe: Recipe, shard: Shard) -> None:
        self._recipe, self.shard = recipe, shard
        self._scorer = scorer_of(base, recipe, shard)
        self._known: dict[bytes, tuple[Gain, Metrics]] = {}

    @property
    def score(self) -> float:
        return self._scorer.score

    @property
    def unit(self) -> str:
        return self._scorer.unit

    def gain(self, weights: Arrays) -> Gain:
        return self._found(weights)[0]

    def metrics(self, weights: Arrays) -> dict[str, float]:
        return self._found(weights)[1].to_json()

    def state_guards(
        self, base: Mapping[str, float], candidate: Mapping[str, float], length: float, share: float
    ) -> tuple[str, ...]:
        before, after, gates = Metrics(**base), Metrics(**candidate), self._recipe.gates
        return (*state_guards(before, after, gates), *length_guards(before, after, gates, length, share))

    def merge_guards(self, base: Mapping[str, float], merged: Mapping[str, float]) -> tuple[str, ...]:
        before, after, gates = Metrics(**base), Metrics(**merged), self._recipe.gates
        return (*state_guards(before, after, gates), *absolute_guards(before, after, gates))

    def _found(self, weights: Arrays) -> tuple[Gain, Metrics]:
        digest = hashlib.sha256(b"".join(array.tobytes() for _, array in sorted(weights.items()))).digest()
        if digest not in self._known:
            encoded = encode(weights, self._recipe, self.shard)
            self._known[digest] = (
                self._scorer.gain_of(encoded),
                metrics_of(encoded, self.shard, self._recipe),
            )
        return self._known[digest]


def rules_of(recipe: Recipe) -> Rules:
    """As a proposer that changes nothing opens rounds of the recipe."""
    caps = NormCaps()
    return Rules(
        base=ZERO_DIGEST,
        recipe=recipe.digest(),
        codec=CODEC,
        max_delta_bytes=1 << 28,
        to_base_milli=caps.to_base_milli,
        to_median_milli=caps.to_median_milli,
        zero_nano=caps.zero_nano,
        similarity_milli=SIMILARITY,
        harm_sigmas_milli=round(1000 * recipe.gates.harm_sigmas),
        longest_milli=round(1000 * recipe.gates.longest),
        frozen=recipe.family.frozen,
    )


def judged(
    base: Arrays, deltas: Sequence[Arrays], scorer: Held, recipe: Recipe
) -> tuple[dict[Digest, Arrays], tuple[Judgement, ...]]:
    """The deltas as they arrive, and the findings on them in their order."""
    rules = rules_of(recipe)
    header = DeltaHeader(base=rules.base, recipe=rules.recipe)
    files = [encode_delta(delta, header, CODEC) for delta in deltas]
    claims = [
        Claim(Address(f"0x{place:040x}"), place, Digest(hashlib.sha256(data).digest()), data)
        for place, data in enumerate(files)
    ]
    found = judge(base, claims, rules, scorer)
    return found.deltas, found.judgements
