"""A causal language model of pairs of texts: what it reads of a text, its loss, what the score compares.

    text ──encode──▶ hidden states ──scores──▶ next token
                         └── mean over the text ──project──▶ latent, of unit length

Token 0 is the border of a text: it begins every one, and is what has to be predicted behind its last token.
Both texts of a pair go through the same weights, each by itself; the model is its own predictor. A family
says what encodes, scores and projects; nothing trains what projects.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from jepanet.learning.data.schemas.texts import PADDING, tokens_of
from jepanet.learning.data.shards import Shard
from jepanet.learning.family import Batch, Encoded, Terms
from jepanet.learning.text_pairs.batches import twins
from jepanet.learning.text_pairs.objective import pair_objective
from jepanet.learning.text_pairs.sizes import PairObjective
from jepanet.learning.text_pairs.telling import Together, told_at_best
from jepanet.tensors import Arrays

_PAIRS = 64
"""Pairs that are told from each other when a shard is compared."""
_SCORES = 1 << 26
"""Scores of tokens that are held at once meanwhile: 256 MiB. A recipe's vocabulary and a stranger's texts are
long together, and no batch size bounds what is compared."""


class PairModel(nn.Module):
    """`vocabulary` tokens to choose from, latents of `latent` dimensions."""

    def __init__(self, vocabulary: int, latent: int, objective: PairObjective) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.latent = latent
        self.objective = objective

    def encode(self, texts: Tensor) -> Tensor:
        """Texts int64 [B, L] -> hidden states [B, L + 1, W]: before the first token, and after each."""
        raise NotImplementedError

    def numbers(self, texts: Tensor) -> Tensor:
        """Tokens of shards, int64 of any shape, by the numbers that `scores` has for them."""
        return texts

    def scores(self, states: Tensor) -> Tensor:
        """Hidden states [N, W] -> scores of every token [N, V]."""
        raise NotImplementedError

    def project(self, means: Tensor) -> Tensor:
        """Means of hidden states [B, W] -> [B, D]."""
        raise NotImplementedError

    def loss(self, batch: Batch, generator: torch.Generator) -> Terms:
        """Loss of the pairs of a batch (`batches.py`). Nothing in it is drawn at random."""
        seen = batch.tensors
        (nats, first), (others, second) = self.read(seen["first"]), self.read(seen["second"])
        tokens = predicted(seen["first"]) + predicted(seen["second"])
        return pair_objective(nats + others, tokens, (first, second), seen["twins"], self.objective)

    def read(self, texts: Tensor) -> tuple[Tensor, Tensor]:
        """Texts int64 [B, L] -> what their next tokens cost, in nats [B], and unit latents [B, D], both
        float32 at least, whatever the networks multiply in."""
        states = self.encode(texts)
        inside = texts != PADDING
        asked = functional.pad(inside, (1, 0), value=True)
        wanted = self.numbers(functional.pad(texts, (0, 1), value=PADDING))
        scores = self.scores(states[asked])
        with torch.autocast(scores.device.type, enabled=False):
            kind = torch.promote_types(scores.dtype, torch.float32)
            lost = functional.cross_entropy(scores.to(kind), wanted[asked], reduction="none")
            nats = torch.zeros(asked.shape, dtype=kind, device=asked.device).masked_scatter(asked, lost)
            after = inside.unsqueeze(-1).to(kind)
            mean = (states[:, 1:].to(kind) * after).sum(dim=1) / after.sum(dim=1)
            latents = functional.normalize(self.project(mean), dim=-1)
        return nats.sum(dim=1), latents.to(kind)

    def compare(self, shard: Shard) -> Encoded:
        """Latents of both texts, of length sqrt(D); that of the second, that of the first as its prediction,
        and that of another pair's second text as a guess that reads nothing. Pairs are told from the others
        of the 64 that stand together in the shard, at the temperature that suits the model best."""
        texts = [shard.array(name).astype(np.int64) for name in ("first", "second")]
        nats, parts, latents = np.zeros(shard.episodes), [], []
        tokens = np.array([tokens_of(item) + 1 for item in texts]).sum(axis=0)
        with torch.inference_mode():
            for start in range(0, shard.episodes, _PAIRS):
                part = slice(start, start + _PAIRS)
                given = [torch.from_numpy(item[part]).to(self._device) for item in texts]
                read = [self._read_in_parts(item) for item in given]
                one, other = (latent.double() for _, latent in read)
                same = twins(*(item.cpu() for item in given)).to(one.device)
                parts.append(Together(one, other, same))
                nats[part] = sum(lost.cpu().numpy().astype(np.float64) for lost, _ in read)
                latents.append(torch.stack([latent for _, latent in read], dim=1).cpu().numpy())
            told, _ = told_at_best(parts)
        both = np.concatenate(latents).astype(np.float64) * self.latent**0.5
        first, second = both[:, :1], both[:, 1:]
        others = np.roll(second, 1, axis=0)
        return Encoded(both, second, first, unchanged=others, nats=nats, tokens=tokens, told=told)

    def _read_in_parts(self, texts: Tensor) -> tuple[Tensor, Tensor]:
        """As `read`, of as many texts at a time as have at most `_SCORES` scores, of one at least."""
        rows = max(1, _SCORES // ((texts.shape[1] + 1) * self.vocabulary))
        nats, latents = zip(*(self.read(part) for part in torch.split(texts, rows)), strict=True)
        return torch.cat(nats), torch.cat(latents)

    def weights(self) -> Arrays:
        """The parameters as float32 arrays, in ascending name order."""
        found = dict(self.named_parameters())
        return {name: found[name].detach().cpu().numpy().copy() for name in sorted(found)}

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device


def predicted(texts: Tensor) -> Tensor:
    """How many tokens of texts [B, L] have to be predicted: int64 [B], each of its own and the border."""
    return (texts != PADDING).sum(dim=1) + 1
