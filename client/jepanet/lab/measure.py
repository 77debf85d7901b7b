"""What a trained model is worth, on unseen sites and on the solvers' own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from jepanet.errors import Rejected
from jepanet.federation.gauge import drift
from jepanet.lab.setting import Sites
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.metrics import encode, frame_latents, metrics_of
from jepanet.learning.evaluation.probes import probed, probed_raw
from jepanet.learning.evaluation.scorer import scorer_of
from jepanet.learning.family import can_plan
from jepanet.learning.planning.rollout import rollout_nmse
from jepanet.learning.recipe import Recipe
from jepanet.learning.seeding import derive
from jepanet.tensors import Arrays

Figures = dict[str, Any]
STEPS_AHEAD = 8


class Measure:
    """Measures models of one recipe and one public start on one set of sites."""

    def __init__(
        self, recipe: Recipe, sites: Sites, start: Arrays, seed: bytes, *, device: str = "cpu"
    ) -> None:
        self._device = device
        self._recipe = recipe
        self._sites = sites
        self._unseen = by_site(sites.unseen)
        # How few episodes may be paid for, and which base is too weak to be, is no question here.
        fewest = min(recipe.score.minimum_episodes, 4)
        free = replace(recipe.score, minimum_episodes=fewest, least=0.0)
        self._scored_by = replace(recipe, score=free)
        # One target for every arm: what the public start sees. It favours no arm's own encoder.
        self._scorers = {
            id(shard): scorer_of(start, self._scored_by, shard, device=device)
            for shard in (*self._unseen, *sites.own)
        }
        self._plans = can_plan(recipe.family, start)
        self._reference = frame_latents(start, recipe, sites.probe, device=device)
        self._untrained = recipe.family.initial_weights(derive(seed, "untrained"))

    def whole(self, weights: Arrays, solver: int | None) -> Figures:
        """All that is reported of a model, of one solver or of all."""
        each = [self._figures(weights, shard) for shard in self._unseen]
        strange = [
            found
            for shard, found in zip(self._unseen, each, strict=True)
            if shard.site[0] in self._sites.unfamiliar
        ]
        own = self._sites.own if solver is None else self._sites.own[solver : solver + 1]
        return {
            "solver": solver,
            "unseen": _mean_of(each),
            **({"unfamiliar": _mean_of(strange)} if strange else {}),
            "own": _mean_of([self._figures(weights, shard) for shard in own]),
            "drift": self.drift(weights),
            "probes": self._probed(weights),
        }

    def drift(self, weights: Arrays) -> Figures:
        """Rotation of the latent frame since the public start, read on the probe frames, in degrees."""
        try:
            latents = frame_latents(weights, self._recipe, self._sites.probe, device=self._device)
            found = drift(self._reference, latents)
        except Rejected as error:
            return {"reason": error.message}
        return {"rms": found.rms_degrees, "max": found.max_degrees, "trace": found.trace_degrees}

    def quick(self, weights: Arrays) -> Figures:
        """The few figures that are followed from round to round, on the unseen sites."""
        found = _mean_of([self._metrics(weights, shard) for shard in self._unseen])
        names = ("nmse", "skill", "rank", "variance", "next_token", "told", "score")
        return {name: found[name] for name in names if name in found} | {
            "drift": self.drift(weights).get("rms")
        }

    def gain(self, base: Arrays, weights: Arrays) -> float:
        """What a network finds a round worth that led from `base` to `weights`, in the score's nats.

        As there, one scorer for all unseen sites together.
        """
        scorer = scorer_of(base, self._scored_by, self._sites.unseen, device=self._device)
        return scorer.gain(weights).mean

    def probes(self) -> Figures:
        """What probes read without any training: off raw pictures and texts, and off random weights."""
        return {"raw": probed_raw(self._sites.unseen), "random weights": self._probed(self._untrained)}

    def _probed(self, weights: Arrays) -> Figures:
        shard = self._sites.unseen
        return probed(shard, encode(weights, self._recipe, shard, device=self._device))

    def _metrics(self, weights: Arrays, shard: Shard) -> Figures:
        encoded = encode(weights, self._recipe, shard, device=self._device)
        score = self._scorers[id(shard)].gain_of(encoded).score  # refuses what is not finite
        return {**metrics_of(encoded, shard, self._recipe).to_json(), "score": score}

    def _figures(self, weights: Arrays, shard: Shard) -> Figures:
        found = self._metrics(weights, shard)
        if self._plans:
            found["rollout"] = rollout_nmse(weights, self._recipe, shard, steps=STEPS_AHEAD)
        return found


def _mean_of(found: Sequence[Figures]) -> Figures:
    return {name: np.mean([item[name] for item in found], axis=0).tolist() for name in found[0]}


def by_site(shard: Shard) -> tuple[Shard, ...]:
    """One shard for each site, in site order."""
    numbers = np.asarray(shard.site)
    return tuple(shard.chosen(numbers == number) for number in sorted(set(shard.site)))
