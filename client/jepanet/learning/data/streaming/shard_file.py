"""A shard that its digest names: waited for where somebody brings it, and checked before it is decoded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jepanet.cid import digest_of, to_cid
from jepanet.errors import Exit, Rejected, Transient
from jepanet.files import read_capped
from jepanet.learning.data.shards import MAX_SHARD_BYTES, Shard, load_shard
from jepanet.telemetry import get_logger
from jepanet.types import Digest

log = get_logger("training")

_LOOK = 0.05
"""Seconds between two looks at whether a shard has come."""


@dataclass(frozen=True, slots=True)
class ShardFile:
    """One shard, and where its file lies or will lie."""

    path: Path
    digest: Digest
    bytes: int
    """Its size, of at most `MAX_SHARD_BYTES`."""
    awaited: bool = False
    """Whether somebody brings the file while others are trained on; it then appears whole."""

    @property
    def name(self) -> str:
        return f"training shard {to_cid(self.digest)}"


class Stopped(Exception):
    """The training that waited for a shard is over."""


def read_shard(file: ShardFile, stopped: threading.Event) -> Shard:
    """The shard in a file whose content has its digest; nothing of it is decoded before that is known.

    Where it is awaited this waits for it, until `stopped` is set.

    Raises:
        Transient: it is missing, or has another content: whoever stores it can bring it again.
        Rejected: it is larger than it is said to be, or no shard (as `load_shard`); both name it.
        Stopped: before it came.
    """
    if file.awaited and not file.path.exists():
        log.info("shard.awaited", shard=to_cid(file.digest), path=str(file.path))
        while not file.path.exists():
            if stopped.wait(_LOOK):
                raise Stopped(file.name)
    if not file.path.is_file():
        raise Transient(
            f"{file.name} is not at {file.path}",
            remedy="a file that was moved has to be put back; one of a node is fetched again",
            code=Exit.NOT_FOUND,
        )
    most = min(file.bytes, MAX_SHARD_BYTES)
    data = read_capped(file.path, most, file.name)
    if digest_of(data) != file.digest:
        raise Transient(
            f"{file.name}: {file.path} does not have the content that its digest names",
            remedy="a file that was changed has to be put back; one of a node is fetched again",
            code=Exit.DAMAGED,
        )
    with naming(file):
        return load_shard(data, max_bytes=most)


@contextmanager
def naming(file: ShardFile) -> Iterator[None]:
    """What is refused in here is refused of this shard, by name."""
    try:
        yield
    except Rejected as error:
        raise Rejected(f"{file.name}: {error.message}", reason=error.reason, remedy=error.remedy) from error
