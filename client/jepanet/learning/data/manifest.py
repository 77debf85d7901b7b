"""The dataset manifest: which shards exist, how they were made, and the root that fixes the hidden ones.

Canonical JSON with digests in hex, so its own digest can stand on chain. Nothing in it lets anyone make
the evaluation shards again: their content comes from a secret seed that stays with the proposer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from jepanet.errors import Rejected
from jepanet.learning.data.schemas.episodes import EPISODES
from jepanet.learning.data.schemas.registry import SCHEMAS
from jepanet.learning.data.scorable import LEAST_EPISODES_OF_A_SITE
from jepanet.learning.data.shards import MAX_EPISODES, MAX_SHARD_BYTES
from jepanet.records.codec import Codec, rejected
from jepanet.records.kinds import Spelling
from jepanet.records.marks import LeftOut, OneOf, Range, Size
from jepanet.types import Digest

SCHEMA = "jepanet.dataset.1"
MAX_MANIFEST_BYTES = 1 << 20
MAX_TRAINING_SHARDS = 4096
MAX_EVALUATION_SHARDS = 256
"""The registry marks used shards in one 256-bit word."""

SiteNumber = Annotated[int, Range(0, (1 << 31) - 1)]
Episodes = Annotated[int, Range(1, MAX_EPISODES)]


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """A public shard: `site` number, SHA-256 of the file, its size and number of episodes."""

    site: SiteNumber
    digest: Digest
    bytes: Annotated[int, Range(1, MAX_SHARD_BYTES)]
    episodes: Episodes


@dataclass(frozen=True, slots=True)
class EvaluationEntry:
    """The hidden shards: how many, the Merkle root over them, episodes per shard, held-out site numbers."""

    count: Annotated[int, Range(1, MAX_EVALUATION_SHARDS)]
    root: Annotated[
        bytes | None,
        Size(32, 32),
        "none until the proposer has built the tree; a manifest without root is not published",
    ]
    episodes: Episodes
    sites: Annotated[tuple[SiteNumber, ...], Size(1, 1024)]


@dataclass(frozen=True, slots=True)
class DatasetManifest:
    """Everything public about a dataset."""

    environment: str
    parameters: dict[str, int]
    """Of the builder."""
    seed: bytes
    """32 bytes from which the public shards can be built again."""
    training: tuple[ShardEntry, ...]
    public: ShardEntry
    """Warm-start shard."""
    probe: ShardEntry | None
    """Episodes of random appearance on which frames of reference are compared; None where no recipe for such
    data has solvers compare any."""
    evaluation: EvaluationEntry
    data: str = EPISODES.name
    """The kind of data in its shards, by the name of its schema."""
    licence: str = ""
    """Of what it was built from, where that is somebody's work; empty: a simulator played it."""

    def with_root(self, root: bytes) -> DatasetManifest:
        """The same manifest with the evaluation tree's root.

        Raises:
            ValueError: `root` is not 32 bytes.
        """
        if len(root) != 32:
            raise ValueError(f"a Merkle root has 32 bytes, not {len(root)}")
        return replace(self, evaluation=replace(self.evaluation, root=root))

    def to_bytes(self) -> bytes:
        """Canonical JSON; its SHA-256 is the dataset's digest. Raises: Rejected for a field out of bounds."""
        return _MANIFEST.encode(
            _Written(
                environment=self.environment,
                builder=_Builder(self.parameters, self.seed),
                training=self.training,
                public=self.public,
                probe=self.probe,
                evaluation=self.evaluation,
                data=self.data,
                licence=self.licence,
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> DatasetManifest:
        """Parses a manifest from the network.

        Raises:
            Rejected: over 1 MiB, not canonical JSON, or a field missing, unknown, mistyped or out of bounds.
        """
        written = _MANIFEST.decode(data)
        manifest = cls(
            environment=written.environment,
            parameters=written.builder.parameters,
            seed=written.builder.seed,
            training=written.training,
            public=written.public,
            probe=written.probe,
            evaluation=written.evaluation,
            data=written.data,
            licence=written.licence,
        )
        if manifest.probe is None and manifest.data == EPISODES.name:
            raise _bad(f"probe: a dataset of {manifest.data} has probe frames")
        for name in ("environment", "licence"):
            if not getattr(manifest, name).isprintable():  # both are shown in terminals
                raise _bad(f"{name} must have printable characters alone")
        hidden = set(manifest.evaluation.sites)
        if shared := hidden & {manifest.public.site, *(entry.site for entry in manifest.training)}:
            raise _bad(f"evaluation.sites: {min(shared)} is trained on as well")
        least = LEAST_EPISODES_OF_A_SITE * len(manifest.evaluation.sites)
        if len(hidden) != len(manifest.evaluation.sites) or manifest.evaluation.episodes < least:
            raise _bad(
                f"evaluation.episodes must be at least {least}, {LEAST_EPISODES_OF_A_SITE} of each site"
            )
        return manifest


@dataclass(frozen=True, slots=True)
class _Builder:
    parameters: Annotated[dict[str, int], Size(0, 64)]
    seed: Annotated[bytes, Size(32, 32)]


@dataclass(frozen=True, slots=True)
class _Written:
    """A manifest as it is written: what concerns the builder is an object of its own."""

    HEAD: ClassVar = {"schema": SCHEMA}

    environment: Annotated[str, Size(1, 200)]
    builder: _Builder
    training: Annotated[tuple[ShardEntry, ...], Size(1, MAX_TRAINING_SHARDS)]
    public: ShardEntry
    evaluation: EvaluationEntry
    probe: Annotated[ShardEntry | None, LeftOut()] = None
    data: Annotated[str, LeftOut(), OneOf(tuple(SCHEMAS))] = EPISODES.name
    licence: Annotated[str, LeftOut(), Size(0, 400)] = ""


_MANIFEST = Codec(
    _Written,
    "dataset manifest",
    max_bytes=MAX_MANIFEST_BYTES,
    spelling=Spelling(prefix=""),
    refuse=rejected("bad-manifest"),
)


def _bad(message: str) -> Rejected:
    return Rejected(f"dataset manifest: {message}", reason="bad-manifest")
