"""Attacks on the vision-language model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from attacks.attempt import Attacks, Attempt, Parts
from jepanet.learning.data.building.plan import plan, sealed_name
from jepanet.learning.data.shards import Shard
from jepanet.learning.sources.minigrid.dataset import COLLECTION
from jepanet.tensors import Arrays

PARTS = Parts(norm="encoder.texts.norm.", head="encoder.texts.head.")


def _blank(now: Attempt) -> Shard:
    """Scenes without a picture: only what a question tells of its answer is left."""
    return now.shard.with_arrays(images=np.zeros_like(now.shard.array("images")))


def _own_scenes(now: Attempt) -> Shard:
    """As many scenes as the own shard has, of the tasks that are evaluated, from a seed of its own: the
    simulator is anybody's, the sealed seed is not."""
    sizes = replace(
        COLLECTION.sizes[now.recipe.name],
        evaluation_shards=1,
        evaluation_episodes=now.shard.episodes,
    )
    recording = plan(COLLECTION.environment, sizes, now.seed, now.seed)[sealed_name(0)]
    return COLLECTION.environment.record(recording)


def _alone(start: str) -> Attacks:
    """Only what is trained of parameters whose names start so."""

    def made(now: Attempt) -> Arrays:
        return {name: array if name.startswith(start) else 0 * array for name, array in now.trained().items()}

    return {f"{start.rstrip('.')} alone": made}


OWN: Attacks = {
    "InfoNCE alone": lambda now: now.trained(("objective.base", 0.0)),
    "the base's embeddings alone": lambda now: now.trained(("objective.temperature", 10.0)),
    "shuffled answers": lambda now: now.trained(shard=now.shuffled("answers")),
    "shuffled pictures": lambda now: now.trained(shard=now.shuffled("images")),
    "text only, pictures blank": lambda now: now.trained(shard=_blank(now)),
    "own scenes of the evaluated tasks": lambda now: now.trained(shard=_own_scenes(now)),
    **_alone("predictor."),
    **_alone("encoder.texts."),
    **_alone("encoder.images."),
}
