"""Attacks on the language model."""

from __future__ import annotations

from attacks.attempt import Attacks, Parts

PARTS = Parts(norm="encoder.norm.", head="projection.")
OWN: Attacks = {
    "no match term": lambda now: now.trained(("objective.match", 0.0)),
    "no match term, twice the steps": lambda now: now.trained(
        ("objective.match", 0.0), steps=2 * now.recipe.inner_steps
    ),
    "match term at the score's weight": lambda now: now.trained(
        ("objective.match", max(now.recipe.score.match, 0.01))
    ),
    "match term at weight 10": lambda now: now.trained(("objective.match", 10.0)),
    "shuffled pairs": lambda now: now.trained(shard=now.shuffled("second")),
}
