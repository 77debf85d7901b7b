"""A small decoder-only transformer (Radford et al. 2019) that also tells which texts are about one thing.

What it minimises, and what the score compares, is that of every language model (`text_pairs/model.py`).
Scores are told by the embedding of tokens, transposed; the projection is drawn at random and never trained.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from jepanet.learning.data.schemas.texts import PADDING
from jepanet.learning.families.language.sizes import LanguageModelSizes, LanguageSizes
from jepanet.learning.family import Weights
from jepanet.learning.text_pairs.model import PairModel
from jepanet.learning.transformer.block import Block


class Encoder(nn.Module):
    """Texts int64 [B, L] -> hidden states [B, L + 1, W]: before the first token, and after each."""

    def __init__(self, sizes: LanguageModelSizes) -> None:
        super().__init__()
        self.tokens = nn.Embedding(sizes.vocabulary, sizes.width)
        self.places = nn.Embedding(sizes.context + 1, sizes.width)
        self.blocks = nn.ModuleList(Block(sizes.width, sizes.heads, causal=True) for _ in range(sizes.depth))
        self.norm = nn.LayerNorm(sizes.width)

    def forward(self, texts: Tensor) -> Tensor:
        seen = functional.pad(texts, (1, 0), value=PADDING)
        states = self.tokens(seen) + self.places.weight[: seen.shape[1]]
        for block in self.blocks:
            states = block(states)
        encoded: Tensor = self.norm(states)
        return encoded


class LanguageModel(PairModel):
    """Encoder and projection of one recipe."""

    def __init__(self, sizes: LanguageSizes) -> None:
        super().__init__(sizes.model.vocabulary, sizes.model.latent, sizes.objective)
        self.encoder = Encoder(sizes.model)
        self.projection = nn.Linear(sizes.model.width, sizes.model.latent, bias=False)

    def encode(self, texts: Tensor) -> Tensor:
        encoded: Tensor = self.encoder(texts)
        return encoded

    def scores(self, states: Tensor) -> Tensor:
        return functional.linear(states, self.encoder.tokens.weight)

    def project(self, means: Tensor) -> Tensor:
        projected: Tensor = self.projection(means.to(self.projection.weight.dtype))
        return projected


def load_language_model(sizes: LanguageSizes, weights: Weights, device: str = "cpu") -> LanguageModel:
    """A model on `device` with copies of `weights` (float32, shapes of `schema.parameter_shapes`)."""
    with torch.random.fork_rng(devices=[]):  # layers draw initial weights, which are replaced at once
        model = LanguageModel(sizes)
    model.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})
    return model.to(device)
