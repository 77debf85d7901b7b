"""What a language model minimises: next-token loss, and InfoNCE between the two texts of a pair."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from jepanet.learning.family import NEXT_TOKEN, Terms
from jepanet.learning.pooling import all_rows, pooled
from jepanet.learning.text_pairs.sizes import PairObjective


def pair_objective(
    nats: Tensor,
    tokens: Tensor,
    latents: tuple[Tensor, Tensor],
    twins: Tensor,
    objective: PairObjective,
) -> Terms:
    """Loss of pairs whose next tokens cost `nats` [B] in all, of `tokens` [B], and of the unit latents [B, D]
    of their two texts.

    LLM-JEPA (Huang et al. 2025, arXiv:2509.14252) adds a distance between the views to the next-token loss,
    with the model as its own predictor. Here it is InfoNCE (van den Oord et al. 2018, arXiv:1807.03748): with
    a distance alone and a projection that learns, all texts fall onto one latent. All statistics are of the
    whole batch, wherever its rows lie.
    """
    next_token = pooled(nats.mean()) / pooled(tokens.to(nats.dtype).mean())
    first, second = (all_rows(item) for item in latents)
    matched = match_nats(first, second, twins, objective.temperature).mean()
    return Terms(next_token + objective.match * matched, {NEXT_TOKEN: next_token, "match": matched})


def match_nats(first: Tensor, second: Tensor, twins: Tensor, temperature: float) -> Tensor:
    """What it costs to tell the second text of every pair by its first among all others, and the other way
    round: nats [B], the mean of both. Unit latents [B, D]; pairs that are `twins` [B, B] are left out."""
    own = torch.arange(len(first), device=first.device)
    # Cosines of eight bits tell too little.
    with torch.autocast(first.device.type, enabled=False):
        closeness = (first @ second.T / temperature).masked_fill(twins, -torch.inf)
        there = functional.cross_entropy(closeness, own, reduction="none")
        back = functional.cross_entropy(closeness.T, own, reduction="none")
    return (there + back) / 2
