"""Files by the digest of their content (`cid.names_file`), private until published, collected by least recent
use.

    root/ab/cd/<64 hex>     whole, synced, read-only files; the name is checked again at every `read`
    root/incoming/          for callers: partial downloads on the same disk, so that `put_file` is a rename
    root/partial/           this store's own unfinished copies; emptied at open
    root/quarantine/        the last few files whose content no longer matched their name
    root/index.sqlite       which digests are public, and who pinned what

A name appears only by renaming a synced file, so a crash leaves a whole blob or none.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from jepanet.cid import blake3_file, digest_of, names_data, names_file
from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.files import sync_directory
from jepanet.storage.blobs.blob_files import (
    explained,
    hash_into,
    inspect_source,
    make_private,
    place_of,
    read_capped,
    scan,
    temporary,
)
from jepanet.storage.blobs.index import BlobIndex
from jepanet.telemetry import get_logger
from jepanet.types import Digest

log = get_logger("storage")

_QUARANTINE_KEPT = 8
_MORE_ROOM = "raise node.storage_gb, or follow fewer projects"


@dataclass(frozen=True, slots=True)
class Collected:
    """What `collect` did. Sizes in bytes."""

    deleted: tuple[Digest, ...]
    freed: int
    used: int
    pinned: int
    budget: int


class BlobStore:
    """One process owns a store; any of its threads may call.

    Raises (constructor):
        Fatal: another process has the store open (`ALREADY_RUNNING`), its index is damaged or newer, or the
            directory cannot be written.
    """

    def __init__(self, root: Path, budget_bytes: int) -> None:
        if budget_bytes <= 0:
            raise ValueError("the storage budget is a positive number of bytes")
        self.root = root
        self.budget = budget_bytes
        self.incoming = root / "incoming"
        self._partial = root / "partial"
        self._quarantine = root / "quarantine"
        self._mutex = threading.RLock()
        with explained(root):
            for directory in (root, self.incoming, self._partial, self._quarantine):
                make_private(directory)
        self._index = BlobIndex(root / "index.sqlite")
        try:
            with explained(root):
                # Only now, as the store's one owner: these are nobody's unfinished work.
                for leftover in self._partial.iterdir():
                    leftover.unlink()
                self._sizes = scan(root)
        except BaseException:
            self._index.close()
            raise
        self._reserved = 0
        # Uses are put in order, not dated: where the clock was set back, the next one is still the latest.
        self._last_use = max([time.time_ns(), *map(self._used_at, self._sizes)])

    def close(self) -> None:
        """Lets another process open the store."""
        self._index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------ putting

    def put_bytes(self, data: bytes, *, pin: str | None = None) -> Digest:
        """Stores `data`; it is on the disk when this returns. Already there: only its use is noted.

        `pin` names an owner who keeps it from the first moment, before anything else can be put and push it
        out.

        Raises:
            Fatal: no room on the disk (`DISK_FULL`).
            Transient: with everything unpinned gone, no room in the budget. Rounds of strangers fill it too,
                and must not end the node.
        """
        digest = digest_of(data)
        if pin is not None:
            self.pin(digest, pin)
        if self._present(digest, len(data)):
            return digest
        with self._reserve(len(data)), explained(self.root), temporary(self._partial) as partial:
            with partial.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            self._adopt(partial, digest, len(data))
        return digest

    def put_file(
        self,
        path: Path,
        expected: Digest | None = None,
        *,
        move: bool = True,
        pin: str | None = None,
        fast: bool = False,
    ) -> Digest:
        """Stores the content of a regular file, hashed while it is read; `move` takes the file itself.

        Across file systems, or when other names of the file exist, it is copied, then removed. `pin` as for
        `put_bytes`. `fast`: its name is its BLAKE3 (`cid.names_file`), and no SHA-256 is taken.

        Raises:
            Rejected: `wrong-digest`: the content is not `expected` (the file stays where it is);
                `not-a-file`: a link, directory or device.
            Fatal, Transient: no room on the disk or in the budget, as for `put_bytes`.
        """
        source = inspect_source(path, same_disk_as=self._partial)
        known = expected is not None and self._present(expected, source.size)
        with (
            self._reserve(0 if known else source.size),
            explained(self.root),
            temporary(self._partial) as partial,
        ):
            in_place = move and source.movable
            digest, size = hash_into(path, None if in_place else partial, limit=source.size, fast=fast)
            if expected is not None and digest != expected:
                if fast or blake3_file(path if in_place else partial) != expected:
                    said = f"{'BLAKE3' if fast else 'SHA-256'} {digest.hex()}"
                    raise Rejected(f"{path.name} has {said}, not {expected.hex()}", reason="wrong-digest")
                digest = expected
            if pin is not None:
                self.pin(digest, pin)
            if self._present(digest, size):
                if move:
                    path.unlink()
                return digest
            self._adopt(path if in_place else partial, digest, size)
            if move and not in_place:
                path.unlink()
        return digest

    # ------------------------------------------------------------ reading

    def path(self, digest: bytes) -> Path | None:
        """Where the blob lies (not to be written), or None. Counts as a use; the content is not read again.

        What must not be collected while it is worked with has to be pinned.
        """
        with self._mutex:
            place = self._place(digest)
            if digest not in self._sizes:
                return None
            try:
                self._touch(place)
            except FileNotFoundError:  # removed by hand
                del self._sizes[digest]
                return None
            return place

    def has(self, digest: bytes) -> bool:
        """Whether the blob is stored. Not a use."""
        return self.size(digest) is not None

    def size(self, digest: bytes) -> int | None:
        """Bytes of a stored blob, None when it is not stored. Not a use."""
        with self._mutex:
            if digest in self._sizes and not self._place(digest).is_file():
                del self._sizes[digest]
            return self._sizes.get(digest)

    def read(self, digest: bytes, *, max_bytes: int) -> bytes:
        """The blob's content, verified against its digest.

        Raises:
            Rejected: `too-large`: more than `max_bytes`; nothing was read.
            Transient: not stored, or damaged on the disk and now in quarantine: fetch it (again).
        """
        place, size = self.path(digest), self.size(digest)
        if place is None or size is None:
            raise Transient(f"blob {digest.hex()} is not stored here")
        if size > max_bytes:
            raise Rejected(f"blob {digest.hex()} has {size} bytes, more than {max_bytes}", reason="too-large")
        data = read_capped(place, size)
        if data is None or not names_data(digest, data):
            self._set_aside(digest)
            raise Transient(f"blob {digest.hex()} was damaged on the disk and is set aside; fetch it again")
        return data

    def sound(self, digest: bytes) -> bool:
        """Whether the blob is stored and still has its digest; a damaged one is set aside.

        The file is read through: not on an event loop.
        """
        place = self.path(digest)
        if place is None:
            return False
        with suppress(OSError):
            if names_file(digest, place):
                return True
        self._set_aside(digest)
        return False

    # ------------------------------------------------------------ publishing

    def publish(self, digest: bytes) -> None:
        """Lets peers have the blob from now on, also after a restart; the flag belongs to the content.

        Raises:
            Rejected: `not-stored`.
        """
        if not self.has(digest):
            raise Rejected(f"blob {digest.hex()} is not stored here", reason="not-stored")
        self._index.set_public(digest, True)

    def unpublish(self, digest: bytes) -> None:
        """Makes the blob private again."""
        self._index.set_public(digest, False)

    def is_public(self, digest: bytes) -> bool:
        """Whether the blob was published."""
        return self._index.is_public(digest)

    def public(self) -> list[tuple[Digest, int]]:
        """What is stored and public, with its size."""
        with self._mutex:
            sizes = self._sizes
            return [(Digest(item), sizes[item]) for item in self._index.public() if item in sizes]

    def open_public(self, digest: bytes) -> Path | None:
        """Where a published blob lies; None for what is not stored and for what is private alike."""
        return self.path(digest) if self._index.is_public(digest) else None

    # ------------------------------------------------------------ keeping

    def pin(self, digest: bytes, owner: str) -> None:
        """Keeps the blob, stored already or not yet, until `owner` unpins it."""
        self._index.pin(digest, owner)

    def unpin(self, digest: bytes, owner: str) -> None:
        """Ends one owner's interest; the last one's end makes the blob collectable."""
        self._index.unpin([digest], owner)

    def unpin_owner(self, owner: str) -> None:
        """Ends an owner's interest in everything it pinned."""
        self._index.unpin(self._index.pinned_by(owner), owner)

    def keep_only(self, digests: Collection[bytes], owner: str) -> None:
        """Makes these all that an owner keeps: new ones are pinned before old ones are let go."""
        for digest in digests:
            self._index.pin(digest, owner)
        self._index.unpin([item for item in self._index.pinned_by(owner) if item not in digests], owner)

    def pins(self, digest: bytes) -> frozenset[str]:
        """Who keeps the blob."""
        return self._index.pins(digest)

    def owners(self) -> frozenset[str]:
        """Whoever keeps a blob."""
        return self._index.owners()

    def used(self) -> int:
        """Bytes of all stored blobs."""
        with self._mutex:
            return sum(self._sizes.values())

    def collect(self) -> Collected:
        """Deletes unpinned blobs, least recently used first, until the store is within its budget.

        Raises:
            Fatal: what is pinned alone exceeds the budget (`DISK_FULL`).
        """
        with self._mutex:
            report = self._make_room(0)
        if report.used > self.budget:
            raise Fatal(self._full(0), remedy=_MORE_ROOM, code=Exit.DISK_FULL)
        return report

    def _pinned_bytes(self) -> int:
        kept = self._index.pinned()
        return sum(size for digest, size in self._sizes.items() if digest in kept)

    def _make_room(self, wanted: int) -> Collected:
        used, limit = self.used(), self.budget - self._reserved - wanted
        kept = self._index.pinned()
        deleted: list[Digest] = []
        freed = 0
        if used > limit:
            for digest in sorted(set(self._sizes) - kept, key=self._used_at):
                if used - freed <= limit:
                    break
                with explained(self.root):
                    self._place(digest).unlink(missing_ok=True)
                freed += self._sizes.pop(digest)
                deleted.append(Digest(digest))
        report = Collected(tuple(deleted), freed, used - freed, self._pinned_bytes(), self.budget)
        if deleted:
            log.info(
                "blob.collected", deleted=len(deleted), freed=freed, used=report.used, pinned=report.pinned
            )
        return report

    # ------------------------------------------------------------ files

    def _place(self, digest: bytes) -> Path:
        return place_of(self.root, digest)

    def _present(self, digest: bytes, size: int) -> bool:
        return self.size(digest) == size and self.path(digest) is not None

    def _touch(self, place: Path) -> None:
        # Strictly increasing within a run: two uses in one clock tick keep their order.
        self._last_use = max(self._last_use + 1, time.time_ns())
        os.utime(place, ns=(self._last_use, self._last_use))

    def _used_at(self, digest: bytes) -> int:
        try:
            return self._place(digest).stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    @contextmanager
    def _reserve(self, size: int) -> Iterator[None]:
        """Holds room in the budget while a blob is written, collecting others for it if need be."""
        with self._mutex:
            # Whatever is deleted, what is pinned stays: see that it fits before deleting anything.
            if self._pinned_bytes() + self._reserved + size > self.budget:
                raise Transient(self._full(size), remedy=_MORE_ROOM, code=Exit.DISK_FULL)
            self._make_room(size)
            self._reserved += size
        try:
            yield
        finally:
            with self._mutex:
                self._reserved -= size

    def _adopt(self, written: Path, digest: Digest, size: int) -> None:
        """Gives a synced file its name."""
        written.chmod(0o400)
        with self._mutex:
            place = self._place(digest)
            make_private(place.parent.parent)
            make_private(place.parent)
            self._touch(written)
            written.rename(place)
            sync_directory(place.parent)
            self._sizes[digest] = size

    def _set_aside(self, digest: bytes) -> None:
        with self._mutex, explained(self.root):
            self._sizes.pop(digest, None)
            with suppress(FileNotFoundError):
                self._place(digest).rename(self._quarantine / digest.hex())
            kept = sorted(self._quarantine.iterdir(), key=lambda path: path.stat().st_mtime_ns)
            for oldest in kept[:-_QUARANTINE_KEPT]:
                oldest.unlink()
        log.error("blob.damaged", digest=bytes(digest))

    def _full(self, wanted: int) -> str:
        need = f"{wanted} bytes do not fit: " if wanted else ""
        return (
            f"{need}of the {self.used()} bytes in the blob store {self.root}, {self._pinned_bytes()} are "
            f"pinned, and {self._reserved} are being written; its budget is {self.budget}"
        )
