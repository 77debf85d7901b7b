"""Statistics of latents in float64 numpy: every one is defined, and earns nothing, for dead latents.

Latents are [E, T, D]: E episodes of T frames. Ratios carry an absolute floor, since 0/0 is how a constant
encoder would look perfect.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

Array = np.ndarray
FLOOR = 1e-4
"""Latent variance below which there is nothing to predict; healthy latents have variance near 1."""
_TINY = 1e-12
_WAVE_ROWS = 64
"""Latents at a time, so that what is computed of them stays in the cache."""


def floored_ratio(error: float, scale: float) -> float:
    """error / scale, tending to 1 when both vanish."""
    return (error + FLOOR) / (scale + FLOOR)


def total_variance(latents: Array) -> float:
    """Mean over dimensions of the variance over all frames."""
    return float(latents.reshape(-1, latents.shape[-1]).var(axis=0).mean())


def effective_rank(latents: Array) -> float:
    """Exponential of the entropy of the covariance spectrum (Roy & Vetterli 2007), from 0 to D.

    Eigenvalues below 1e-6 of the largest count as none, and so do all of them when the largest is below
    1e-12: an absolute floor alone would read full rank for all-zero latents.
    """
    flat = latents.reshape(-1, latents.shape[-1])
    centred = flat - flat.mean(axis=0)
    spectrum = np.linalg.eigvalsh(centred.T @ centred / len(flat))
    largest = float(spectrum[-1])
    if largest < _TINY:
        return 0.0
    kept = spectrum[spectrum > 1e-6 * largest]
    share = kept / kept.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def within_episode(values: Array) -> Array:
    """`values` [E, T, D] less the mean of each episode: what is static in an episode counts for nothing."""
    centred: Array = values - values.mean(axis=1, keepdims=True)
    return centred


def predictive_information(targets: Array, guesses: Array, epsilon: float = 0.02) -> float:
    """Nats per dimension by which guesses reduce uncertainty about targets, both [E, T, D].

    Half the log-determinant of the targets' within-episode covariance over that of the residual, per
    dimension, both regularised by `epsilon` times the mean target variance plus an absolute floor. Rotations
    change nothing; slow features earn nothing because only variation within episodes counts.
    """
    dimensions = int(targets.shape[-1])
    signal = within_episode(targets).reshape(-1, dimensions)
    residual = (targets - guesses).reshape(-1, dimensions)
    spread = signal.T @ signal / len(signal)
    error = residual.T @ residual / len(residual)
    ridge = (epsilon * float(np.trace(spread)) / dimensions + FLOOR) * np.eye(dimensions)
    before, after = np.linalg.slogdet(spread + ridge)[1], np.linalg.slogdet(error + ridge)[1]
    reduction: float = float(before - after)
    return reduction / (2 * dimensions)


def sigreg_value(latents: Array, knots: int, batch: int, directions: int = 256) -> float:
    """The training objective's SIGReg of all latents [E, T, D], along fixed directions.

    Scaled to a batch of `batch` latents, so values compare with those seen in training. The points lie at
    equal distances, so that the wave exp(i t x) at each is the one before times that at the first: one sine
    and cosine a projection, not one a point. They differ by a few units of the last place.
    """
    flat = latents.reshape(-1, latents.shape[-1])
    drawn = np.random.Generator(np.random.PCG64(20_26)).standard_normal((flat.shape[1], directions))
    drawn /= np.linalg.norm(drawn, axis=0)
    points = np.linspace(0.0, 3.0, knots)
    spacing = np.full(knots, 6.0 / (knots - 1))
    spacing[[0, -1]] /= 2
    sums = np.zeros((knots, directions), dtype=np.complex128)
    sums[0] = len(flat)
    for start in range(0, len(flat), _WAVE_ROWS):
        angles = flat[start : start + _WAVE_ROWS] @ drawn
        angles *= points[1]
        first = np.cos(angles) + 1j * np.sin(angles)
        wave = first.copy()
        for knot in range(1, knots):
            sums[knot] += wave.sum(axis=0)
            wave *= first
    mean, normal = sums / len(flat), np.exp(-0.5 * points * points)
    apart = ((mean.real - normal[:, None]) ** 2 + mean.imag**2).mean(axis=1)
    return batch * float((spacing * normal * apart).sum())


def ridge_map(features: Array, targets: Array, ridge: float) -> Array:
    """Weights [F, K] of a ridge regression of targets [N, K] on features [N, F], neither with an intercept.

    The penalty is `ridge` times the features' mean eigenvalue, so that rescaling all features by one factor
    changes nothing; features that are all zero get zero weights.
    """
    gram = features.T @ features / len(features)
    scale = float(np.trace(gram)) / len(gram)
    if not scale > _TINY:
        return np.zeros((features.shape[1], targets.shape[1]))
    penalised = gram / scale + ridge * np.eye(len(gram))
    weights: Array = np.linalg.solve(penalised, features.T @ targets / (len(features) * scale))
    return weights


def halves(site: tuple[int, ...]) -> Array:
    """Splits episodes in two, every site alike: int64 [E] of 0 and 1, alternating within each site."""
    seen: dict[int, int] = {}
    side = np.zeros(len(site), dtype=np.int64)
    for index, number in enumerate(site):
        side[index] = seen.get(number, 0) % 2
        seen[number] = seen.get(number, 0) + 1
    return side


def probe_r2(latents: Array, state: Array, site: tuple[int, ...], ridge: float = 1e-4) -> float:
    """R^2 of reading the simulator's state [E, T, K] from latents by ridge, fitted on other episodes.

    Cross-fitted by halves of episodes, mean over state dimensions, at least -1; 0 for dead latents.
    """
    side = halves(site)
    residual, total = np.zeros(state.shape[-1]), np.zeros(state.shape[-1])
    for half in (0, 1):
        fit, score = side != half, side == half
        if not fit.any() or not score.any():
            continue
        known, seen = rows(state[fit]), rows(latents[fit])
        middle, offset = known.mean(axis=0), seen.mean(axis=0)
        weights = ridge_map(seen - offset, known - middle, ridge)
        truth = rows(state[score]) - middle
        error = truth - (rows(latents[score]) - offset) @ weights
        residual += (error**2).sum(axis=0)
        total += (truth**2).sum(axis=0)
    return max(-1.0, float(np.mean(1.0 - residual / np.maximum(total, _TINY)))) if total.all() else 0.0


def stratified(values: Array, site: tuple[int, ...]) -> tuple[float, float, dict[int, float]]:
    """Mean over sites of per-site means of `values` [E], its standard error, and the per-site means.

    Sites weigh the same however many episodes they have; the error comes from variation within sites.

    Raises:
        ValueError: a site with one value, whose variation is unknown.
    """
    numbers = np.asarray(site)
    means: dict[int, float] = {}
    variance = 0.0
    for number in sorted(set(site)):
        here = values[numbers == number]
        if len(here) < 2:
            raise ValueError(f"site {number} has one episode: its variation is unknown")
        means[number] = float(here.mean())
        variance += float(here.var(ddof=1)) / len(here)
    count = len(means)
    return float(np.mean(list(means.values()))), sqrt(variance) / count, means


def ratio_influence(parts: Array, sizes: Array) -> Array:
    """Values [N] whose mean is the ratio of sums, sum(parts) / sum(sizes), and whose variation over N is that
    of the ratio to first order (delta method): what each part departs from its share, over the mean size."""
    ratio = parts.sum() / sizes.sum()
    influence: Array = ratio + (parts - ratio * sizes) / sizes.mean()
    return influence


def rows(values: Array) -> Array:
    """[..., D] -> [N, D]."""
    return values.reshape(-1, values.shape[-1])
