"""How far a part of a training may end from where it ends here, when it was done on another build.

Other builds, instruction sets and numbers of threads round sums otherwise, in the seventh digit. Over a few
steps it stays there, measured against how far the steps went. But Adam divides a gradient by its own size:
one that is nothing but rounding (of a bias that attention takes out again) moves its weight as far as any
other, in any direction. So weights are told apart by the root of the second moment, as it is here:

    steered     above a hundred-thousandth of the usual: nearly all
    noise       below it: a wide bound, and that is what somebody can do with them who wants to
    untouched   zero in a whole row: no gradient ever came (of a word that was not drawn); only decay moves
                them. A single zero is noise: what cancels out here does not on another build

    weights     |theirs - ours| / |ours - where the part begins|, over what is steered
    mean        |theirs - ours| / |ours|, over all first moments
    square      the same over the roots of all second moments
    direction   the same over mean / (root of square + eps), over what is steered: where the next step goes
    noise       what `weights` or, if it is more, `direction` would be over what is noise
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np

from jepanet.errors import Rejected
from jepanet.learning.recipe import Optimiser
from jepanet.learning.training.resuming.state import Parts
from jepanet.tensors import Arrays

_EPS = 1e-8
"""Of AdamW."""
_FLOOR = 1e-5
"""Of the usual root of a second moment: below, gradients are noise. Rows of rare words have a thousandth."""
_DECAYED = 1e-6
"""Of a weight that nothing but decay moves: how far rounding does."""
_ROW = 8
"""Weights of a row at least: a shorter one may cancel out by chance."""
_NOTHING = 1e-15
"""A moment: a ten-millionth of eps. What underflows to zero on one build may not on another."""

FARTHEST = 1e9
"""Of a share of a bound: from here on only that it is too far is said."""


def capped(share: float) -> float:
    """A share of a bound as a finite number: infinity, and what is no number, are `FARTHEST`."""
    return share if share < FARTHEST else FARTHEST


@dataclass(frozen=True, slots=True)
class Distance:
    """Of one end of a part from another, without units; also how large they may be."""

    weights: float
    mean: float
    square: float
    direction: float
    noise: float

    def share(self, bound: Distance) -> tuple[float, str]:
        """The largest of these as a multiple of its bound, `capped`, and which it is."""
        found = zip(astuple(self), astuple(bound), (item.name for item in fields(self)), strict=True)
        return max((capped(mine / limit), name) for mine, limit, name in found)


BOUND = Distance(weights=3e-4, mean=2e-5, square=2e-5, direction=3e-4, noise=0.02)


def distance(before: Parts, ours: Parts, theirs: Parts, rules: Optimiser) -> Distance:
    """Of their end of a part from ours, which both began at `before`. Arrays are those of one training,
    finite and of equal shapes.

    Raises:
        Rejected: `weights` or `optimiser`; counts of steps or weights that nobody trains are others, a square
            is negative, or something moved what no gradient moves.
    """
    trained = [name.removeprefix("mean.") for name in ours["optimiser"] if name.startswith("mean.")]
    if ours["optimiser"]["steps"].tobytes() != theirs["optimiser"]["steps"].tobytes():
        raise Rejected("its optimiser counted other steps", reason="optimiser")
    for name, array in ours["weights"].items():
        if name not in trained and array.tobytes() != theirs["weights"][name].tobytes():
            raise Rejected(f"weight {name} is not trained, and differs", reason="weights")
    start, mine, other = (_flat(parts["weights"], trained) for parts in (before, ours, theirs))
    means, their_means = (_moments(parts, "mean", trained) for parts in (ours, theirs))
    squares, their_squares = (_moments(parts, "square", trained) for parts in (ours, theirs))
    if (their_squares < 0).any():
        raise Rejected("a second moment is negative", reason="optimiser")
    steps = float(ours["optimiser"]["steps"].max())  # all parameters have taken the same
    roots, their_roots = np.sqrt(squares), np.sqrt(their_squares)
    untouched = np.concatenate([_untouched(ours["optimiser"][f"square.{name}"]) for name in trained])
    moved = np.abs(other - mine) > _DECAYED * np.abs(mine) + _NOTHING / _EPS * rules.learning_rate * steps
    pushed = (np.abs(their_means - means) > _NOTHING) | (their_roots > _NOTHING)
    for what, found in (("weights", moved), ("optimiser", pushed)):
        if (untouched & found).any():
            raise Rejected(f"{what} changed where no gradient ever came", reason=what)
    steered = roots > _FLOOR * np.sqrt(np.mean(np.square(roots)))
    went, away = mine - start, other - mine
    # Both moments began at zero, and these make up for it.
    large, wide = 1 - rules.beta1**steps, 1 - rules.beta2**steps
    next_, their_next = (
        mean / large / (root / np.sqrt(wide) + _EPS)
        for mean, root in ((means, roots), (their_means, their_roots))
    )
    turned = their_next - next_
    return Distance(
        weights=_share(away[steered], went),
        mean=_share(their_means - means, means),
        square=_share(their_roots - roots, roots),
        direction=_share(turned[steered], next_),
        noise=max(_share(away[~steered], went), _share(turned[~steered], next_)),
    )


def _untouched(square: np.ndarray) -> np.ndarray:
    """bool, flat: whether all of the row of a weight is zero, of a vector the whole of it."""
    rows = square.reshape(len(square), -1) if square.ndim > 1 else square.reshape(1, -1)
    zero = (rows == 0).all(axis=1) & (rows.shape[1] >= _ROW)
    found: np.ndarray = np.repeat(zero, rows.shape[1])
    return found


def _moments(parts: Parts, kind: str, trained: Sequence[str]) -> np.ndarray:
    return _flat(parts["optimiser"], [f"{kind}.{name}" for name in trained])


def _flat(arrays: Arrays, names: Sequence[str]) -> np.ndarray:
    """All of them one after the other, float64."""
    return np.concatenate([arrays[name].ravel() for name in names]).astype(np.float64)


def _share(part: np.ndarray, whole: np.ndarray) -> float:
    """|part| / |whole|. Of nothing, anything is infinitely far."""
    off, all_ = float(np.linalg.norm(part)), float(np.linalg.norm(whole))
    return off / all_ if all_ else (float("inf") if off else 0.0)
