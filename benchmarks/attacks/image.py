"""Attacks on the image model."""

from __future__ import annotations

from attacks.attempt import Attacks, Attempt, Parts
from jepanet.learning.data.shards import Shard
from jepanet.learning.seeding import numpy_generator

PARTS = Parts(norm="encoder.norm.", head="encoder.head.", free=(("objective.weight", 0.0),))


def _other_halves(now: Attempt) -> Shard:
    """Pictures whose right halves are other pictures': nothing can be predicted across."""
    images = now.shard.array("images").copy()
    half = images.shape[-1] // 2
    order = numpy_generator(now.seed, "halves").permutation(len(images))
    images[..., half:] = images[order][..., half:]
    return now.shard.with_arrays(images=images)


OWN: Attacks = {
    "shuffled targets": lambda now: now.trained(shard=_other_halves(now)),
    "own tokens alone for a target": lambda now: now.trained(("objective.base", 0.0)),
    "the base's tokens alone for a target": lambda now: now.trained(("objective.base", 1.0)),
}
