"""A shard as whoever works in Python names it."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from jepanet.errors import Exit, Fatal
from jepanet.learning.data.shards import Shard, load_shard


def shard_given(shard: str | PathLike[str] | Shard) -> Shard:
    """The shard itself, or the one in a file.

    Raises:
        Fatal: no such file (exit code `NOT_FOUND`). Rejected: it holds no shard, or too large a one.
    """
    if isinstance(shard, Shard):
        return shard
    path = Path(shard)
    if not path.is_file():
        raise Fatal(f"there is no shard {path}", remedy="name a shard's file", code=Exit.NOT_FOUND)
    return load_shard(path)
