"""What the image model minimises: prediction error against two targets, SIGReg and a guard against its dead
zones."""

from __future__ import annotations

import torch
from torch import Tensor

from jepanet.learning.families.image.sizes import ImageObjective
from jepanet.learning.family import Terms
from jepanet.learning.objectives import random_directions, sigreg, sketched_moments
from jepanet.learning.pooling import pooled


def image_objective(
    tokens: Tensor,
    guesses: Tensor,
    own: Tensor,
    held: Tensor | None,
    objective: ImageObjective,
    generator: torch.Generator,
) -> Terms:
    """Loss of guesses [B, K, D] of target tokens: `own`, and `held`, what the frozen base makes of them;
    None where a training has no base, from scratch: own tokens are then the whole target.

    The regulariser sees tokens [B, N, D] less their mean over the batch at each place and less the mean of
    their image: uncentred, what a place alone tells would make up most of the variance it asks for. Errors
    and statistics are float32 at least, of the whole batch, wherever its rows lie.
    """
    with torch.autocast(tokens.device.type, enabled=False):
        kind = torch.promote_types(tokens.dtype, torch.float32)
        tokens, guesses, own = tokens.to(kind), guesses.to(kind), own.to(kind)
        error = pooled((guesses - own).square().mean())
        parts = {"prediction": error}
        if held is not None:
            parts["base"] = pooled((guesses - held.to(kind)).square().mean())
            error = (1.0 - objective.base) * error + objective.base * parts["base"]
        place = pooled(tokens.mean(dim=0))
        middle = place.mean(dim=0)
        centred = tokens - place - (tokens.mean(dim=1, keepdim=True) - middle)
        some = torch.randperm(tokens.shape[1], generator=generator)[: objective.tokens].to(tokens.device)
        flat = centred[:, some].flatten(0, 1)
        projected = flat @ random_directions(flat.shape[1], objective.directions, generator).to(flat)
        parts["sigreg"] = sigreg(projected, objective.knots)
        moments = sketched_moments(projected) + middle.square().mean()
    return Terms(error + objective.weight * (parts["sigreg"] + objective.guard * moments), parts)
