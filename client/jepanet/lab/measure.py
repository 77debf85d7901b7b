"""What a trained model is worth, on unseen sites and on the solvers' own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jepanet.errors import Rejected
from jepanet.federation.gauge import drift
from jepanet.lab.setting import Sites
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.metrics import frame_latents, heldout_metrics
from jepanet.learning.evaluation.scorer import scorer_of
from jepanet.learning.family import can_plan
from jepanet.learning.planning.rollout import rollout_nmse
from jepanet.learning.recipe import Recipe
from jepanet.tensors import Arrays

Figures = dict[str, Any]
STEPS_AHEAD = 8


class Measure:
    """Measures models of one recipe and one public start on one set of sites."""

    def __init__(self, recipe: Recipe, sites: Sites, start: Arrays) -> None:
        self._recipe = recipe
        self._sites = sites
        self._unseen = by_site(sites.unseen)
        # One target for every arm: what the public start sees. It favours no arm's own encoder.
        self._scorers = {id(shard): scorer_of(start, recipe, shard) for shard in (*self._unseen, *sites.own)}
        self._plans = can_plan(recipe.family, start)
        self._reference = frame_latents(start, recipe, sites.probe)

    def unseen(self, weights: Arrays) -> Figures:
        """Metrics on the unseen sites, each site for itself, then their mean."""
        return self._mean(weights, self._unseen)

    def own(self, weights: Arrays, solver: int | None) -> Figures:
        """Metrics on other episodes of one solver's site, or the mean over all solvers' sites."""
        return self._mean(
            weights, self._sites.own if solver is None else self._sites.own[solver : solver + 1]
        )

    def drift(self, weights: Arrays) -> Figures:
        """Rotation of the latent frame since the public start, read on the probe frames, in degrees."""
        try:
            found = drift(self._reference, frame_latents(weights, self._recipe, self._sites.probe))
        except Rejected as error:
            return {"reason": error.message}
        return {"rms": found.rms_degrees, "max": found.max_degrees, "trace": found.trace_degrees}

    def quick(self, weights: Arrays) -> Figures:
        """The few figures that are followed from round to round, on the unseen sites."""
        metrics = [heldout_metrics(weights, self._recipe, shard) for shard in self._unseen]
        names = ("nmse", "skill", "rank", "variance")
        return {name: _mean([getattr(item, name) for item in metrics]) for name in names} | {
            "drift": self.drift(weights).get("rms")
        }

    def gain(self, base: Arrays, weights: Arrays) -> float:
        """What a network finds a round worth that led from `base` to `weights`, in the score's nats.

        As there, one scorer for all unseen sites together.
        """
        return scorer_of(base, self._recipe, self._sites.unseen).gain(weights).mean

    def _mean(self, weights: Arrays, shards: Sequence[Shard]) -> Figures:
        found: list[Figures] = []
        for shard in shards:
            figures: Figures = dict(heldout_metrics(weights, self._recipe, shard).to_json())
            figures["score"] = self._scorers[id(shard)].gain(weights).score
            if self._plans:
                figures["rollout"] = rollout_nmse(weights, self._recipe, shard, steps=STEPS_AHEAD)
            found.append(figures)
        return {name: np.mean([item[name] for item in found], axis=0).tolist() for name in found[0]}


def by_site(shard: Shard) -> tuple[Shard, ...]:
    """One shard for each site, in site order."""
    numbers = np.asarray(shard.site)
    return tuple(shard.chosen(numbers == number) for number in sorted(set(shard.site)))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
