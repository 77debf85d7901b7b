"""The block that encoders and predictors are made of (parameters: `shapes.py`)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """Attention and a two-layer network, each on normalised tokens and added to them (pre-norm)."""

    def __init__(self, width: int, heads: int, *, causal: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.before = nn.LayerNorm(width)
        self.attend = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.between = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens [B, N, W] -> [B, N, W]; if `causal`, none hears of a later one."""
        batch, count, width = tokens.shape
        parts = self.attend(self.before(tokens)).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        heard = functional.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        tokens = tokens + self.join(heard.transpose(1, 2).reshape(batch, count, width))
        changed: Tensor = tokens + self.narrow(functional.gelu(self.widen(self.between(tokens))))
        return changed


def gathered(tokens: Tensor, places: Tensor) -> Tensor:
    """Tokens [B, N, W] at `places` int64 [B, K] -> [B, K, W]."""
    return tokens.gather(1, places.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))
