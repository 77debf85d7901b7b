"""An action-conditioned joint-embedding world model (JEPA; LeCun 2022), small enough for a CPU.

    frame t-1 ──encoder──▶ z[t-1] ─┐
    frame t   ──encoder──▶ z[t]  ──┼─▶ z[t] + MLP(z[t-1], z[t], a[t-1], a[t])  =  guess of z[t+1]
    actions   ─────────────────────┘

Where a recipe has one, a vision transformer (`vision.py`) encodes in place of the convolutions here, and a
transformer (`attending.py`) predicts in place of the MLP.

Both sides of the prediction error carry gradients: there is no target network and no stop-gradient;
the objective's regulariser (`objective.py`) is what prevents collapse.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from jepanet.learning.data.shards import Shard
from jepanet.learning.families.world.attending import AttendingPredictor
from jepanet.learning.families.world.objective import world_objective
from jepanet.learning.families.world.schema import KERNEL, PATCH, widest_of_a_frame
from jepanet.learning.families.world.sizes import ModelSizes, WorldSizes
from jepanet.learning.families.world.vision import VisionEncoder
from jepanet.learning.family import Batch, Encoded, Terms
from jepanet.tensors import Arrays

_EPISODES = 4
"""Episodes encoded at once when a shard is compared, where their frames and the widest layer of them have no
more than `_NUMBERS`."""
_NUMBERS = 1 << 27


class Encoder(nn.Module):
    """Normalised frames [N, 3, S, S] -> latents [N, D]."""

    def __init__(self, sizes: ModelSizes) -> None:
        super().__init__()
        one, two, three = sizes.channels
        cells = (sizes.image // (4 * PATCH)) ** 2
        self.patch = nn.Conv2d(3, one, PATCH, stride=PATCH)
        self.second = nn.Conv2d(one, two, KERNEL, stride=2, padding=1)
        self.third = nn.Conv2d(two, three, KERNEL, stride=2, padding=1)
        self.project = nn.Linear(three * cells, sizes.hidden)
        self.norm = nn.LayerNorm(sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.latent)

    def forward(self, frames: Tensor) -> Tensor:
        grid = functional.gelu(self.patch(frames))
        grid = functional.gelu(self.second(grid))
        grid = functional.gelu(self.third(grid))
        latents: Tensor = self.head(functional.gelu(self.norm(self.project(grid.flatten(1)))))
        return latents


class Predictor(nn.Module):
    """Two latents [..., D] and two actions [..., A] -> the next latent [..., D], as a change of the last."""

    def __init__(self, sizes: ModelSizes) -> None:
        super().__init__()
        self.enter = nn.Linear(2 * (sizes.latent + sizes.actions), sizes.predictor)
        self.middle = nn.Linear(sizes.predictor, sizes.predictor)
        self.leave = nn.Linear(sizes.predictor, sizes.latent)

    def forward(self, before: Tensor, now: Tensor, acted: Tensor, acting: Tensor) -> Tensor:
        hidden = functional.gelu(self.enter(torch.cat([before, now, acted, acting], dim=-1)))
        change: Tensor = self.leave(functional.gelu(self.middle(hidden)))
        return now + change


class WorldModel(nn.Module):
    """Encoder and predictor of one recipe, with their loss and what the score compares."""

    def __init__(self, sizes: WorldSizes) -> None:
        super().__init__()
        model = sizes.model
        self.objective = sizes.objective
        self.widest = widest_of_a_frame(model)
        self.encoder = VisionEncoder(model, model.vit) if model.vit else Encoder(model)
        self.predictor = (
            AttendingPredictor(model, model.transformer) if model.transformer else Predictor(model)
        )

    def encode(self, frames: Tensor) -> Tensor:
        """Normalised frames [B, T, 3, S, S] -> latents [B, T, D], in the type of the weights."""
        batch, length = frames.shape[:2]
        latents: Tensor = self.encoder(frames.flatten(0, 1).to(self.encoder.head.weight.dtype))
        return latents.view(batch, length, -1)

    def predict(self, latents: Tensor, actions: Tensor) -> Tensor:
        """Latents [B, T, D] and actions [B, T-1, A] -> guesses [B, T-2, D] of latents[:, 2:]."""
        guesses: Tensor = self.predictor(latents[:, :-2], latents[:, 1:-1], actions[:, :-1], actions[:, 1:])
        return guesses

    def loss(self, batch: Batch, generator: torch.Generator) -> Terms:
        """Loss of the windows of a batch (`batches.py`)."""
        seen = batch.tensors
        latents = self.encode(normalise(seen["frames"], seen.get("colour")))
        guesses = self.predict(latents, seen["actions"])
        return world_objective(latents, guesses, self.objective, generator)

    def compare(self, shard: Shard) -> Encoded:
        """Latents of all frames; guesses of frames 2, 3, ...; the frame before as a guess."""
        latents: list[np.ndarray] = []
        guesses: list[np.ndarray] = []
        with torch.inference_mode():
            for first in range(0, shard.episodes, _EPISODES):
                part = slice(first, first + _EPISODES)
                seen = self._encoded(shard.frames[part])
                guessed = self.predict(seen, self._here(shard.actions[part]))
                latents.append(seen.cpu().numpy().astype(np.float64))
                guesses.append(guessed.cpu().numpy().astype(np.float64))
        return one_step_ahead(np.concatenate(latents), np.concatenate(guesses))

    def _encoded(self, frames: np.ndarray) -> Tensor:
        """Latents [B, T, D] of uint8 frames [B, T, 3, S, S]: a stranger's episodes may be of any length."""
        many = max(1, _NUMBERS // self.widest)
        if frames.shape[0] * frames.shape[1] <= many:
            return self.encode(normalise(self._here(frames)))
        flat = frames.reshape(1, -1, *frames.shape[2:])
        parts = (flat[:, first : first + many] for first in range(0, flat.shape[1], many))
        found = torch.cat([self.encode(normalise(self._here(part))) for part in parts], dim=1)
        return found.view(*frames.shape[:2], -1)

    def latents(self, frames: Tensor) -> Tensor:
        """uint8 frames [N, 3, S, S] -> latents [N, D]."""
        encoded: Tensor = self.encoder(normalise(frames.to(self._device)))
        return encoded

    def step(self, before: Tensor, now: Tensor, acted: Tensor, acting: Tensor) -> Tensor:
        """Two latents [M, D] and the actions [M, A] after each -> the next latent [M, D]."""
        following: Tensor = self.predictor(before, now, acted, acting)
        return following

    def weights(self) -> Arrays:
        """The parameters as float32 arrays, in ascending name order."""
        state = self.state_dict()
        return {name: state[name].detach().cpu().numpy().copy() for name in sorted(state)}

    def _here(self, array: np.ndarray) -> Tensor:
        return torch.tensor(array).to(self._device)

    @property
    def _device(self) -> torch.device:
        return self.encoder.head.weight.device


def load_world_model(sizes: WorldSizes, weights: Mapping[str, np.ndarray], device: str = "cpu") -> WorldModel:
    """A model on `device` with copies of `weights` (float32, shapes of `schema.parameter_shapes`)."""
    with torch.random.fork_rng(devices=[]):  # layers draw initial weights, which are replaced at once
        model = WorldModel(sizes)
    model.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})
    return model.to(device)


def one_step_ahead(latents: np.ndarray, guesses: np.ndarray) -> Encoded:
    """Latents [E, T, D] with guesses [E, T-2, D] of latents[:, 2:]; unchanged: latents[:, 1:-1]."""
    return Encoded(latents, actual=latents[:, 2:], predicted=guesses, unchanged=latents[:, 1:-1])


Colour = Tensor
"""A linear map of colours: float32 [3, 3], out of in."""


def normalise(frames: Tensor, colour: Colour | None = None) -> Tensor:
    """uint8 frames [..., 3, S, S] -> float32 with channel means removed and unit deviation per image.

    `colour` maps the centred channels of every frame alike, before the deviation is taken: appearance that
    one transform changes at will is nothing an encoder can predict from.
    """
    pixels = frames.to(torch.float32).flatten(-2)
    pixels -= pixels.mean(dim=-1, keepdim=True)
    if colour is not None:
        with torch.autocast(pixels.device.type, enabled=False):
            pixels = colour @ pixels
    variance = torch.linalg.vector_norm(pixels, dim=-1, keepdim=True).square() / pixels.shape[-1]
    deviation = variance.mean(dim=-2, keepdim=True).add(1e-4).sqrt()
    return pixels.div_(deviation).view(frames.shape)
