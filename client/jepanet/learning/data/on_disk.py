"""A dataset on disk, as its proposer sees it: the public files and the sealed ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

from jepanet.cid import digest_file
from jepanet.errors import Exit, Fatal, JepanetError, Rejected
from jepanet.files import kept
from jepanet.learning.data.manifest import MAX_MANIFEST_BYTES, DatasetManifest
from jepanet.tensors import canonical_json, parse_json
from jepanet.types import Digest

MANIFEST = "manifest.json"
SEALED = "sealed"
SEALED_LIST = f"{SEALED}/sealed.json"
SCHEMA = "jepanet.sealed.1"


class Damaged(Fatal):
    """A dataset's files are not what was written. `build` with the same options makes those again."""

    def __init__(self, directory: Path, why: str) -> None:
        super().__init__(
            f"{directory}: {why}",
            remedy="run the `jepanet dataset build` that made it again: what is damaged is recorded anew",
            code=Exit.DATASET,
        )


@dataclass(frozen=True, slots=True)
class SealedShard:
    """An evaluation shard nobody may see before its round; the Merkle leaf hides it behind `blinding`."""

    index: int
    digest: Digest
    blinding: bytes
    """32 secret bytes, published with the shard."""
    path: Path

    def __repr__(self) -> str:
        return f"SealedShard(index={self.index}, blinding=***)"


@dataclass(frozen=True, slots=True)
class BuiltDataset:
    """A complete dataset in `directory`; the manifest's evaluation root is not yet set."""

    directory: Path
    manifest: DatasetManifest
    sealed: tuple[SealedShard, ...]

    def training_path(self, index: int) -> Path:
        return self.directory / f"training-{index:02d}.safetensors"

    @property
    def public_path(self) -> Path:
        return self.directory / "public.safetensors"

    @property
    def probe_path(self) -> Path:
        """Where the manifest names probe episodes."""
        return self.directory / "probe.safetensors"

    def evaluation_path(self, index: int) -> Path:
        return self.sealed[index].path


class SealedEntry(TypedDict):
    """One shard of `sealed.json`, its bytes in hex."""

    index: int
    digest: str
    blinding: str


class SealedList(TypedDict):
    """Content of `sealed.json`, as this program wrote it."""

    schema: str
    seed: str
    shards: list[SealedEntry]


def sealed_bytes(secret: bytes, sealed: Sequence[SealedShard]) -> bytes:
    """Content of `sealed.json`; private to the proposer."""
    shards = [
        {"index": shard.index, "digest": shard.digest.hex(), "blinding": shard.blinding.hex()}
        for shard in sealed
    ]
    return canonical_json({"schema": SCHEMA, "seed": secret.hex(), "shards": shards})


def open_built(directory: Path) -> BuiltDataset:
    """Opens a finished dataset and checks the digest of every file. Needs neither simulator nor torch.

    Raises:
        Damaged: it is incomplete, or a file is not what was written; building it again mends it.
        Fatal: `DATASET` when its secrets are readable by others.
    """
    try:
        manifest = DatasetManifest.from_bytes(_whole(directory / MANIFEST, "dataset manifest"))
        secrets = directory / SEALED_LIST
        tree = cast(SealedList, parse_json(_whole(secrets, "sealed list"), max_bytes=1 << 20, what="sealed"))
        sealed = tuple(_sealed(item, directory) for item in tree["shards"])
    except (JepanetError, KeyError, TypeError, ValueError) as error:
        raise Damaged(directory, f"is not a complete dataset: {error}") from error
    if secrets.stat().st_mode & 0o077:
        raise Fatal(f"{secrets} can be read by others", remedy=f"chmod 600 {secrets}", code=Exit.DATASET)
    built = BuiltDataset(directory, manifest, sealed)
    if [shard.index for shard in sealed] != list(range(manifest.evaluation.count)):
        raise Damaged(directory, "lists other evaluation shards than its manifest counts")
    expected = [(built.training_path(index), entry.digest) for index, entry in enumerate(manifest.training)]
    expected.append((built.public_path, manifest.public.digest))
    if manifest.probe is not None:
        expected.append((built.probe_path, manifest.probe.digest))
    expected += [(shard.path, shard.digest) for shard in sealed]
    for path, digest in expected:
        if not path.is_file() or digest_file(path) != digest:
            raise Damaged(directory, f"{path.name} is missing or differs from its digest")
    return built


def _sealed(item: SealedEntry, directory: Path) -> SealedShard:
    index = item["index"]
    if type(index) is not int or not 0 <= index < 256:
        raise Rejected("sealed list: index must be in 0..255", reason="malformed")
    digest, blinding = bytes.fromhex(item["digest"]), bytes.fromhex(item["blinding"])
    if len(digest) != 32 or len(blinding) != 32:
        raise Rejected("sealed list: digest and blinding have 32 bytes", reason="malformed")
    return SealedShard(index, Digest(digest), blinding, directory / SEALED / f"shard-{index:03d}.safetensors")


def _whole(path: Path, what: str) -> bytes:
    data = kept(path, MAX_MANIFEST_BYTES)
    if data is None:
        raise Rejected(f"{what} {path.name} is missing or differs from its digest", reason="damaged")
    return data
