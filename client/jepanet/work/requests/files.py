"""The files that jobs read: of a round, and to train on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jepanet.cid import digest_file
from jepanet.records.marks import Range, Size
from jepanet.types import Digest

UNSIZED = 1 << 40
"""`bytes` of a training shard of which nobody has said how large it is: as large as any may be."""


@dataclass(frozen=True, slots=True)
class RoundFiles:
    """The files every job about a round reads: base model, recipe and round spec."""

    base: Path
    recipe: Path
    spec: Path


@dataclass(frozen=True, slots=True)
class EvaluationFiles:
    """An unsealed evaluation shard, and the dataset manifest that announced it."""

    shard: Path
    manifest: Path
    beacon: Annotated[bytes | None, Size(32, 32)] = None
    """The round's, which chooses the episodes where it is measured over a part of them."""


@dataclass(frozen=True, slots=True)
class TrainingShard:
    """A shard to train on, and where its file lies, or will lie."""

    path: Path
    digest: Digest
    """Held against the file's content before any of it is used."""
    bytes: Annotated[int, Range(1, UNSIZED)]
    """Its size; a file that is larger is refused."""
    awaited: bool = False
    """Whether whoever asks brings the file while the job trains on others."""

    @classmethod
    def of(cls, path: Path) -> TrainingShard:
        """A file of one's own, as it is now."""
        return cls(path, digest_file(path), path.stat().st_size)
