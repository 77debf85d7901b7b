"""A vision transformer that encodes frames: ViT-tiny/14 at 224 pixels is LeWorldModel's (arXiv:2603.19312).

    frame ─▶ patches ─▶ blocks ─▶ normalised tokens, their mean ─▶ two layers ─▶ latent

What stands for a frame is the mean of its tokens, not a token of its own: no copy of all tokens is made to
put one before them. The layers after it have no batch norm, whose statistics no delta carries.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from jepanet.learning.families.world.sizes import ModelSizes, VitSizes
from jepanet.learning.transformer.block import Block
from jepanet.learning.transformer.shapes import place_codes


class VisionEncoder(nn.Module):
    """Normalised frames [N, 3, S, S] -> latents [N, D]."""

    places: Tensor

    def __init__(self, sizes: ModelSizes, vit: VitSizes) -> None:
        super().__init__()
        self.side, self.size = sizes.side, vit.patch
        self.register_buffer("places", torch.from_numpy(place_codes(sizes.side, vit.width)), persistent=False)
        self.patch = nn.Linear(3 * vit.patch**2, vit.width)
        self.blocks = nn.ModuleList(Block(vit.width, vit.heads) for _ in range(vit.depth))
        self.norm = nn.LayerNorm(vit.width)
        self.project = nn.Linear(vit.width, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.latent)

    def forward(self, frames: Tensor) -> Tensor:
        side, size = self.side, self.size
        cut = frames.view(-1, 3, side, size, side, size).permute(0, 2, 4, 1, 3, 5)
        tokens = self.patch(cut.reshape(len(frames), side**2, -1)) + self.places
        for block in self.blocks:
            tokens = block(tokens)
        pooled = self.norm(tokens).mean(dim=1)
        latents: Tensor = self.head(functional.gelu(self.project(pooled)))
        return latents
