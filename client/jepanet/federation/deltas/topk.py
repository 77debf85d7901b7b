"""Codecs `topk10`, `topk3`, `topk1`: the largest few per cent of each chunk at two bits a value.

An array is cut into chunks of 4096 values. Of each chunk the k per cent of largest magnitude stay (of equal
ones the earliest), as a sign and one of two levels: magnitudes are split in two groups by Lloyd's rule (Lloyd
1982, doi:10.1109/TIT.1982.1056489), and each is replaced by the mean of its group, stored as bfloat16.
What is left out is not small; without error feedback (`feedback`) it is lost.

Positions are coded as the gaps between them, by the code of Rice (Rice & Plaunt 1971,
doi:10.1109/TCOM.1971.1090789): a gap g is floor(g / 2^b) zeros, a one, and b low bits. With b fitted to
the density that is within a twentieth of the entropy. A stored value so costs about 4.8 + 2 bits at 10 per
cent, 6.6 + 2 at 3 and 8.1 + 2 at 1, and each chunk 32 more for its levels.

The bytes, little-endian; K is the number of stored values, which follows from the shape:

    shape    4 per dimension      must be the shape asked for
    levels   4 per chunk          bfloat16: low, high; 0 <= low <= high
    codes    K / 4                2 bits a value, first value lowest: bit 0 negative, bit 1 high level
    planes   b times K / 8        the gaps' low bits, lowest plane first; first value highest
    unary    the rest             the zeros and ones above, first bit highest; the last byte holds a one

Sizes are rounded up to whole bytes and unused bits are 0. Only comparisons, elementwise operations and
sums in a stated order occur, so the same array gives the same bytes on every CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np

from jepanet.errors import Rejected
from jepanet.federation.deltas.bfloat import from_bfloat, to_bfloat
from jepanet.federation.deltas.contract import U8, DeltaCodec, Shape, checked, part
from jepanet.federation.deltas.unary import gaps, pack_unary, unpack_unary
from jepanet.tensors import Arrays

CHUNK = 4096
LLOYD_STEPS = 2
_ROWS = 64
"""Chunks worked on at once: a mebibyte of float32, which stays in cache."""
_U2 = np.dtype("<u2")
_U4 = np.dtype("<u4")


@dataclass(frozen=True, slots=True)
class Density:
    """`percent` of each chunk stay, rounded up; `low_bits` is b of the Rice code."""

    percent: int
    low_bits: int

    def kept(self, length: int) -> int:
        """Stored values of a chunk of `length`: at least one, unless it is empty."""
        return -(-length * self.percent // 100)


@dataclass(frozen=True, slots=True)
class _Run:
    """`rows` consecutive chunks of `length` values from `start`; `kept` of each are stored."""

    start: int
    rows: int
    length: int
    kept: int

    @property
    def stop(self) -> int:
        return self.start + self.rows * self.length

    @property
    def stored(self) -> int:
        return self.rows * self.kept


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Bytes of each section before `unary`, and the number K of stored values."""

    shape: int
    levels: int
    codes: int
    plane: int
    stored: int


def encode(array: np.ndarray, density: Density) -> np.ndarray:
    """uint8 vector holding a finite, C-ordered float32 array of any shape."""
    flat = array.reshape(-1)
    positions, codes, levels = [np.zeros(0, np.int64)], [np.zeros(0, np.uint8)], [np.zeros((0, 2), _U2)]
    for run in _runs(flat.size, density, _ROWS):
        chunks = flat[run.start : run.stop].reshape(run.rows, run.length)
        magnitudes = np.abs(chunks)
        where = np.flatnonzero(_largest(magnitudes, run.kept))
        values = chunks.reshape(-1)[where]
        pair, high = _split(magnitudes.reshape(-1)[where].reshape(run.rows, run.kept))
        codes.append(np.signbit(values) | (high.reshape(-1).view(np.uint8) << 1))
        levels.append(pair)
        positions.append(where + run.start)
    skipped = gaps(np.concatenate(positions))
    planes = [np.packbits(skipped >> bit & 1) for bit in range(density.low_bits)]
    sections = [
        np.array(array.shape, dtype=_U4).view(np.uint8),
        np.concatenate(levels).reshape(-1).view(np.uint8),
        _pack_pairs(np.concatenate(codes)),
        *planes,
        pack_unary(skipped >> density.low_bits),
    ]
    return np.concatenate(sections)


def decode(packed: np.ndarray, shape: Shape, density: Density) -> np.ndarray:
    """The array of `shape` from untrusted uint8 bytes; what is not stored is 0.

    Raises:
        Rejected: `wrong-shape` for another shape or an impossible length, `malformed` for positions that do
            not put the right number into every chunk, levels out of order or unused bits that are set,
            `non-finite` for levels that are NaN or infinite.
    """
    count = prod(shape)
    sizes = _sizes(shape, density)
    least, most = size_bounds(shape, density)
    if not least <= packed.size <= most:
        raise Rejected(f"top-k part of {packed.size} bytes, not {least} to {most}", reason="wrong-shape")
    ends = np.cumsum([sizes.shape, sizes.levels, sizes.codes, density.low_bits * sizes.plane])
    prefix, levels, codes, planes, unary = np.split(packed, ends)
    if prefix.tobytes() != np.array(shape, dtype=_U4).tobytes():
        raise Rejected("top-k part of an array of another shape", reason="wrong-shape")
    pairs = _levels(levels)
    positions = _positions(planes.reshape(density.low_bits, sizes.plane), unary, sizes.stored, density)
    signs_and_levels = _unpack_pairs(codes, sizes.stored)
    array = np.zeros(count, dtype=np.float32)
    chunk = first = 0
    for run in _runs(count, density):
        where = positions[first : first + run.stored].reshape(run.rows, run.kept)
        starts = run.start + run.length * np.arange(run.rows)
        # Positions ascend, so the ends of each row show that all of it lies in its chunk.
        if (where[:, 0] < starts).any() or (where[:, -1] >= starts + run.length).any():
            raise Rejected("top-k positions put a wrong number into a chunk", reason="malformed")
        code = signs_and_levels[first : first + run.stored].reshape(run.rows, run.kept)
        pair = pairs[chunk : chunk + run.rows]
        table = np.stack([pair[:, 0], -pair[:, 0], pair[:, 1], -pair[:, 1]], axis=1)
        array[where] = np.take_along_axis(table, code.astype(np.intp), axis=1)
        chunk, first = chunk + run.rows, first + run.stored
    return array.reshape(shape)


def size_bounds(shape: Shape, density: Density) -> tuple[int, int]:
    """Least and most bytes of an encoded array of `shape`: known before anything is read."""
    sizes = _sizes(shape, density)
    fixed = sizes.shape + sizes.levels + sizes.codes + density.low_bits * sizes.plane
    # Gaps add up to less than the array's size, so there is at most one zero for every 2^b of its values.
    return fixed + -(-sizes.stored // 8), fixed + -(-(sizes.stored + (prod(shape) >> density.low_bits)) // 8)


def _sizes(shape: Shape, density: Density) -> _Sizes:
    runs = list(_runs(prod(shape), density))
    stored = sum(run.stored for run in runs)
    return _Sizes(4 * len(shape), 4 * sum(run.rows for run in runs), -(-stored // 4), -(-stored // 8), stored)


def _runs(count: int, density: Density, rows: int | None = None) -> Iterator[_Run]:
    """The whole chunks, at most `rows` at a time, then the rest as one shorter chunk."""
    full, tail = divmod(count, CHUNK)
    step = rows or max(1, full)
    for first in range(0, full, step):
        yield _Run(first * CHUNK, min(step, full - first), CHUNK, density.kept(CHUNK))
    if tail:
        yield _Run(full * CHUNK, 1, tail, density.kept(tail))


def _largest(magnitudes: np.ndarray, kept: int) -> np.ndarray:
    """Mask of the `kept` largest of each row, the earliest of equals."""
    rank = magnitudes.shape[1] - kept
    least = np.partition(magnitudes, rank, axis=1)[:, rank]
    mask: np.ndarray = magnitudes >= least[:, None]
    surplus = np.count_nonzero(mask, axis=1) - kept
    for row in np.flatnonzero(surplus):
        equal = np.flatnonzero(magnitudes[row] == least[row])
        mask[row, equal[len(equal) - surplus[row] :]] = False
    return mask


def _split(magnitudes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Levels (uint16 [rows, 2], bfloat16) and which of magnitudes [rows, kept] belong to the upper one."""
    wide = magnitudes.astype(np.float64)
    total = _row_sums(wide.copy())
    # A chunk with fewer values than are stored keeps zeros: they stay zeros, as a group of their own.
    padded = magnitudes.min(axis=1) == 0
    border = np.where(padded, 0.0, total / wide.shape[1])
    for last in (False,) * LLOYD_STEPS + (True,):
        high = wide > border[:, None]
        above = np.count_nonzero(high, axis=1)
        upper = _row_sums(np.where(high, wide, 0.0))
        low_mean = (total - upper) / np.maximum(wide.shape[1] - above, 1)
        high_mean = upper / np.maximum(above, 1)
        # An empty group takes the other's level; total - upper may be off by a rounding, never below zero.
        high_mean = np.where(above > 0, high_mean, low_mean)
        low_mean = np.clip(np.where(above < wide.shape[1], low_mean, high_mean), 0.0, high_mean)
        if not last:
            border = np.where(padded, 0.0, (low_mean + high_mean) / 2)
    return to_bfloat(np.stack([low_mean, high_mean], axis=1).astype(np.float32)), high


def _row_sums(values: np.ndarray) -> np.ndarray:
    """Sums of the rows of a float64 matrix, overwritten: second half onto first until one is left."""
    size = values.shape[1]
    while size > 1:
        half = size // 2
        np.add(values[:, :half], values[:, half : 2 * half], out=values[:, :half])
        if size % 2:
            np.add(values[:, 0], values[:, size - 1], out=values[:, 0])
        size = half
    return values[:, 0].copy()


def _levels(data: np.ndarray) -> np.ndarray:
    """float32 [chunks, 2]: low and high level of each chunk."""
    pairs = from_bfloat(np.frombuffer(data.tobytes(), dtype=_U2).reshape(-1, 2))
    if not np.isfinite(pairs).all():
        raise Rejected("a top-k level is NaN or infinite", reason="non-finite")
    if np.signbit(pairs).any() or (pairs[:, 0] > pairs[:, 1]).any():
        raise Rejected("top-k levels are negative or out of order", reason="malformed")
    return pairs


def _positions(planes: np.ndarray, unary: np.ndarray, stored: int, density: Density) -> np.ndarray:
    """Ascending positions, int64 [stored]."""
    high = unpack_unary(unary, stored)
    if high is None:
        raise Rejected(f"top-k gaps do not hold {stored} values", reason="malformed")
    skipped = high << density.low_bits
    for bit, plane in enumerate(planes):
        bits = np.unpackbits(plane)
        if bits[stored:].any():
            raise Rejected("unused bits of a top-k part are set", reason="malformed")
        skipped |= bits[:stored].astype(np.int64) << bit
    positions: np.ndarray = np.cumsum(skipped + 1) - 1
    return positions


def _pack_pairs(codes: np.ndarray) -> np.ndarray:
    """Four 2-bit codes to a byte, the first one lowest."""
    padded = np.zeros(-(-len(codes) // 4) * 4, dtype=np.uint8)
    padded[: len(codes)] = codes
    one, two, three, four = padded.reshape(-1, 4).T
    return np.asarray(one | two << 2 | three << 4 | four << 6)


def _unpack_pairs(data: np.ndarray, count: int) -> np.ndarray:
    spread = (data[:, None] >> np.array([0, 2, 4, 6], dtype=np.uint8) & 3).reshape(-1)
    if spread[count:].any():
        raise Rejected("unused bits of a top-k part are set", reason="malformed")
    return spread[:count]


def _encode_parts(array: np.ndarray, density: Density) -> Arrays:
    return {"packed": encode(checked(array), density)}


def _decode_parts(tensors: Mapping[str, np.ndarray], shape: Shape, density: Density) -> np.ndarray:
    packed = tensors["packed"]
    if packed.ndim != 1:
        raise Rejected(f"part packed has {packed.ndim} dimensions, not one", reason="wrong-shape")
    return decode(part(tensors, "packed", U8, packed.shape), shape, density)


def _most_bytes(shape: Shape, density: Density) -> int:
    return size_bounds(shape, density)[1]


def _codec(name: str, density: Density) -> DeltaCodec:
    pack, unpack = partial(_encode_parts, density=density), partial(_decode_parts, density=density)
    return DeltaCodec(name, ("packed",), pack, unpack, partial(_most_bytes, density=density), feedback=True)


TOPK10 = _codec("topk10", Density(percent=10, low_bits=3))
TOPK3 = _codec("topk3", Density(percent=3, low_bits=4))
TOPK1 = _codec("topk1", Density(percent=1, low_bits=6))
