"""The transformer blocks of encoder and predictor, with fixed codes of where a token is."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """Attention and a two-layer network, each on normalised tokens and added to them (pre-norm ViT)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before = nn.LayerNorm(width)
        self.attend = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.between = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens [B, N, W] -> [B, N, W]."""
        batch, count, width = tokens.shape
        parts = self.attend(self.before(tokens)).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        heard = functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.join(heard.transpose(1, 2).reshape(batch, count, width))
        changed: Tensor = tokens + self.narrow(functional.gelu(self.widen(self.between(tokens))))
        return changed


def place_codes(side: int, width: int) -> Tensor:
    """Fixed codes [side * side, width] of the places of tokens: sines and cosines of row and column.

    As in I-JEPA (and Vaswani et al. 2017, arXiv:1706.03762): a quarter of the numbers each for the sines and
    cosines of the row and of the column, at wave lengths from 2 pi to 20,000 pi.
    """
    rates = 10_000.0 ** -(np.arange(width // 4) / (width // 4))
    angles = np.arange(side)[:, None] * rates
    line = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    rows, columns = np.repeat(line, side, axis=0), np.tile(line, (side, 1))
    return torch.from_numpy(np.concatenate([rows, columns], axis=1).astype(np.float32))


def gathered(tokens: Tensor, places: Tensor) -> Tensor:
    """Tokens [B, N, W] at `places` int64 [B, K] -> [B, K, W]."""
    return tokens.gather(1, places.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))
