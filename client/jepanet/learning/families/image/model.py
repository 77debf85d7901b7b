"""A joint-embedding predictive model of images (I-JEPA; Assran et al. 2023, arXiv:2301.08243).

    image ──encoder──▶ tokens z ───────────────────────────────▶ targets: z at the hidden blocks, and what the
    seen patches ──encoder──▶ predictor(+ places of the hidden) ─▶ guesses      round's base makes of them

There is no class token and no moving average of weights: SIGReg on centred tokens prevents collapse, and
half of the target is what the encoder of the round's base makes of the image, which nobody moves.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from jepanet.learning.data.shards import Shard
from jepanet.learning.families.image.masks import draw_masks
from jepanet.learning.families.image.objective import image_objective
from jepanet.learning.families.image.sizes import ImageModelSizes, ImageSizes
from jepanet.learning.family import Batch, Encoded, Terms, Weights
from jepanet.learning.frozen_base import FrozenBase
from jepanet.learning.seeding import torch_generator
from jepanet.learning.transformer.block import Block, gathered
from jepanet.learning.transformer.shapes import place_codes
from jepanet.tensors import Arrays

_IMAGES = 64
"""Images encoded at once when a shard is compared, where its widest layer has no more than `_NUMBERS`."""
_NUMBERS = 1 << 26
_FIXED = b"masks of the image score"


class Encoder(nn.Module):
    """Patches [B, N, 3 * P * P] at places [B, N], or at all of them in order -> tokens [B, N, D]."""

    def __init__(self, sizes: ImageModelSizes) -> None:
        super().__init__()
        self.register_buffer(
            "places", torch.from_numpy(place_codes(sizes.side, sizes.width)), persistent=False
        )
        self.patch = nn.Linear(3 * sizes.patch**2, sizes.width)
        self.blocks = nn.ModuleList(Block(sizes.width, sizes.heads) for _ in range(sizes.depth))
        self.norm = nn.LayerNorm(sizes.width)
        self.head = nn.Linear(sizes.width, sizes.latent)

    def forward(self, patches: Tensor, places: Tensor | None = None) -> Tensor:
        codes: Tensor = self.places  # type: ignore[assignment]
        tokens = self.patch(patches) + (codes if places is None else codes[places])
        for block in self.blocks:
            tokens = block(tokens)
        encoded: Tensor = self.head(self.norm(tokens))
        return encoded


class Predictor(nn.Module):
    """Seen tokens [B, C, D] at places [B, C] -> guesses [B, K, D] of the tokens at `wanted` [B, K]."""

    def __init__(self, sizes: ImageModelSizes) -> None:
        super().__init__()
        width = sizes.predictor_width
        self.register_buffer("places", torch.from_numpy(place_codes(sizes.side, width)), persistent=False)
        self.enter = nn.Linear(sizes.latent, width)
        self.hidden = nn.Parameter(torch.zeros(width))
        self.blocks = nn.ModuleList(Block(width, sizes.predictor_heads) for _ in range(sizes.predictor_depth))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, sizes.latent)

    def forward(self, seen: Tensor, places: Tensor, wanted: Tensor) -> Tensor:
        codes: Tensor = self.places  # type: ignore[assignment]
        known = self.enter(seen) + codes[places]
        tokens = torch.cat([known, (self.hidden + codes[wanted]).to(known.dtype)], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        guesses: Tensor = self.leave(self.norm(tokens[:, places.shape[1] :]))
        return guesses


class ImageModel(nn.Module):
    """Encoder and predictor of one recipe, with their loss and what the score compares."""

    def __init__(self, sizes: ImageSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.encoder = Encoder(sizes.model)
        self.predictor = Predictor(sizes.model)
        self.base: FrozenBase[Encoder] | None = None
        """The encoder of the round's base; None where there is none: own tokens are then the whole target."""

    def loss(self, batch: Batch, generator: torch.Generator) -> Terms:
        """Loss of the images of a batch (`batches.py`)."""
        patches = self._patches(batch.tensors["images"])
        places, wanted = batch.tensors["context"], batch.tensors["targets"]
        tokens = self.encoder(patches)
        guesses = self.predictor(self.encoder(gathered(patches, places), places), places, wanted)
        own, held = gathered(tokens, wanted), None
        if self.base is not None:
            with torch.no_grad():
                held = gathered(self.base.module(patches), wanted)
        return image_objective(tokens, guesses, own, held, self.sizes.objective, generator)

    def compare(self, shard: Shard) -> Encoded:
        """Tokens of all places; those at the targets of fixed masks, guesses of them from what these leave
        to be seen, and the mean of what is seen as a guess that nothing changes.

        Latents are less their mean at each place and less that of their image, as the objective's statistics.
        """
        images = shard.array("images")
        many = self._at_once()
        found = [self._compared(images[first : first + many]) for first in range(0, len(images), many)]
        latents, actual, predicted, unchanged = (
            np.concatenate(column).astype(np.float64) for column in zip(*found, strict=True)
        )
        latents -= latents.mean(axis=0)
        latents -= latents.mean(axis=1, keepdims=True)
        return Encoded(latents, actual, predicted, unchanged)

    def _at_once(self) -> int:
        """Images whose widest layer and attention of every place to every other fit into `_NUMBERS`."""
        sizes = self.sizes.model
        width, heads = max(sizes.width, sizes.predictor_width), max(sizes.heads, sizes.predictor_heads)
        return max(1, min(_IMAGES, _NUMBERS // (sizes.tokens * (8 * width + heads * sizes.tokens))))

    @torch.inference_mode()
    def _compared(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        patches = self._patches(torch.tensor(images).to(self._device))
        tokens = self.encoder(patches)
        actual, predicted, unchanged = [], [], []
        for drawn in self._fixed_masks():
            places, wanted = (item.expand(len(images), -1) for item in drawn)
            seen = self.encoder(gathered(patches, places), places)
            actual.append(gathered(tokens, wanted))
            predicted.append(self.predictor(seen, places, wanted))
            unchanged.append(seen.mean(dim=1, keepdim=True).expand_as(actual[-1]))
        columns = ([tokens], actual, predicted, unchanged)
        return tuple(torch.cat(column, dim=1).float().cpu().numpy() for column in columns)

    def _fixed_masks(self) -> list[tuple[Tensor, Tensor]]:
        """Context and targets, [1, C] and [1, K], the same for every image and every model of these sizes."""
        generator = torch_generator(_FIXED, "masks")
        sizes = self.sizes
        drawn = [draw_masks(sizes.masks, sizes.model.side, 1, generator) for _ in range(sizes.draws)]
        return [(item.context.to(self._device), item.targets.to(self._device)) for item in drawn]

    def weights(self) -> Arrays:
        """The parameters as float32 arrays, in ascending name order."""
        state = self.state_dict()
        return {name: state[name].detach().cpu().numpy().copy() for name in sorted(state)}

    def _patches(self, images: Tensor) -> Tensor:
        """uint8 [B, 3, S, S] -> [B, N, 3 * P * P] around 0, in the type of the weights."""
        side, patch = self.sizes.model.side, self.sizes.model.patch
        grid = images.view(-1, 3, side, patch, side, patch).permute(0, 2, 4, 1, 3, 5)
        flat = grid.reshape(-1, side * side, 3 * patch * patch).to(self.encoder.head.weight.dtype)
        return flat.sub_(127.5).div_(64.0)

    @property
    def _device(self) -> torch.device:
        return self.encoder.head.weight.device


def load_image_model(
    sizes: ImageSizes, weights: Weights, device: str = "cpu", base: Weights | None = None
) -> ImageModel:
    """A model on `device` with copies of `weights` (float32, shapes of `schema.parameter_shapes`), whose loss
    holds on to the encoder of `base`."""
    with torch.random.fork_rng(devices=[]):  # layers draw initial weights, which are replaced at once
        model = ImageModel(sizes)
        held = None if base is None else Encoder(sizes.model)
    model.load_state_dict(_tensors(weights, ""))
    if held is not None and base is not None:
        held.load_state_dict(_tensors(base, "encoder."))
        model.base = FrozenBase(held.to(device))
    return model.to(device)


def _tensors(weights: Weights, prefix: str) -> dict[str, Tensor]:
    """Copies of the arrays whose names start with `prefix`, by the rest of the name."""
    return {
        name.removeprefix(prefix): torch.from_numpy(np.array(array))
        for name, array in weights.items()
        if name.startswith(prefix)
    }
