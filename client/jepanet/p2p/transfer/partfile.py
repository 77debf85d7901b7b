"""A blob under download: `DIGEST.part` holds the bytes, `DIGEST.done` the numbers of its finished chunks.

After a kill -9 both are there again; every listed chunk is hashed anew before it counts, since the list may
have reached the disk before the bytes. All methods block and are called in worker threads.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

from jepanet.cid import blake3_file, names_file
from jepanet.errors import Exit, Fatal
from jepanet.files import FULL, tell_damage
from jepanet.p2p.transfer.frames import CHUNK_BYTES, Manifest

_INDEX = struct.Struct(">I")
_HASH_AHEAD = 3


class PartFile:
    """Writes verified chunks in any order. Thread safe."""

    def __init__(self, directory: Path, digest: bytes) -> None:
        self._digest = digest
        self._part = directory / f"{digest.hex()}.part"
        self._list = directory / f"{digest.hex()}.done"
        self._final = directory / digest.hex()
        self._lock = threading.Lock()
        self._file = -1
        self._done_file = -1
        self._hashing = threading.Lock()
        self._hash = hashlib.sha256()
        self._hashed = 0
        self._ready: set[int] = set()

    def finished(self) -> Path | None:
        """The complete blob, if an earlier download left it here; a damaged one is removed."""
        if not self._final.is_file() or self._final.is_symlink():
            return None
        if names_file(self._digest, self._final):
            return self._final
        tell_damage(self._final, "differs from its digest")
        self._final.unlink(missing_ok=True)
        return None

    def open(self, manifest: Manifest) -> set[int]:
        """Opens or creates the files and returns the chunks that are there and match `manifest`.

        Raises:
            Fatal: the disk is full or not writable.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with _disk(self._part):
            self._part.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._part, flags, 0o600)
            self._done_file = os.open(self._list, flags | os.O_APPEND, 0o600)
            os.ftruncate(self._file, manifest.size)
            listed = os.pread(self._done_file, _INDEX.size * manifest.chunks * 2, 0)
            usable = len(listed) - len(listed) % _INDEX.size
            claimed = {index for (index,) in _INDEX.iter_unpack(listed[:usable]) if index < manifest.chunks}
            kept = {
                index
                for index in sorted(claimed)
                if manifest.accepts(
                    index, os.pread(self._file, manifest.length_of(index), index * CHUNK_BYTES)
                )
            }
            os.ftruncate(self._done_file, 0)
            os.write(self._done_file, b"".join(_INDEX.pack(index) for index in sorted(kept)))
        self._hash, self._hashed, self._ready = hashlib.sha256(), 0, kept.copy()
        return kept

    def store(self, manifest: Manifest, index: int, chunk: bytes | memoryview) -> bool:
        """Writes `chunk` if it is what `manifest` says at `index`. False, and nothing written, if it is not.

        Raises:
            Fatal: the disk is full or not writable.
        """
        if not manifest.accepts(index, chunk):
            return False
        with _disk(self._part):
            view = memoryview(chunk)
            offset = index * CHUNK_BYTES
            while view:
                written = os.pwrite(self._file, view, offset)
                view, offset = view[written:], offset + written
            with self._lock:
                os.write(self._done_file, _INDEX.pack(index))
                self._ready.add(index)
            self._advance(manifest, index, chunk)
        return True

    def _advance(self, manifest: Manifest, index: int, chunk: bytes | memoryview) -> None:
        """Hashes on with what is there in order, so that little is left to hash at the end."""
        if not self._hashing.acquire(blocking=False):
            return
        try:
            for _ in range(_HASH_AHEAD):
                following = self._hashed
                if following not in self._ready:
                    return
                length = manifest.length_of(following)
                self._hash.update(
                    chunk if following == index else os.pread(self._file, length, following * CHUNK_BYTES)
                )
                self._hashed += 1
        finally:
            self._hashing.release()

    def complete(self, manifest: Manifest) -> Path | None:
        """Hashes the whole file and, if it is the blob, gives it its final name; else removes it: None."""
        with _disk(self._part):
            for index in range(self._hashed, manifest.chunks):
                self._hash.update(os.pread(self._file, manifest.length_of(index), index * CHUNK_BYTES))
            os.fsync(self._file)
            self.close()
            if self._hash.digest() != self._digest and blake3_file(self._part) != self._digest:
                self.discard()
                return None
            self._part.replace(self._final)
            self._list.unlink(missing_ok=True)
        return self._final

    def close(self) -> None:
        """Closes the files; what was downloaded stays for the next attempt."""
        with self._lock:
            for descriptor in (self._file, self._done_file):
                if descriptor >= 0:
                    os.close(descriptor)
            self._file = self._done_file = -1

    def discard(self) -> None:
        """Removes what was downloaded."""
        self.close()
        self._part.unlink(missing_ok=True)
        self._list.unlink(missing_ok=True)


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in FULL
        raise Fatal(
            f"cannot write {path}: {error.strerror}",
            remedy="free some disk space" if full else "check the directory and its owner",
            code=Exit.DISK_FULL if full else Exit.CONFIG,
        ) from error
