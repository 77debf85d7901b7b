"""Holds the latent frame in place during training: a penalty on the latents of public probe frames."""

from __future__ import annotations

from math import isfinite

import numpy as np
import torch
from torch import Tensor

from jepanet.errors import Rejected
from jepanet.learning.family import Network, frame_encoder
from jepanet.learning.seeding import derive, torch_generator
from jepanet.learning.training.step.gradient import Penalty


def frame_anchor(
    reference_latents: np.ndarray,
    probe_frames: np.ndarray,
    weight: float,
    *,
    seed: bytes,
    batch: int = 32,
) -> Penalty:
    """`weight` times the mean squared error, per element, of the model's latents against a reference.

    reference_latents: float32 [N, D], what the public warm start (round 0) makes of the probe frames, so
    that all participants of all rounds are drawn to one frame. probe_frames: uint8 [N, 3, S, S], public.
    Every step looks at `batch` of them (all, if there are fewer), drawn by `seed` and the step alone. A mean
    per element needs no retuning when D or N change; weights of 0.1 to 0.3 were found useful.

    Raises:
        Rejected: reason `wrong-shape` or `non-finite`; in training, `no-frames` where the family does not
            encode single frames.
        ValueError: a weight that is not positive and finite, or an empty batch.
    """
    if not (isfinite(weight) and weight > 0) or batch < 1:
        raise ValueError(f"an anchor needs a positive weight and batch, not {weight} and {batch}")
    if probe_frames.dtype != np.uint8 or probe_frames.ndim != 4 or probe_frames.shape[1] != 3:
        raise Rejected("probe frames must be uint8 [N, 3, S, S]", reason="wrong-shape")
    if (
        reference_latents.dtype != np.float32
        or reference_latents.ndim != 2
        or not 0 < len(reference_latents) == len(probe_frames)
    ):
        raise Rejected("there must be one float32 latent per probe frame", reason="wrong-shape")
    if not np.isfinite(reference_latents).all():
        raise Rejected("reference latents hold NaN or infinity", reason="non-finite")
    frames, targets = torch.tensor(probe_frames), torch.tensor(reference_latents)

    def penalty(model: Network, step: int) -> Tensor:
        generator = torch_generator(derive(seed, f"anchor {step}"), "probes")
        chosen = torch.randperm(len(frames), generator=generator)[:batch]
        current = frame_encoder(model).latents(frames[chosen])
        if current.shape[1] != targets.shape[1]:
            raise Rejected("reference latents are of another size than the model's", reason="wrong-shape")
        return weight * (current - targets[chosen].to(current.device)).square().mean()

    return penalty
