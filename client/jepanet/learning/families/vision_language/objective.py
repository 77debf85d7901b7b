"""What the vision-language model minimises: InfoNCE between predictions and answers, and the error against
what the round's base makes of the answers."""

from __future__ import annotations

import torch
from torch import Tensor

from jepanet.learning.families.vision_language.sizes import VisionLanguageObjective
from jepanet.learning.family import Terms
from jepanet.learning.pooling import all_rows, pooled


def vision_language_objective(
    predicted: Tensor,
    answers: Tensor,
    held: Tensor | None,
    kinds: Tensor,
    objective: VisionLanguageObjective,
) -> Terms:
    """Loss of predictions [B, Q, D] and answers' embeddings [B, Q, D], all of length one; `held`, what the
    frozen base makes of the answers, None where a training has no base, from scratch.

    kinds: int64, one for every question of the whole batch; equal answers have one number and count as right
    together, so none is pushed away from itself. SIGReg is not for answers: they are few, some are far more
    frequent than others, and no normal law fits them.
    """
    with torch.autocast(predicted.device.type, enabled=False):
        kind = torch.promote_types(predicted.dtype, torch.float32)
        predicted, answers = predicted.to(kind), answers.to(kind)
        first, second = (all_rows(item.flatten(0, 1)) for item in (predicted, answers))
        parts = {"match": match_nats(first, second, kinds, objective.temperature).mean()}
        loss = parts["match"]
        if held is not None:
            error = (predicted - held.to(kind)).square().sum(dim=-1)
            parts["base"] = pooled(error.mean())
            loss = loss + objective.base * parts["base"]
    return Terms(loss, parts)


def match_nats(predicted: Tensor, answers: Tensor, kinds: Tensor, temperature: float) -> Tensor:
    """What it costs to tell every question's answer among all of the batch by its prediction: nats [N].

    InfoNCE (van den Oord et al. 2018, arXiv:1807.03748) of unit vectors [N, D] with all answers of one kind
    as right ones, as Khosla et al. 2020 (arXiv:2004.11362) have it for labels.
    """
    closeness = predicted @ answers.T / temperature
    alike = kinds.unsqueeze(0) == kinds.unsqueeze(1)
    right = closeness.masked_fill(~alike, -torch.inf).logsumexp(dim=1)
    nats: Tensor = closeness.logsumexp(dim=1) - right
    return nats
