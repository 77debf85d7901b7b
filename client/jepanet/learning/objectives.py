"""Parts that objectives are made of: random directions, SIGReg and a guard against its dead zones, VISReg.

Their statistics are those of the whole batch, wherever its rows lie (`pooling.py`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from jepanet.learning.pooling import all_rows, pooled, pooled_rows


def random_directions(dimensions: int, count: int, generator: torch.Generator) -> Tensor:
    """`count` random unit vectors, as columns of a float32 [dimensions, count] matrix."""
    drawn = torch.randn(dimensions, count, generator=generator)
    unit: Tensor = drawn / drawn.norm(dim=0, keepdim=True)
    return unit


def sigreg(projected: Tensor, knots: int) -> Tensor:
    """Distance of 1-D projections [N, M] from the standard normal law, mean over the M directions.

    The Epps-Pulley statistic of LeJEPA (Balestriero & LeCun 2025): N times the weighted squared distance
    between the empirical and the normal characteristic function, by the trapezoid rule on [0, 3], doubled
    because the integrand is even.
    """
    points = torch.linspace(0.0, 3.0, knots, device=projected.device, dtype=projected.dtype)
    normal = torch.exp(-0.5 * points.square())
    spacing = torch.full_like(points, 6.0 / (knots - 1))
    spacing[0] /= 2
    spacing[-1] /= 2
    angles = projected.unsqueeze(-1) * points
    real, imaginary = pooled(angles.cos().mean(dim=0)), pooled(angles.sin().mean(dim=0))
    distance = ((real - normal).square() + imaginary.square()) @ (spacing * normal)
    statistic: Tensor = pooled_rows(projected.shape[0]) * distance.mean()
    return statistic


def sketched_moments(projected: Tensor) -> Tensor:
    """Mean over directions of mean^2 + (deviation - 1)^2 for projections [N, M].

    SIGReg's gradient vanishes at collapse and for far outliers; this one does not, and like SIGReg it is
    invariant in expectation under rotations of the latent space.
    """
    mean = pooled(projected.mean(dim=0))
    deviation = pooled((projected - mean).square().mean(dim=0)).add(1e-6).sqrt()
    return (mean.square() + (deviation - 1.0).square()).mean()


def visreg(latents: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """(scale, shape) of latents [N, D]: how far they are from a standard normal law, in two parts.

    VISReg (arXiv:2606.02572). Scale: mean over dimensions of mean^2 + (deviation - 1)^2. Shape: the latents
    are centred and divided by their deviations, through which no gradient goes, and projected on the columns
    of `directions` [D, M]; mean of the squared distances between each direction's N numbers, in order, and
    the normal law's quantiles k / (N + 1). Neither gradient vanishes at collapse.
    """
    mean = pooled(latents.mean(dim=0))
    centred = latents - mean
    deviation = pooled(centred.square().mean(dim=0)).add(1e-12).sqrt()
    scale = (mean.square() + (deviation - 1.0).square()).mean()
    projected = all_rows((centred / deviation.detach()) @ directions)
    rows = projected.shape[0]
    places = torch.arange(1, rows + 1, device=projected.device, dtype=projected.dtype) / (rows + 1)
    quantiles = torch.special.ndtri(places)
    return scale, (projected.sort(dim=0).values - quantiles.unsqueeze(1)).square().mean()
