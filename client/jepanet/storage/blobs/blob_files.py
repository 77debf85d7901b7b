"""File operations of the blob store: private directories, streamed hashing, bounded reads, clear errors."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.files import FULL, sync_directory
from jepanet.types import Digest

_READ_SIZE = 1 << 20
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Source:
    """A regular file to be stored: its size in bytes, and whether renaming it takes the only name it has."""

    size: int
    movable: bool


@contextmanager
def explained(root: Path) -> Iterator[None]:
    """Turns a failing disk into an error that says what to do.

    Raises:
        Fatal: `DISK_FULL`, or the directory cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise Fatal(
                f"no room to write in {root}: {error}; nothing of this blob was kept",
                remedy="free space (or lift the quota) on that disk, then start again",
                code=Exit.DISK_FULL,
            ) from error
        raise Fatal(
            f"the blob store {root} cannot be read or written: {error}",
            remedy="check the permissions and the disk of that directory",
            code=Exit.CONFIG,
        ) from error


def make_private(directory: Path) -> None:
    """Creates a directory (mode 0700) that survives a power cut; tightens one that is there."""
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        if stat.S_IMODE(directory.stat().st_mode) != 0o700:
            directory.chmod(0o700)
        return
    except FileNotFoundError:
        make_private(directory.parent)
        make_private(directory)
        return
    sync_directory(directory.parent)


def place_of(root: Path, digest: bytes) -> Path:
    """Where the blob of a 32-byte digest lies."""
    if len(digest) != 32:
        raise ValueError(f"a digest has 32 bytes, not {len(digest)}")
    name = digest.hex()
    return root / name[:2] / name[2:4] / name


@contextmanager
def temporary(directory: Path) -> Iterator[Path]:
    """A fresh name in `directory`; what is still there at the end is removed."""
    partial = directory / os.urandom(16).hex()
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def scan(root: Path) -> dict[bytes, int]:
    """Sizes of the blobs under `root` by digest; anything else in there is left alone."""
    found: dict[bytes, int] = {}
    for first in _named(root, 2):
        for second in _named(Path(first.path), 2):
            for entry in _named(Path(second.path), 64):
                content = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(content.st_mode) and entry.name.startswith(first.name + second.name):
                    found[bytes.fromhex(entry.name)] = content.st_size
    return found


def inspect_source(path: Path, *, same_disk_as: Path) -> Source:
    """Looks at a file before it is stored.

    Raises:
        Rejected: `not-a-file`: absent, or a link, directory, pipe or device.
    """
    try:
        found = path.lstat()
    except OSError as error:
        raise Rejected(f"{path} cannot be stored: {error}", reason="not-a-file") from error
    if not stat.S_ISREG(found.st_mode):
        raise Rejected(f"{path} is not a regular file", reason="not-a-file")
    # Another name of the same file could change a stored blob behind its digest.
    return Source(found.st_size, found.st_nlink == 1 and found.st_dev == same_disk_as.stat().st_dev)


def hash_into(path: Path, copy: Path | None, *, limit: int, fast: bool = False) -> tuple[Digest, int]:
    """(SHA-256, or BLAKE3 if `fast`; size) of a file, copied on the way to `copy` if given; what was hashed
    is on the disk after.

    Raises:
        Rejected: `not-a-file`: it became a link, or grew beyond `limit` bytes, meanwhile.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise Rejected(f"{path} cannot be stored: {error}", reason="not-a-file") from error
    state, size = blake3() if fast else hashlib.sha256(), 0
    with os.fdopen(descriptor, "rb") as source:
        target = None if copy is None else copy.open("xb")
        try:
            while block := source.read(_READ_SIZE):
                size += len(block)
                if size > limit:
                    raise Rejected(f"{path} grows while it is stored", reason="not-a-file")
                state.update(block)
                if target is not None:
                    target.write(block)
            if target is not None:
                target.flush()
            os.fsync((source if target is None else target).fileno())
        finally:
            if target is not None:
                target.close()
    return Digest(state.digest()), size


def read_capped(path: Path, size: int) -> bytes | None:
    """The content of a file of exactly `size` bytes; None if it has another size or cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(size + 1)
    except OSError:
        return None
    return data if len(data) == size else None


def _named(directory: Path, length: int) -> list[os.DirEntry[str]]:
    if directory.is_symlink() or not directory.is_dir():
        return []
    with os.scandir(directory) as entries:
        return [entry for entry in entries if len(entry.name) == length and set(entry.name) <= _HEX]
