"""The gauge of a model: its latent space may be turned by any orthogonal matrix and predicts as before.

    frames ──encoder──▶ z ──predictor──▶ z'        latents are rows, a rotation R acts from the right
    frames ──encoder──▶ zR ─predictor'─▶ z'R       the same model in another frame

Objective and predictions do not see R, so local training drifts along it, and an average of two models in
different frames is an average of nothing. A participant therefore turns its weights back into the frame of
the base before it forms a delta. Rotations are estimated on latents [N, D] of public frames.

A latent space seldom uses all its directions (a fixed site has a state of two dimensions), and where
latents do not vary no rotation can be read. Singular directions whose cross-covariance falls below a floor
are therefore not fitted: among all orthogonal maps that do what the data says on the others, the one closest
to the identity is taken, which leaves what both frames leave empty where it is.

Linear algebra in float64 by LAPACK: repeatable on one machine, equal up to rounding on another. Nothing
here is part of what verifiers repeat bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np

from jepanet.errors import Rejected
from jepanet.tensors import Arrays

Array = np.ndarray
Weights = Mapping[str, np.ndarray]
Rotate = Callable[[Weights, Array], Arrays]
"""(weights, rotation float64 [D, D]) -> the same model with latents z R instead of z; the family's own."""

CARRIED = 1e-4
"""Share of the largest covariance eigenvalue from which a direction counts as carrying variance."""
FITTED = 1e-4
"""Share of the largest singular value of the cross-covariance from which a direction is fitted."""
LEAST_SHARE = 1 / 16
LEAST_DIRECTIONS = 4
DEAD = 1e-4
"""Mean variance per dimension below which latents are constant; healthy ones have variance near 1."""
_ROUNDING = 1e-5
"""Deviation, as a share of the latents' size, that float32 arithmetic alone can cause."""


class FrameDeficient(Rejected):
    """Latents carry too few directions to define a rotation. Never to be read as a drift of 0 degrees."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="rank-deficient", remedy="more varied probe frames, or a live model")


@dataclass(frozen=True, slots=True)
class Aligned:
    """weights: the local model in the base's frame. rotation: float64 [D, D], local latents to base frame."""

    weights: Arrays
    rotation: Array


@dataclass(frozen=True, slots=True)
class Drift:
    """How far one frame is turned against another, in degrees."""

    rms_degrees: float
    """Root mean square of the principal angles of the directions that carry variance."""
    max_degrees: float
    trace_degrees: float
    """acos((tr R - (D - 2)) / 2), the angle of a rotation in a single plane. It saturates: in D = 256
    a turn of every plane by 10 degrees reads 161, by 10.2 or anything more 180."""
    directions: int
    """How many of D directions the rotation was fitted on."""
    unexplained: float
    """Squared distance that the best rotation leaves, as a share of the current latents' energy."""


def frame(latents: Array, *, least: int | None = None) -> Array:
    """Centred float64 copy of `latents` [N, D], checked to span a frame.

    At least `least` directions (default: the larger of 4 and D / 16, and never more than D) must have a
    variance above `CARRIED` times the largest.

    Raises:
        FrameDeficient: fewer directions, constant or all-zero latents.
        Rejected: reason `non-finite`.
        ValueError: not a matrix.
    """
    centred, _ = _measured(latents, least)
    return centred


def procrustes(source: Array, target: Array, *, floor: float = FITTED, least: int | None = None) -> Array:
    """Orthogonal R, float64 [D, D], minimising ||source R - target||_F over centred latents [N, D].

    Schönemann 1966 (doi:10.1007/BF02289451): R = U V^T of the singular value decomposition
    source^T target = U S V^T. Directions whose singular value is at most `floor` times the largest are not
    fitted; their complement is mapped onto its image by the orthogonal map closest to the identity.

    Raises:
        FrameDeficient: either frame carries too few directions, or they share none.
        Rejected: reason `non-finite`.
        ValueError: shapes differ.
    """
    rotation, _ = _fit(source, target, floor, least)
    return rotation


def align(
    local_weights: Weights,
    base_latents: Array,
    local_latents: Array,
    rotate: Rotate,
    *,
    floor: float = FITTED,
    least: int | None = None,
) -> Aligned:
    """What a participant does before it forms its delta: its model, turned into the frame of the base.

    `rotate` is how the model's family turns its weights. Both latents [N, D] are of the same public frames in
    the same order, by the base and by the local model.
    A rotated clone of the base comes back as the base: every weight within 1e-5 of the largest of its tensor
    when every direction has at least a hundredth of the largest deviation (float32 latents resolve no more).

    Raises:
        FrameDeficient, Rejected, ValueError: as `procrustes` and `rotate`.
    """
    rotation = procrustes(local_latents, base_latents, floor=floor, least=least)
    return Aligned(rotate(local_weights, rotation), rotation)


def principal_angles(rotation: Array) -> Array:
    """Angles of an orthogonal matrix [D, D], in degrees, descending, one per dimension.

    A rotation in a plane counts its angle twice, once for each of the plane's dimensions; a fixed direction
    counts 0 and a reversed one 180.
    """
    spectrum = np.linalg.eigvals(rotation)
    angles: Array = np.sort(np.abs(np.degrees(np.angle(spectrum))))[::-1]
    return angles


def trace_angle(rotation: Array) -> float:
    """acos((tr R - (D - 2)) / 2) in degrees; see `Drift.trace_degrees` for why not to use it."""
    cosine = (float(np.trace(rotation)) - (len(rotation) - 2)) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def drift(reference: Array, current: Array, *, floor: float = FITTED, least: int | None = None) -> Drift:
    """How far latents [N, D] of the same frames have turned from `reference` to `current`.

    The rotation fixes what neither frame uses, so only its largest angles, as many as directions were
    fitted, enter the mean: idle dimensions do not make a frame look stable.

    Raises:
        FrameDeficient, Rejected, ValueError: as `procrustes`.
    """
    rotation, fitted = _fit(reference, current, floor, least)
    angles = principal_angles(rotation)[:fitted]
    before, after = frame(reference, least=least), frame(current, least=least)
    left = float(np.square(before @ rotation - after).sum()) / float(np.square(after).sum())
    rms = float(np.sqrt(np.square(angles).mean()))
    return Drift(rms, float(angles[0]), trace_angle(rotation), fitted, left)


def exceeds(found: Drift, threshold_degrees: float) -> str | None:
    """Why a model's frame has turned too far (rms angle above the threshold), or None.

    Raises:
        ValueError: a threshold outside (0, 180].
    """
    if not 0 < threshold_degrees <= 180:
        raise ValueError(f"a threshold is an angle in (0, 180] degrees, not {threshold_degrees}")
    if found.rms_degrees <= threshold_degrees:
        return None
    return (
        f"latent frame turned by {found.rms_degrees:.1f} degrees rms (at most {found.max_degrees:.1f}) over "
        f"{found.directions} directions, more than {threshold_degrees:g}"
    )


def _measured(latents: Array, least: int | None) -> tuple[Array, int]:
    """Centred latents and the number of directions that carry variance."""
    if latents.ndim != 2 or 0 in latents.shape:
        raise ValueError(f"latents are a matrix [N, D], not {list(latents.shape)}")
    values = latents.astype(np.float64)
    if not np.isfinite(values).all():
        raise Rejected("latents hold NaN or infinity", reason="non-finite")
    size = values.shape[1]
    wanted = min(size, max(LEAST_DIRECTIONS, ceil(LEAST_SHARE * size)) if least is None else least)
    centred = values - values.mean(axis=0)
    variance = float(np.square(centred).mean())
    if variance < max(DEAD, _ROUNDING**2 * float(np.square(values).mean())):
        raise FrameDeficient(f"latents are constant: variance {variance:.3g} per dimension")
    spectrum = np.square(np.linalg.svd(centred, compute_uv=False))
    carried = int((spectrum > CARRIED * spectrum[0]).sum())
    if carried < wanted:
        raise FrameDeficient(f"latents carry {carried} of {size} directions; a frame needs at least {wanted}")
    return centred, carried


def _fit(source: Array, target: Array, floor: float, least: int | None) -> tuple[Array, int]:
    """The rotation of `procrustes`, and on how many directions it was fitted."""
    if source.shape != target.shape:
        raise ValueError(f"frames of different shapes: {list(source.shape)} and {list(target.shape)}")
    (before, _), (after, _) = _measured(source, least), _measured(target, least)
    left, scales, right_rows = np.linalg.svd(before.T @ after)
    energy = float(np.linalg.norm(before) * np.linalg.norm(after))
    if not scales[0] > 1e-12 * energy:
        raise FrameDeficient("the two frames have nothing in common")
    fitted = int((scales > floor * scales[0]).sum())
    right = right_rows.T
    rotation = left[:, :fitted] @ right[:, :fitted].T
    if fitted < len(scales):
        # Polar factor of the identity seen between the two complements: the closest orthogonal map to it.
        turn, _, back = np.linalg.svd(left[:, fitted:].T @ right[:, fitted:])
        rotation += left[:, fitted:] @ (turn @ back) @ right[:, fitted:].T
    return rotation, fitted
