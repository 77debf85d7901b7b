"""What the files of a blob store cannot say themselves: which digests are public, and who keeps which.

Held in memory and written through: a change is on the disk when the call returns. Flags belong to content,
not to a file, so they outlive a blob that is collected and fetched again.
"""

from __future__ import annotations

import threading
from pathlib import Path

from jepanet.storage.database import Database, Schema

INDEX = Schema(
    what="blob index",
    application_id=0x6A657062,  # "jepb"
    migrations=(
        (
            "CREATE TABLE public (digest BLOB PRIMARY KEY CHECK (length(digest) = 32)) STRICT, WITHOUT ROWID",
            """CREATE TABLE pins (
                digest BLOB NOT NULL CHECK (length(digest) = 32),
                owner TEXT NOT NULL,
                PRIMARY KEY (digest, owner)
            ) STRICT, WITHOUT ROWID""",
        ),
    ),
    remedy="stop the node and delete the index: blobs stay, but all become private and unpinned until their "
    "rounds publish and pin them again",
)


class BlobIndex:
    """Public flags and pins. Any thread may call. Its lock file makes one process the store's owner.

    Raises (constructor):
        Fatal: as `Database`.
    """

    def __init__(self, path: Path) -> None:
        self._mutex = threading.RLock()
        self._db = Database(path, INDEX)
        self._public = {bytes(row[0]) for row in self._db.rows("SELECT digest FROM public")}
        self._pins: dict[bytes, set[str]] = {}
        for digest, owner in self._db.rows("SELECT digest, owner FROM pins"):
            self._pins.setdefault(digest, set()).add(owner)

    def close(self) -> None:
        """Lets another process open the index."""
        self._db.close()

    def set_public(self, digest: bytes, public: bool) -> None:
        """Sets the flag (on the disk, then in memory) or clears it (the other way: never public too long)."""
        with self._mutex:
            if not public:
                self._public.discard(digest)
            statement = "INSERT INTO public VALUES (?) ON CONFLICT DO NOTHING"
            with self._db.transaction() as sql:
                sql.execute(statement if public else "DELETE FROM public WHERE digest = ?", (digest,))
            if public:
                self._public.add(digest)

    def is_public(self, digest: bytes) -> bool:
        """Whether the flag is set."""
        with self._mutex:
            return digest in self._public

    def public(self) -> frozenset[bytes]:
        """Every digest whose flag is set."""
        with self._mutex:
            return frozenset(self._public)

    def pin(self, digest: bytes, owner: str) -> None:
        """Adds an owner."""
        with self._mutex:
            with self._db.transaction() as sql:
                sql.execute("INSERT INTO pins VALUES (?, ?) ON CONFLICT DO NOTHING", (digest, owner))
            self._pins.setdefault(digest, set()).add(owner)

    def unpin(self, digests: list[bytes], owner: str) -> None:
        """Removes an owner from several digests at once."""
        with self._mutex:
            with self._db.transaction() as sql:
                sql.executemany(
                    "DELETE FROM pins WHERE digest = ? AND owner = ?", [(digest, owner) for digest in digests]
                )
            for digest in digests:
                owners = self._pins.get(digest, set())
                owners.discard(owner)
                if not owners:
                    self._pins.pop(digest, None)

    def pins(self, digest: bytes) -> frozenset[str]:
        """The owners of one digest."""
        with self._mutex:
            return frozenset(self._pins.get(digest, ()))

    def pinned(self) -> frozenset[bytes]:
        """Every digest with an owner."""
        with self._mutex:
            return frozenset(self._pins)

    def owners(self) -> frozenset[str]:
        """Whoever keeps something."""
        with self._mutex:
            return frozenset[str]().union(*self._pins.values())

    def pinned_by(self, owner: str) -> list[bytes]:
        """What one owner keeps."""
        with self._mutex:
            return [digest for digest, owners in self._pins.items() if owner in owners]
