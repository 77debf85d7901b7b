"""What the world model minimises: prediction error, and what keeps its latents from collapsing."""

from __future__ import annotations

import torch
from torch import Tensor

from jepanet.learning.families.world.sizes import VISREG, Objective
from jepanet.learning.family import Terms
from jepanet.learning.objectives import random_directions, sigreg, sketched_moments, visreg
from jepanet.learning.pooling import pooled


def world_objective(
    latents: Tensor, guesses: Tensor, objective: Objective, generator: torch.Generator
) -> Terms:
    """Loss of latents [B, T, D] and guesses [B, T-2, D] of latents[:, 2:].

    The regulariser sees all B*T latents, uncentred, along fresh random directions drawn from `generator`
    on the CPU. Errors and statistics are float32 at least, whatever the networks multiply in: a test of a
    distribution on numbers of eight bits is none. Both are of the whole batch, wherever its rows lie.
    """
    with torch.autocast(latents.device.type, enabled=False):
        kind = torch.promote_types(latents.dtype, torch.float32)
        latents, guesses = latents.to(kind), guesses.to(kind)
        prediction = pooled((guesses - latents[:, 2:]).square().mean())
        flat = latents.flatten(0, 1)
        directions = random_directions(flat.shape[1], objective.directions, generator).to(flat)
        if objective.kind == VISREG:
            guarded, statistic = visreg(flat, directions)
        else:
            projected = flat @ directions
            statistic, guarded = sigreg(projected, objective.knots), sketched_moments(projected)
    loss = prediction + objective.weight * (statistic + objective.guard * guarded)
    return Terms(loss, {"prediction": prediction, objective.kind: statistic})
