"""Shards of data: arrays in, canonical safetensors out, and back from untrusted bytes.

Which arrays, and what holds of them, is their schema's to say (`schemas/schema.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from jepanet.errors import Exit, Rejected
from jepanet.files import keep, read_capped
from jepanet.learning.data.schemas.episodes import EPISODES
from jepanet.learning.data.schemas.registry import schema_tagged
from jepanet.learning.data.schemas.schema import DataSchema
from jepanet.nesting import Json
from jepanet.tensors import decode_tensors, encode_tensors
from jepanet.types import Digest

MAX_SHARD_BYTES = 512 << 20
MAX_EPISODES = 100_000


@dataclass(frozen=True, slots=True)
class Shard:
    """E episodes of one kind of data.

    arrays: by the names and of the forms of `schema`, each with E rows; site: E site numbers.
    """

    schema: DataSchema
    arrays: Mapping[str, np.ndarray]
    site: tuple[int, ...]
    header: Mapping[str, Json] = field(default_factory=dict)

    @property
    def episodes(self) -> int:
        return len(self.site)

    def array(self, name: str) -> np.ndarray:
        """Raises: Rejected (`shard-mismatch`) when data of this kind has no such array."""
        if name not in self.arrays:
            raise Rejected(f"a shard of {self.schema.name} has no {name}", reason="shard-mismatch")
        return self.arrays[name]

    def with_arrays(self, **arrays: np.ndarray) -> Shard:
        """The same shard with others in place of the arrays of these names."""
        return replace(self, arrays={**self.arrays, **arrays})

    def chosen(self, rows: np.ndarray) -> Shard:
        """The episodes for which `rows`, bool [E], is true."""
        arrays = {name: array[rows] for name, array in self.arrays.items()}
        sites = tuple(site for site, taken in zip(self.site, rows.tolist(), strict=True) if taken)
        return replace(self, arrays=arrays, site=sites)

    @property
    def frames(self) -> np.ndarray:
        """uint8 [E, T, 3, S, S] of recorded episodes. Raises: Rejected as `array`."""
        return self.array("frames")

    @property
    def actions(self) -> np.ndarray:
        """float32 [E, T-1, A] in [-1, 1]: action t was held between frames t and t+1. Raises: as `array`."""
        return self.array("actions")

    @property
    def state(self) -> np.ndarray:
        """float32 [E, T, K], used by probes and never by training. Raises: Rejected as `array`."""
        return self.array("state")

    @property
    def pictures(self) -> np.ndarray:
        """All of its pictures in order, uint8 [N, 3, S, S]. Raises: Rejected (`no-frames`): it has none."""
        name = self.schema.pictures
        if name is None:
            raise Rejected(f"a shard of {self.schema.name} has no pictures", reason="no-frames")
        array = self.arrays[name]
        return array.reshape(-1, *array.shape[-3:])

    @property
    def length(self) -> int:
        """Frames of an episode; 1 where it is a single thing."""
        return self._size("T", 1)

    @property
    def image(self) -> int:
        """Side of its square pictures in pixels; 0 where it has none."""
        return self._size("S", 0)

    def _size(self, axis: str, otherwise: int) -> int:
        for name, form in self.schema.arrays.items():
            if axis in form.axes:
                return int(self.arrays[name].shape[form.axes.index(axis)])
        return otherwise


def recorded(
    frames: np.ndarray,
    actions: np.ndarray,
    state: np.ndarray,
    site: tuple[int, ...],
    header: Mapping[str, Json] | None = None,
) -> Shard:
    """A shard of recorded episodes (`schemas/episodes.py`)."""
    return Shard(EPISODES, {"frames": frames, "actions": actions, "state": state}, site, header or {})


def check_schema(shard: Shard, schema: DataSchema) -> None:
    """Raises: Rejected (`shard-mismatch`) when a shard holds another kind of data than `schema`."""
    if shard.schema != schema:
        raise Rejected(
            f"shard holds {shard.schema.name}; the recipe trains on {schema.name}", reason="shard-mismatch"
        )


def check_shard(shard: Shard, *, what: str = "shard") -> None:
    """Checks dtypes, agreeing shapes, finiteness and ranges.

    Raises:
        Rejected: reason `wrong-shape`, or as the schema's `check_values`: `non-finite`, `out-of-range`,
            `empty-text`, `padding-inside`.
    """
    episodes = shard.schema.sizes(shard.arrays, what)["E"]
    if episodes > MAX_EPISODES or len(shard.site) != episodes:
        raise Rejected(
            f"{what}: there must be 1 to {MAX_EPISODES} {shard.schema.unit}s with one site number each",
            reason="wrong-shape",
        )
    shard.schema.check_values(shard.arrays, what)
    if min(shard.site) < 0:
        raise Rejected(f"{what}: site numbers start at 0", reason="out-of-range")


def shard_bytes(shard: Shard) -> bytes:
    """Canonical safetensors bytes.

    Raises:
        Rejected: the arrays do not form a shard.
    """
    check_shard(shard)
    arrays = {**shard.arrays, "site": np.asarray(shard.site, dtype=np.int32)}
    return encode_tensors(arrays, {**shard.header, "schema": shard.schema.tag})


def save_shard(path: Path, shard: Shard) -> Digest:
    """Writes a shard as a kept file: whole or not at all, with its digest beside it.

    Raises:
        Fatal: the disk is full or the folder cannot be written.
    """
    return keep(path, shard_bytes(shard), code=Exit.DATASET)


def load_shard(source: Path | bytes, *, max_bytes: int = MAX_SHARD_BYTES) -> Shard:
    """A shard from untrusted bytes or an untrusted file; the arrays are read-only.

    Raises:
        Rejected: over `max_bytes`, malformed, or arrays that do not form a shard.
    """
    data = source if isinstance(source, bytes) else read_capped(source, max_bytes, "shard")
    arrays, header = decode_tensors(data, max_bytes=max_bytes, what="shard")
    schema = schema_tagged(header.get("schema"))
    if set(arrays) != {*schema.arrays, "site"}:
        names = ", ".join(schema.arrays)
        raise Rejected(f"shard: a {schema.tag} has {names} and site, and nothing else", reason="malformed")
    site = arrays.pop("site")
    if site.dtype != np.int32 or site.ndim != 1:
        raise Rejected("shard: site must be int32 [E]", reason="wrong-shape")
    if len(site) > MAX_EPISODES:  # before they are Python's numbers, which take ten times as much
        raise Rejected(f"shard: more than {MAX_EPISODES} site numbers", reason="wrong-shape")
    shard = Shard(schema, arrays, tuple(int(number) for number in site), header)
    check_shard(shard)
    return shard


def joined(shards: Sequence[Shard]) -> Shard:
    """All episodes of several shards of one kind, as one.

    Raises:
        Rejected: they hold other kinds of data, or arrays of different sizes (`shard-mismatch`).
    """
    first = shards[0]
    shapes = {name: array.shape[1:] for name, array in first.arrays.items()}
    for shard in shards:
        theirs = {name: array.shape[1:] for name, array in shard.arrays.items()}
        if shard.schema != first.schema or theirs != shapes:
            raise Rejected(
                "shards of different kinds or sizes cannot be trained on together", reason="shard-mismatch"
            )
    arrays = {name: np.concatenate([shard.arrays[name] for shard in shards]) for name in shapes}
    return Shard(first.schema, arrays, sum((shard.site for shard in shards), ()))
