"""A block whose tokens hear of something beside them, as of an action (parameters: `shapes.py`)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class ConditionedBlock(nn.Module):
    """Attention and a two-layer network, each shifted, scaled and gated by the condition of its token.

    AdaLN-Zero of Peebles & Xie 2023, arXiv:2212.09748, as the predictor of LeWorldModel (arXiv:2603.19312)
    has it, without its dropout: a loss draws nothing but what its generator gives.
    """

    def __init__(self, width: int, heads: int, head: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.width = (width,)
        self.modulate = nn.Linear(width, 6 * width)
        self.attend = nn.Linear(width, 3 * heads * head)
        self.join = nn.Linear(heads * head, width)
        self.widen = nn.Linear(width, hidden)
        self.narrow = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor, condition: Tensor) -> Tensor:
        """Tokens and their conditions [B, N, W] -> [B, N, W]; none hears of a later one."""
        batch, count, _ = tokens.shape
        shift, scale, gate, later_shift, later_scale, later_gate = self.modulate(
            functional.silu(condition)
        ).chunk(6, dim=-1)
        seen = functional.layer_norm(tokens, self.width) * (1.0 + scale) + shift
        parts = self.attend(seen).view(batch, count, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        heard = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        tokens = tokens + gate * self.join(heard.transpose(1, 2).reshape(batch, count, -1))
        seen = functional.layer_norm(tokens, self.width) * (1.0 + later_scale) + later_shift
        changed: Tensor = tokens + later_gate * self.narrow(functional.gelu(self.widen(seen)))
        return changed
