"""Attacks on the vision-language model."""

from __future__ import annotations

import numpy as np

from attacks.attempt import Attacks, Attempt, Parts
from jepanet.learning.data.shards import Shard
from jepanet.tensors import Arrays

PARTS = Parts(norm="encoder.texts.norm.", head="encoder.texts.head.")


def _blank(now: Attempt) -> Shard:
    """Scenes without a picture: only what a question tells of its answer is left."""
    return now.shard.with_arrays(images=np.zeros_like(now.shard.array("images")))


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
    **_alone("predictor."),
    **_alone("encoder.texts."),
    **_alone("encoder.images."),
}
