"""Codecs `rank50`, `rank100`, `rank200`: a whole delta as the best few rank-one components, in a file 50, 100
or 200 times smaller than float32.

What a few steps of training change in a matrix is close to low rank (PowerSGD: Vogels et al. 2019,
arXiv:1905.13727), which a choice of single values cannot use: at a hundredth of the bytes, components hold
about two thirds of a delta's energy and the largest values at two bits a fifth. What is left out is not
small; it goes into the next delta (`feedback`).

Every array is a matrix, its first dimension by all others; one of a single row, column or number is a vector.
Matrices are cut into tiles of at most 512 x 512, and all tiles of all arrays compete: the component that
takes most energy for its bits comes next, until the bytes are spent. So arrays that move much get more.
Energy counts per row of the array: with inputs of unit size it says how far the mean output moves. A filter
of few rows is so not starved by a wide layer, whose errors drown in its width.

The bytes, little-endian; tiles in order of names, then rows, then columns; components of a tile by falling
scale:

    schema   4                    of the names and shapes: first bytes of their digest
    ranks    1 per tile           how many components
    scales   2 per component      bfloat16, above 0
    signs    1 bit per code       1: negative. Codes of a component: u, then v unless the tile is a vector
    steps    the rest             k of each code in unary, its magnitude is 2 k + 1

There is one way to write a sum down: codes have no common factor, the first of u is positive (in a vector the
sign is its own), components of one tile are sorted by falling scale, then codes. How components are found:
`components`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.bfloat import from_bfloat, to_bfloat
from jepanet.federation.deltas.components import MOST_STEP, TILE, Component, Remainder, joined
from jepanet.federation.deltas.contract import U8, JointCodec, Schema, checked, part
from jepanet.federation.deltas.unary import pack_unary, unpack_unary
from jepanet.tensors import Arrays, canonical_json

MOST_RANK = 255
SCALES_WITHIN = float(1 << 20)
"""The largest scale of a tile is less than this many times the least, so that decoding is exact."""
_FILE_BYTES = 384
"""What a file holds beside the components: its table, and the digests in its header."""
_SCHEMA_BYTES = 4
_BITS_A_CODE = 3.5
"""Of a whole component, at most: the mean magnitude is no larger than the root mean square."""
_U2 = np.dtype("<u2")


@dataclass(frozen=True, slots=True)
class _Tile:
    """`height` of the `rows` and `width` of the `columns` of one array as a matrix."""

    name: str
    rows: int
    columns: int
    top: int
    left: int
    height: int
    width: int

    @property
    def codes(self) -> int:
        """Of one component."""
        return self.height + (self.width if self.width > 1 else 0)

    def of(self, array: np.ndarray) -> np.ndarray:
        """A view of it in the array that it belongs to."""
        matrix = array.reshape(self.rows, self.columns)
        return matrix[self.top : self.top + self.height, self.left : self.left + self.width]


def encode(delta: Mapping[str, np.ndarray], ratio: int) -> np.ndarray:
    """uint8 vector holding finite float32 arrays as well as so many bytes can.

    Raises:
        ValueError: an array that is not finite float32.
    """
    arrays = {name: checked(array) for name, array in delta.items()}
    tiles = list(_tiles({name: array.shape for name, array in arrays.items()}))
    chosen = _chosen(tiles, [tile.of(arrays[tile.name]) for tile in tiles], _room(tiles, ratio))
    components = [component for found in chosen for component in sorted(found, key=lambda one: one.order)]
    codes = [np.zeros(0)]
    for one in components:
        codes += [one.u, one.v] if one.v.size > 1 else [one.u]
    flat = np.concatenate(codes)
    scales = np.array([one.scale for one in components], dtype=np.float32)
    sections = [
        _fingerprint({name: array.shape for name, array in arrays.items()}),
        np.array([len(found) for found in chosen], dtype=np.uint8),
        to_bfloat(scales).astype(_U2).view(np.uint8),
        np.packbits(flat < 0),
        pack_unary(np.abs(flat).astype(np.int64) >> 1),
    ]
    return np.concatenate(sections)


def decode(packed: np.ndarray, schema: Schema, ratio: int) -> Arrays:
    """The arrays of `schema`, in name order, from untrusted uint8 bytes; tiles without components are 0.

    Raises:
        Rejected: `wrong-shape` for an impossible length, `non-finite` for scales that are NaN or infinite,
            `malformed` for anything that no encoder writes.
    """
    tiles = list(_tiles(schema))
    most = most_bytes(schema, ratio)
    least = _SCHEMA_BYTES + len(tiles)
    if not least <= packed.size <= most:
        raise Rejected(f"low-rank part of {packed.size} bytes, not {least} to {most}", reason="wrong-shape")
    if packed[:_SCHEMA_BYTES].tobytes() != _fingerprint(schema).tobytes():
        raise Rejected("low-rank part of weights with other names or shapes", reason="wrong-shape")
    packed = packed[_SCHEMA_BYTES:]
    ranks = packed[: len(tiles)].astype(np.int64)
    count = sum(int(rank) * tile.codes for rank, tile in zip(ranks, tiles, strict=True))
    # A code has at least two bits: nothing larger than the bytes at hand is made of them.
    if 2 * count > 8 * packed.size:
        raise Rejected("low-rank part is too short for its ranks", reason="malformed")
    ends = np.cumsum([len(tiles), 2 * int(ranks.sum()), -(-count // 8)])
    _, scale_bytes, sign_bytes, step_bytes = np.split(packed, ends)
    if scale_bytes.size != 2 * int(ranks.sum()) or sign_bytes.size != -(-count // 8):
        raise Rejected("low-rank part is too short for its ranks", reason="malformed")
    scales, codes = _scales(scale_bytes), _codes(sign_bytes, step_bytes, count)
    arrays = {name: np.zeros(schema[name], dtype=np.float32) for name in sorted(schema)}
    scale = code = 0
    for rank, tile in zip(ranks.tolist(), tiles, strict=True):
        if rank:
            own = codes[code : code + rank * tile.codes].reshape(rank, tile.codes)
            tile.of(arrays[tile.name])[...] = _decoded(tile, scales[scale : scale + rank], own)
        scale, code = scale + rank, code + rank * tile.codes
    return arrays


def most_bytes(schema: Schema, ratio: int) -> int:
    """Bytes that `encode` never exceeds."""
    return _room(list(_tiles(schema)), ratio)


def _room(tiles: list[_Tile], ratio: int) -> int:
    """A `ratio`-th of float32 without what the file holds beside it; of a model so small that this is little,
    three quarters. There is always room for one component, so that every change is sent in the end."""
    share = 4 * sum(tile.height * tile.width for tile in tiles) // ratio
    largest = max((tile.codes for tile in tiles), default=0)
    one = 2 + -(-int(_BITS_A_CODE * largest) // 8) + 2
    return max(share - _FILE_BYTES, 3 * share // 4, _SCHEMA_BYTES + len(tiles) + one)


def _fingerprint(schema: Schema) -> np.ndarray:
    shapes = {name: list(shape) for name, shape in schema.items()}
    return np.frombuffer(digest_of(canonical_json(shapes))[:_SCHEMA_BYTES], dtype=np.uint8)


def _tiles(schema: Schema) -> Iterator[_Tile]:
    for name in sorted(schema):
        shape = schema[name]
        rows, columns = (shape[0], prod(shape[1:])) if shape else (1, 1)
        if not rows * columns:
            continue
        if rows == 1:
            rows, columns = columns, 1
        for top in range(0, rows, TILE):
            for left in range(0, columns, TILE):
                yield _Tile(name, rows, columns, top, left, min(TILE, rows - top), min(TILE, columns - left))


def _chosen(tiles: list[_Tile], matrices: list[np.ndarray], room: int) -> list[list[Component]]:
    """Components of every tile's matrix that fit into `room` bytes, most gain for their bits first."""
    # Bits of signs and of steps are rounded up to whole bytes, each on its own.
    bits = 8 * (room - _SCHEMA_BYTES - len(matrices) - 2)
    remainders = [Remainder(matrix) if matrix.any() else None for matrix in matrices]
    chosen: list[list[Component]] = [[] for _ in matrices]
    heap: list[tuple[float, int, Component]] = []

    def offer(index: int) -> None:
        remainder, before = remainders[index], chosen[index]
        found = remainder.best() if remainder is not None and len(before) < MOST_RANK else None
        if found is None:
            return
        all_scales = [found.scale, *(one.scale for one in before)]
        if max(all_scales) < SCALES_WITHIN * min(all_scales):
            heapq.heappush(heap, (-found.gain / (found.bits * tiles[index].rows), index, found))

    for index in range(len(matrices)):
        offer(index)
    while heap:
        _, index, found = heapq.heappop(heap)
        remainder = remainders[index]
        if found.bits > bits or remainder is None:
            continue
        bits -= found.bits
        remainder.take(found)
        chosen[index].append(found)
        offer(index)
    return chosen


def _scales(data: np.ndarray) -> np.ndarray:
    scales = from_bfloat(np.frombuffer(data.tobytes(), dtype=_U2))
    if not np.isfinite(scales).all():
        raise Rejected("a scale is NaN or infinite", reason="non-finite")
    if (scales < np.finfo(np.float32).tiny).any():
        raise Rejected("a scale is negative, zero or subnormal", reason="malformed")
    return scales.astype(np.float64)


def _codes(signs: np.ndarray, steps: np.ndarray, count: int) -> np.ndarray:
    """float64 [count] of odd whole numbers."""
    negative = np.unpackbits(signs)
    if negative[count:].any():
        raise Rejected("unused bits of a low-rank part are set", reason="malformed")
    magnitudes = unpack_unary(steps, count)
    if magnitudes is None:
        raise Rejected(f"low-rank steps do not hold {count} codes", reason="malformed")
    if (magnitudes > MOST_STEP).any():
        raise Rejected(f"a code of more than {MOST_STEP} steps", reason="malformed")
    sign = np.where(negative[:count] == 1, -1.0, 1.0)
    return np.asarray(np.multiply(sign, 2 * magnitudes + 1))


def _decoded(tile: _Tile, scales: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """float32 [height, width] of a tile with at least one component."""
    if (np.diff(scales) > 0).any() or scales[0] >= SCALES_WITHIN * scales[-1]:
        raise Rejected("scales of a tile are out of order or too far apart", reason="malformed")
    u, v = np.split(codes, [tile.height], axis=1)
    whole = codes.astype(np.int64)
    factors = [np.gcd.reduce(whole[:, : tile.height], axis=1)]
    if tile.width == 1:
        v = np.ones((len(codes), 1))
    else:
        factors.append(np.gcd.reduce(whole[:, tile.height :], axis=1))
        if (u[:, 0] < 0).any():
            raise Rejected("a component begins with a negative code", reason="malformed")
    if any((factor != 1).any() for factor in factors):
        raise Rejected("codes of a component have a common factor", reason="malformed")
    for index in np.flatnonzero(np.diff(scales) == 0):
        one, two = (codes[row].astype("i1").tobytes() for row in (index, index + 1))
        if one >= two:
            raise Rejected("components of a tile are out of order", reason="malformed")
    return joined(scales, u, v)


def _encode_parts(delta: Mapping[str, np.ndarray], ratio: int) -> Arrays:
    return {"packed": encode(delta, ratio)}


def _decode_parts(tensors: Mapping[str, np.ndarray], schema: Schema, ratio: int) -> Arrays:
    packed = tensors["packed"]
    if packed.ndim != 1:
        raise Rejected(f"part packed has {packed.ndim} dimensions, not one", reason="wrong-shape")
    return decode(part(tensors, "packed", U8, packed.shape), schema, ratio)


def _codec(ratio: int) -> JointCodec:
    return JointCodec(
        f"rank{ratio}",
        ("packed",),
        partial(_encode_parts, ratio=ratio),
        partial(_decode_parts, ratio=ratio),
        partial(most_bytes, ratio=ratio),
        feedback=True,
    )


RANK50, RANK100, RANK200 = (_codec(ratio) for ratio in (50, 100, 200))
