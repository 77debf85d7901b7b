"""Shards of recorded episodes: arrays in, canonical safetensors out, and back from untrusted bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jepanet.errors import Exit, Rejected
from jepanet.files import keep, read_capped
from jepanet.nesting import Json
from jepanet.tensors import decode_tensors, encode_tensors
from jepanet.types import Digest

SCHEMA = "jepanet.shard.1"
MAX_SHARD_BYTES = 512 << 20
MAX_EPISODES = 100_000
MIN_FRAMES = 3
"""Two frames of context and one to predict."""


@dataclass(frozen=True, slots=True)
class Shard:
    """E episodes of T frames. Action t was held between frames t and t+1.

    frames: uint8 [E, T, 3, S, S]; actions: float32 [E, T-1, A] in [-1, 1]; state: float32 [E, T, K],
    the simulator's own (pixels of its screen), used by probes and never by training; site: E site numbers.
    """

    frames: np.ndarray
    actions: np.ndarray
    state: np.ndarray
    site: tuple[int, ...]
    header: Mapping[str, Json] = field(default_factory=dict)

    @property
    def episodes(self) -> int:
        return int(self.frames.shape[0])

    @property
    def length(self) -> int:
        """Frames per episode."""
        return int(self.frames.shape[1])

    @property
    def image(self) -> int:
        """Side of a frame in pixels."""
        return int(self.frames.shape[-1])


def check_shard(shard: Shard, *, what: str = "shard") -> None:
    """Checks dtypes, agreeing shapes, finiteness and ranges.

    Raises:
        Rejected: reason `wrong-shape`, `non-finite` or `out-of-range`.
    """
    frames, actions, state = shard.frames, shard.actions, shard.state

    def need(condition: bool, why: str) -> None:
        if not condition:
            raise Rejected(f"{what}: {why}", reason="wrong-shape")

    need(frames.dtype == np.uint8 and frames.ndim == 5, "frames must be uint8 [E, T, 3, S, S]")
    episodes, length, channels, height, side = frames.shape
    need(channels == 3 and height == side > 0, "frames must be square RGB")
    need(1 <= episodes <= MAX_EPISODES, f"there must be 1 to {MAX_EPISODES} episodes")
    need(length >= MIN_FRAMES, f"episodes need at least {MIN_FRAMES} frames")
    need(actions.dtype == np.float32 and actions.ndim == 3, "actions must be float32 [E, T-1, A]")
    need(
        actions.shape[:2] == (episodes, length - 1) and actions.shape[2] > 0, "actions do not fit the frames"
    )
    need(state.dtype == np.float32 and state.ndim == 3, "state must be float32 [E, T, K]")
    need(state.shape[:2] == (episodes, length) and state.shape[2] > 0, "state does not fit the frames")
    need(len(shard.site) == episodes, "there must be one site number per episode")
    if not (np.isfinite(actions).all() and np.isfinite(state).all()):
        raise Rejected(f"{what}: actions or state hold NaN or infinity", reason="non-finite")
    if np.abs(actions).max() > 1.0:
        raise Rejected(f"{what}: actions leave [-1, 1]", reason="out-of-range")
    if min(shard.site) < 0:
        raise Rejected(f"{what}: site numbers start at 0", reason="out-of-range")


def shard_bytes(shard: Shard) -> bytes:
    """Canonical safetensors bytes.

    Raises:
        Rejected: the arrays do not form a shard.
    """
    check_shard(shard)
    arrays = {
        "actions": shard.actions,
        "frames": shard.frames,
        "site": np.asarray(shard.site, dtype=np.int32),
        "state": shard.state,
    }
    return encode_tensors(arrays, {**shard.header, "schema": SCHEMA})


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
    if set(arrays) != {"actions", "frames", "site", "state"} or header.get("schema") != SCHEMA:
        raise Rejected(f"shard: not a {SCHEMA} with actions, frames, site and state", reason="malformed")
    site = arrays["site"]
    if site.dtype != np.int32 or site.ndim != 1:
        raise Rejected("shard: site must be int32 [E]", reason="wrong-shape")
    numbers = tuple(int(number) for number in site)
    shard = Shard(arrays["frames"], arrays["actions"], arrays["state"], numbers, header)
    check_shard(shard)
    return shard


def joined(shards: Sequence[Shard]) -> Shard:
    """All episodes of several shards of one kind, as one.

    Raises:
        Rejected: their frames or actions are of different sizes (`shard-mismatch`).
    """
    if (
        len({(shard.length, shard.image, shard.actions.shape[2], shard.state.shape[2]) for shard in shards})
        > 1
    ):
        raise Rejected("shards of different sizes cannot be trained on together", reason="shard-mismatch")
    frames, actions, state = (
        np.concatenate([getattr(shard, name) for shard in shards]) for name in ("frames", "actions", "state")
    )
    return Shard(frames, actions, state, sum((shard.site for shard in shards), ()))
