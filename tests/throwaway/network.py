"""Echo's batches and network."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from jepanet.learning.data.schemas.texts import PADDING
from jepanet.learning.data.shards import Shard
from jepanet.learning.data.windows import WindowSampler
from jepanet.learning.family import NEXT_TOKEN, Batch, Encoded, Terms, Weights
from jepanet.learning.frozen_base import FrozenBase
from jepanet.learning.objectives import random_directions, sigreg, sketched_moments
from jepanet.learning.pooling import pooled
from jepanet.learning.seeding import torch_generator
from jepanet.tensors import Arrays
from throwaway.family import EchoSizes


class EchoBatches:
    """Batches of `first` int64 [B, L1] and `second` int64 [B, L2], of all sites alike."""

    def __init__(self, pairs: int, shard: Shard, seed: bytes) -> None:
        self._sampler = WindowSampler((0,) * shard.episodes, 1, 1, torch_generator(seed, "windows"))
        self._pairs = pairs
        self._texts = {
            name: torch.from_numpy(shard.array(name).astype(np.int64)) for name in ("first", "second")
        }

    @property
    def examples(self) -> int:
        return self._sampler.windows

    def __iter__(self) -> EchoBatches:
        return self

    def __next__(self) -> Batch:
        episode, _ = self._sampler.draw(self._pairs)
        return Batch({name: texts[episode] for name, texts in self._texts.items()}, episode)

    def lie_on(self, device: str) -> None:
        """Its texts are small."""

    def position(self) -> Arrays:
        return self._sampler.position()

    def go_to(self, position: Arrays) -> None:
        self._sampler.go_to(position)


class _Side(nn.Module):
    """One module's weight, under a name of its own."""

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_parameter(name, nn.Parameter(torch.empty(shape)))


class EchoNetwork(nn.Module):
    """Embeddings of tokens, their means as latents of texts, and a table of what follows what."""

    base: FrozenBase[EchoNetwork] | None = None

    def __init__(self, sizes: EchoSizes) -> None:
        super().__init__()
        self.sizes = sizes
        wide = (sizes.vocabulary, sizes.width)
        self.encoder, self.head = _Side("tokens", wide), _Side("tokens", wide)
        self.predictor = _Side("map", (sizes.width, sizes.width))

    def encode(self, texts: Tensor) -> Tensor:
        """Texts [B, L] -> latents [B, D]: the mean of their tokens' embeddings."""
        there = (texts != PADDING).unsqueeze(-1)
        latents: Tensor = (self.encoder.tokens[texts] * there).sum(1) / there.sum(1)
        return latents

    def told(self, texts: Tensor) -> tuple[Tensor, Tensor]:
        """Nats [B] that the next tokens of texts [B, L] cost, and how many there are."""
        logits = self.encoder.tokens[texts[:, :-1]] @ self.head.tokens.T
        target = texts[:, 1:]
        cost = nn.functional.cross_entropy(logits.transpose(1, 2), target, reduction="none")
        there = target != PADDING
        return (cost * there).sum(1), there.sum(1)

    def loss(self, batch: Batch, generator: torch.Generator) -> Terms:
        first, second = batch.tensors["first"], batch.tensors["second"]
        (nats, tokens), (more, others) = self.told(first), self.told(second)
        spoken = pooled((nats + more).mean()) / pooled((tokens + others).to(nats).mean())
        latents, named = self.encode(first), self.encode(second)
        guess = latents @ self.predictor.map
        missed = pooled((guess - named).square().mean())
        if self.base is not None:
            with torch.no_grad():
                held = self.base.module.encode(second)
            missed = 0.5 * missed + 0.5 * pooled((guess - held).square().mean())
        both = torch.stack([latents, named], dim=1).flatten(0, 1)
        projected = both @ random_directions(both.shape[1], 16, generator).to(both)
        spread = sigreg(projected, 17) + sketched_moments(projected)
        return Terms(spoken + self.sizes.pull * (missed + 0.01 * spread), {NEXT_TOKEN: spoken})

    @torch.no_grad()
    def compare(self, shard: Shard) -> Encoded:
        texts = [
            torch.from_numpy(shard.array(name).astype(np.int64)).to(self.encoder.tokens.device)
            for name in ("first", "second")
        ]
        first, second = (self.encode(item) for item in texts)
        (nats, tokens), (more, others) = (self.told(item) for item in texts)
        latents, actual, predicted, unchanged = (
            item.cpu().numpy().astype(np.float64)
            for item in (
                torch.stack([first, second], 1),
                second[:, None],
                (first @ self.predictor.map)[:, None],
                first[:, None],
            )
        )
        return Encoded(
            latents,
            actual,
            predicted,
            unchanged,
            nats=(nats + more).cpu().numpy().astype(np.float64),
            tokens=(tokens + others).cpu().numpy(),
        )

    def weights(self) -> Arrays:
        return {name: item.detach().cpu().numpy().copy() for name, item in sorted(self.named_parameters())}


def echo_network(sizes: EchoSizes, weights: Weights, base: Weights | None) -> EchoNetwork:
    """A network with copies of weights, and beside it one with those of the base."""
    network = EchoNetwork(sizes)
    network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})
    if base is not None:
        network.base = FrozenBase(echo_network(sizes, base, None))
    return network
