"""Which pictures or texts are nearly the same.

    pictures        shrunk to 6 x 6, colours differ by at most 6 of 256 levels (root of the mean square):
                    so do those of a picture that is packed anew or has another size
    pairs of texts  the first texts are the same: one with another second text tells too much of it

Of 600 drawn pictures packed as JPEG of quality 60, 95 in 100 lay within 4.4 levels of themselves (7.0 at
most), and no other one within 13. A cut, turned or much lighter copy is none here: who has such sorts them
out before.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jepanet.learning.data.shards import Shard

_SIDE, _LEVELS = 6, 6.0
_TOGETHER = 1024
"""Pictures that are looked at together."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What episodes show, one by one: a digest of all of it, and what near copies have in common."""

    contents: tuple[bytes, ...]
    small: np.ndarray
    """float32 [N, K]: pictures, shrunk; K is 0 where there are none."""
    first: tuple[bytes, ...] = ()
    """Digests of first texts, where there are no pictures."""

    def __len__(self) -> int:
        return len(self.contents)

    def chosen(self, rows: Sequence[int]) -> Looks:
        first = tuple(self.first[row] for row in rows) if self.first else ()
        return Looks(tuple(self.contents[row] for row in rows), self.small[list(rows)], first)

    def counted_in(self, others: Looks) -> np.ndarray:
        """int [N]: how many of the others each one is nearly the same as."""
        if not self.small.shape[1]:
            there = Counter(others.first)
            return np.array([there[item] for item in self.first], dtype=int)
        squares, most = (others.small**2).sum(axis=1), _LEVELS**2 * self.small.shape[1]
        counts = np.zeros(len(self), dtype=int)
        for start in range(0, len(self), _TOGETHER):
            some = self.small[start : start + _TOGETHER]
            apart = (some**2).sum(axis=1)[:, None] + squares - 2 * some @ others.small.T
            counts[start : start + _TOGETHER] = (apart <= most).sum(axis=1)
        return counts


def joined_looks(looks: Sequence[Looks]) -> Looks:
    """Those of several shards of one kind, as one."""
    return Looks(
        sum((item.contents for item in looks), ()),
        np.concatenate([item.small for item in looks]),
        sum((item.first for item in looks), ()),
    )


def looks_of(shard: Shard) -> Looks:
    """The looks of a shard of pictures, pictures with texts, or pairs of texts."""
    shown = [shard.arrays[name] for name in shard.schema.shown]
    contents = tuple(_digest(*(array[row] for array in shown)) for row in range(shard.episodes))
    if shard.schema.pictures is None:
        first = tuple(_digest(text) for text in shown[0])
        return Looks(contents, np.zeros((shard.episodes, 0), np.float32), first)
    pictures = shard.pictures
    parts = range(0, len(pictures), _TOGETHER)
    return Looks(contents, np.concatenate([_shrunk(pictures[start : start + _TOGETHER]) for start in parts]))


def _digest(*arrays: np.ndarray) -> bytes:
    """Of texts without what fills them up, so that the same text is the same in wider arrays."""
    content = hashlib.sha256()
    for array in arrays:
        data = array[array != 0] if array.dtype == np.uint16 and array.ndim == 1 else array
        content.update(len(data).to_bytes(8, "big") + data.tobytes())
    return content.digest()


def _shrunk(pictures: np.ndarray) -> np.ndarray:
    """uint8 [N, 3, S, S] -> float32 [N, 3 * 6 * 6], the means of its parts."""
    side = pictures.shape[-1]
    edges = [round(place * side / _SIDE) for place in range(_SIDE)]
    sizes = np.diff([*edges, side])
    sums = np.add.reduceat(np.add.reduceat(pictures.astype(np.float32), edges, axis=2), edges, axis=3)
    means: np.ndarray = (sums / (sizes[:, None] * sizes)).reshape(len(pictures), -1).astype(np.float32)
    return means
