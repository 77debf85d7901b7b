"""A transformer that predicts the next latent from two, each conditioned on the action after it.

The predictor of LeWorldModel (arXiv:2603.19312) on a history of two frames, which is what planning has of any
world model here, in place of its three; without dropout, and with the last latent added to what it says.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from jepanet.learning.families.world.sizes import ModelSizes, TransformerSizes
from jepanet.learning.transformer.conditioned import ConditionedBlock


class AttendingPredictor(nn.Module):
    """Two latents [..., D] and two actions [..., A] -> the next latent [..., D], as a change of the last."""

    def __init__(self, sizes: ModelSizes, inner: TransformerSizes) -> None:
        super().__init__()
        self.enter = nn.Linear(sizes.latent, inner.width)
        self.moments = nn.Parameter(torch.zeros(2, inner.width))
        self.act = nn.Linear(sizes.actions, 4 * inner.width)
        self.condition = nn.Linear(4 * inner.width, inner.width)
        self.blocks = nn.ModuleList(
            ConditionedBlock(inner.width, inner.heads, inner.head, sizes.predictor)
            for _ in range(inner.depth)
        )
        self.norm = nn.LayerNorm(inner.width)
        self.leave = nn.Linear(inner.width, sizes.latent)

    def forward(self, before: Tensor, now: Tensor, acted: Tensor, acting: Tensor) -> Tensor:
        lead = now.shape[:-1]
        latents = torch.stack([before, now], dim=-2).flatten(0, -3)
        actions = torch.stack([acted, acting], dim=-2).flatten(0, -3)
        tokens = self.enter(latents) + self.moments
        condition = self.condition(functional.silu(self.act(actions)))
        for block in self.blocks:
            tokens = block(tokens, condition)
        change: Tensor = self.leave(self.norm(tokens[:, 1]))
        return now + change.view(*lead, -1)
