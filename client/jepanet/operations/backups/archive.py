"""The file of a backup: a plain tar with its manifest first, which also other programs unpack.

Read as hostile: one form of header alone (a regular file, no extensions), the manifest's files in its order
and nothing else, and the whole archive as long as they make it, before a byte is written anywhere.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.operations.backups.manifest import MANIFEST, MAX_MANIFEST_BYTES, Entry, Manifest, most_bytes
from jepanet.types import Digest

_BLOCK = tarfile.BLOCKSIZE
_END = 2 * _BLOCK
_CHUNK = 1 << 20


def write_archive(file: BinaryIO, manifest: Manifest, sources: Mapping[str, Path]) -> None:
    """Writes manifest and files; the caller syncs.

    Raises: Fatal: a source is no longer what the manifest says (exit code `TRY_AGAIN`). OSError.
    """
    encoded = Manifest.codec.encode(manifest)
    _write_header(file, MANIFEST, len(encoded), manifest.made)
    file.write(encoded + _padding(len(encoded)))
    for entry in manifest.files:
        _write_header(file, entry.name, entry.size, manifest.made)
        with sources[entry.name].open("rb") as source:
            if _copied(source, file, entry.size) != entry.digest or source.read(1):
                raise Fatal(
                    f"{sources[entry.name]} changed while it was read",
                    remedy="call again, when nobody writes to it",
                    code=Exit.TRY_AGAIN,
                )
        file.write(_padding(entry.size))
    file.write(bytes(_END))


def archive_size(manifest: Manifest) -> int:
    """Bytes that `write_archive` writes."""
    sizes = [len(Manifest.codec.encode(manifest)), *(entry.size for entry in manifest.files)]
    return _END + sum(_BLOCK + size + len(_padding(size)) for size in sizes)


def read_archive(path: Path, begin: Callable[[Manifest], Callable[[Entry], BinaryIO]]) -> Manifest:
    """Reads the archive at `path` through. `begin` is given the manifest once the archive is as long as that
    says, and answers with what opens a file to write each entry into; those are synced and closed here.

    Raises:
        Fatal: there is no such file (exit code `NOT_FOUND`), it is no backup, or is cut, altered or damaged
            (`DAMAGED`), or what `begin` raises. OSError: a file cannot be written.
    """
    with _opened(path) as file:
        try:
            manifest = _manifest(file)
            if os.fstat(file.fileno()).st_size != archive_size(manifest):
                raise _bad(path, "it is not as long as it says: it was cut or added to")
            opened = begin(manifest)
            for entry in manifest.files:
                if _header(file) != (entry.name, entry.size):
                    raise _bad(path, f"another file stands where its list has {entry.name}")
                with opened(entry) as target:
                    if _copied(file, target, entry.size) != entry.digest:
                        raise _bad(path, f"{entry.name} is not what was backed up")
                    target.flush()
                    os.fsync(target.fileno())
                _skip(file, len(_padding(entry.size)))
            _skip(file, _END)
        except (tarfile.HeaderError, UnicodeDecodeError, Rejected, _NoBackup) as error:
            raise _bad(path, error.message if isinstance(error, Rejected) else str(error)) from error
    return manifest


class _NoBackup(Exception):
    """Something of the archive is not as `write_archive` writes it."""


def _opened(path: Path) -> BinaryIO:
    try:
        # Without O_NONBLOCK a named pipe would keep the process waiting for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise Fatal(
            f"the backup {path} cannot be read: {error.strerror}",
            remedy="correct the path, or the permissions of the file",
            code=Exit.NOT_FOUND,
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _bad(path, "it is not a file")
    return os.fdopen(descriptor, "rb")


def _manifest(file: BinaryIO) -> Manifest:
    name, size = _header(file)
    if name != MANIFEST or size > MAX_MANIFEST_BYTES:
        raise _NoBackup("it does not begin with a list of its files")
    data = file.read(size)
    manifest = Manifest.codec.decode(data)
    _skip(file, len(_padding(size)))
    names = [entry.name for entry in manifest.files]
    if len(set(names)) != len(names):
        raise _NoBackup("it lists a file twice")
    for entry in manifest.files:
        most = most_bytes(entry.name)
        if most is None:
            raise _NoBackup(f"no backup holds a file {entry.name!r}")
        if entry.size > most:
            raise _NoBackup(f"{entry.name} would have {entry.size} bytes, and at most {most} are taken")
        if entry.name.startswith("blobs/") and entry.name != f"blobs/{entry.digest.hex()}":
            raise _NoBackup(f"{entry.name} is not named by its digest")
    return manifest


def _write_header(file: BinaryIO, name: str, size: int, made: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, made
    file.write(info.tobuf(tarfile.GNU_FORMAT))


def _header(file: BinaryIO) -> tuple[str, int]:
    """Name and size of the next file. Raises: tarfile.HeaderError, _NoBackup: it is no plain one."""
    block = file.read(_BLOCK)
    info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    if info.type != tarfile.REGTYPE or info.size < 0:
        raise _NoBackup(f"{info.name!r} is not a regular file")
    return info.name, info.size


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _skip(file: BinaryIO, count: int) -> None:
    if any(file.read(count)):
        raise _NoBackup("there is something between its files")


def _copied(source: BinaryIO, target: BinaryIO, size: int) -> Digest | None:
    """Copies `size` bytes; their SHA-256, or None where the source ends before."""
    state, left = hashlib.sha256(), size
    while left and (block := source.read(min(_CHUNK, left))):
        state.update(block)
        target.write(block)
        left -= len(block)
    return None if left else Digest(state.digest())


def _bad(path: Path, why: str) -> Fatal:
    return Fatal(
        f"{path} is not a whole backup: {why}",
        remedy="use another copy of it; nothing was restored",
        code=Exit.DAMAGED,
    )
