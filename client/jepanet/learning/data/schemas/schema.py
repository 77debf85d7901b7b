"""What a kind of data says of itself: its arrays, their shapes, and what of them training and checks read.

    arrays = {"images": Form(np.uint8, ("E", 3, "S", "S")), "labels": Form(np.int32, ("E", "L"))}

A letter is a size that is one and the same wherever it stands; `T-1` is one less than `T`. E counts episodes
and is the first axis of every array: an episode is what is sampled, split into halves, held out of training,
and counted by standard errors, whether it is a walk through rooms, a picture or a pair of texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from jepanet.errors import Rejected

Given = Mapping[str, np.ndarray]
"""Arrays by name."""


@dataclass(frozen=True, slots=True)
class Form:
    """Type and axes of one array."""

    dtype: type[np.generic]
    axes: tuple[str | int, ...]
    """Named sizes and fixed ones; the first is "E"."""

    def __str__(self) -> str:
        return f"{np.dtype(self.dtype).name} [{', '.join(map(str, self.axes))}]"

    def sizes(self, array: np.ndarray) -> dict[str, int] | None:
        """The named sizes of an array of this form; None where it has another."""
        if array.dtype != self.dtype or array.ndim != len(self.axes):
            return None
        found: dict[str, int] = {}
        for axis, size in zip(self.axes, array.shape, strict=True):
            name, _, less = str(axis).partition("-")
            if isinstance(axis, int):
                if size != axis:
                    return None
            elif found.setdefault(name, size + int(less or 0)) != size + int(less or 0):
                return None
        return found


@dataclass(frozen=True, slots=True)
class DataSchema:
    """One kind of data. Whoever handles shards asks it, and knows none by name."""

    name: str
    """As recipes and manifests spell it; what one of its shards is called: "a shard of images"."""
    tag: str
    """The `schema` of a shard's header."""
    unit: str
    """One episode in words: "image"."""
    arrays: Mapping[str, Form]
    trained: tuple[str, ...]
    """Arrays that training reads; the others are for probes alone."""
    shown: tuple[str, ...]
    """No two episodes of an evaluation shard have all of these in common: one could be fitted, and the other
    scored."""
    check_values: Callable[[Given, str], None]
    """Checks ranges of arrays whose shapes are right; raises `Rejected` in a sentence that begins with its
    second argument (`non-finite`, `out-of-range`)."""
    bounds: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Least and most of a named size; where none are named, it is at least 1."""
    state: str | None = None
    """The array float32 [E, T, K] that a linear probe reads off latents [E, T, D]; None: there is none."""

    @property
    def pictures(self) -> str | None:
        """The array that holds pictures uint8 [..., 3, S, S]; None where there is none."""
        found = (name for name, form in self.arrays.items() if form.axes[-3:] == (3, "S", "S"))
        return next(found, None)

    def sizes(self, arrays: Given, what: str) -> dict[str, int]:
        """The named sizes of a shard's arrays.

        Raises:
            Rejected: an array is missing, unknown, or of another type or shape; sizes do not agree or leave
                their bounds (`wrong-shape`).
        """

        def refuse(why: str) -> Rejected:
            return Rejected(f"{what}: {why}", reason="wrong-shape")

        if set(arrays) != set(self.arrays):
            raise refuse(f"{self.name} are made of {', '.join(self.arrays)}")
        sizes: dict[str, int] = {}
        for name, form in self.arrays.items():
            found = form.sizes(arrays[name])
            if found is None:
                raise refuse(f"{name} must be {form}")
            for axis, size in found.items():
                if sizes.setdefault(axis, size) != size:
                    raise refuse(f"{name} must be {form}, and {axis} is {sizes[axis]} elsewhere, not {size}")
        for axis, size in sizes.items():
            least, most = self.bounds.get(axis, (1, None))
            if size < least or (most is not None and size > most):
                upper = "" if most is None else f" and at most {most}"
                raise refuse(f"{axis} of {self.name} is {size}, and must be at least {least}{upper}")
        return sizes


def refuse_values(what: str, why: str, reason: str) -> Rejected:
    """Of arrays whose values no shard may have."""
    return Rejected(f"{what}: {why}", reason=reason)
