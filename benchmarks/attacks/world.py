"""Attacks on the world model."""

from __future__ import annotations

from attacks.attempt import Attacks, Attempt, Parts
from jepanet.learning.seeding import numpy_generator
from jepanet.tensors import Arrays

PARTS = Parts(norm="encoder.norm.", head="encoder.head.", free=(("objective.weight", 0.0),))


def _one_room(prefix: str) -> Attacks:
    """Only what is trained of parameters whose names start so."""

    def made(now: Attempt) -> Arrays:
        return {
            name: array if name.startswith(prefix) else 0 * array for name, array in now.trained().items()
        }

    return {f"{prefix.rstrip('.')} alone": made}


def _still(now: Attempt) -> Arrays:
    """Trained on episodes whose frames stand in any order: nothing follows from anything."""
    draw, frames = numpy_generator(now.seed, "frames"), now.shard.frames.copy()
    for episode in frames:
        episode[:] = episode[draw.permutation(len(episode))]
    return now.trained(shard=now.shard.with_arrays(frames=frames))


OWN: Attacks = {
    "shuffled actions": lambda now: now.trained(shard=now.shuffled("actions")),
    "shuffled frames": _still,
    **_one_room("predictor."),
    **_one_room("encoder."),
}
