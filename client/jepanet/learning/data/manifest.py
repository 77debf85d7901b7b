"""The dataset manifest: which shards exist, how they were made, and the root that fixes the hidden ones.

Canonical JSON with digests in hex, so its own digest can stand on chain. Nothing in it lets anyone make
the evaluation shards again: their content comes from a secret seed that stays with the proposer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from jepanet.errors import Rejected
from jepanet.learning.data.scorable import LEAST_EPISODES_OF_A_SITE
from jepanet.learning.data.shards import MAX_EPISODES, MAX_SHARD_BYTES
from jepanet.tensors import canonical_json, parse_json
from jepanet.types import Digest

SCHEMA = "jepanet.dataset.1"
MAX_MANIFEST_BYTES = 1 << 20
MAX_TRAINING_SHARDS = 4096
MAX_EVALUATION_SHARDS = 256
"""The registry marks used shards in one 256-bit word."""
_HEX = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """A public shard: `site` number, SHA-256 of the file, its size and number of episodes."""

    site: int
    digest: Digest
    bytes: int
    episodes: int


@dataclass(frozen=True, slots=True)
class EvaluationEntry:
    """The hidden shards: how many, the Merkle root over them, episodes per shard, held-out site numbers."""

    count: int
    root: bytes | None
    """None until the proposer has built the tree; a manifest without root is not published."""
    episodes: int
    sites: tuple[int, ...]


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
    probe: ShardEntry
    """Frames of random appearance on which frames of reference are compared."""
    evaluation: EvaluationEntry

    def with_root(self, root: bytes) -> DatasetManifest:
        """The same manifest with the evaluation tree's root.

        Raises:
            ValueError: `root` is not 32 bytes.
        """
        if len(root) != 32:
            raise ValueError(f"a Merkle root has 32 bytes, not {len(root)}")
        return replace(self, evaluation=replace(self.evaluation, root=root))

    def to_bytes(self) -> bytes:
        """Canonical JSON; its SHA-256 is the dataset's digest."""
        evaluation = self.evaluation
        return canonical_json(
            {
                "schema": SCHEMA,
                "environment": self.environment,
                "builder": {"parameters": self.parameters, "seed": self.seed.hex()},
                "training": [_entry_tree(entry) for entry in self.training],
                "public": _entry_tree(self.public),
                "probe": _entry_tree(self.probe),
                "evaluation": {
                    "count": evaluation.count,
                    "root": None if evaluation.root is None else evaluation.root.hex(),
                    "episodes": evaluation.episodes,
                    "sites": list(evaluation.sites),
                },
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> DatasetManifest:
        """Parses a manifest from the network.

        Raises:
            Rejected: over 1 MiB, not canonical JSON, or a field missing, unknown, mistyped or out of bounds.
        """
        tree = parse_json(data, max_bytes=MAX_MANIFEST_BYTES, what="dataset manifest")
        top = _fields(
            tree,
            {"schema", "environment", "builder", "training", "public", "probe", "evaluation"},
            "manifest",
        )
        if top["schema"] != SCHEMA:
            raise _bad(f"schema {str(top['schema'])[:40]!r} is not {SCHEMA!r}")
        environment = top["environment"]
        if not isinstance(environment, str) or not 1 <= len(environment) <= 200:
            raise _bad("environment must be a short text")
        builder = _fields(top["builder"], {"parameters", "seed"}, "builder")
        parameters = builder["parameters"]
        if not isinstance(parameters, dict) or len(parameters) > 64:
            raise _bad("builder.parameters must be an object of at most 64 integers")
        training = top["training"]
        if not isinstance(training, list) or not 1 <= len(training) <= MAX_TRAINING_SHARDS:
            raise _bad(f"there must be 1 to {MAX_TRAINING_SHARDS} training shards")
        evaluation = _fields(top["evaluation"], {"count", "root", "episodes", "sites"}, "evaluation")
        sites = evaluation["sites"]
        if not isinstance(sites, list) or not 1 <= len(sites) <= 1024:
            raise _bad("evaluation.sites must list 1 to 1024 sites")
        root = evaluation["root"]
        manifest = cls(
            environment=environment,
            parameters={name: _whole(value, -(2**53), 2**53, name) for name, value in parameters.items()},
            seed=_bytes(builder["seed"], "builder.seed"),
            training=tuple(_entry(item, f"training[{index}]") for index, item in enumerate(training)),
            public=_entry(top["public"], "public"),
            probe=_entry(top["probe"], "probe"),
            evaluation=EvaluationEntry(
                count=_whole(evaluation["count"], 1, MAX_EVALUATION_SHARDS, "evaluation.count"),
                root=None if root is None else _bytes(root, "evaluation.root"),
                episodes=_whole(evaluation["episodes"], 1, MAX_EPISODES, "evaluation.episodes"),
                sites=tuple(_whole(site, 0, 2**31 - 1, "site") for site in sites),
            ),
        )
        hidden = set(manifest.evaluation.sites)
        if shared := hidden & {manifest.public.site, *(entry.site for entry in manifest.training)}:
            raise _bad(f"evaluation.sites: {min(shared)} is trained on as well")
        least = LEAST_EPISODES_OF_A_SITE * len(manifest.evaluation.sites)
        if len(hidden) != len(manifest.evaluation.sites) or manifest.evaluation.episodes < least:
            raise _bad(
                f"evaluation.episodes must be at least {least}, {LEAST_EPISODES_OF_A_SITE} of each site"
            )
        return manifest


def _entry_tree(entry: ShardEntry) -> dict[str, Any]:
    return {
        "site": entry.site,
        "digest": entry.digest.hex(),
        "bytes": entry.bytes,
        "episodes": entry.episodes,
    }


def _entry(tree: Any, where: str) -> ShardEntry:
    raw = _fields(tree, {"site", "digest", "bytes", "episodes"}, where)
    return ShardEntry(
        site=_whole(raw["site"], 0, 2**31 - 1, f"{where}.site"),
        digest=Digest(_bytes(raw["digest"], f"{where}.digest")),
        bytes=_whole(raw["bytes"], 1, MAX_SHARD_BYTES, f"{where}.bytes"),
        episodes=_whole(raw["episodes"], 1, MAX_EPISODES, f"{where}.episodes"),
    )


def _fields(tree: Any, names: set[str], where: str) -> dict[str, Any]:
    if not isinstance(tree, dict) or set(tree) != names:
        raise _bad(f"{where} must be an object with exactly the fields {', '.join(sorted(names))}")
    return tree


def _whole(value: Any, low: int, high: int, where: str) -> int:
    if type(value) is not int or not low <= value <= high:
        raise _bad(f"{where} must be an integer in [{low}, {high}]")
    return value


def _bytes(value: Any, where: str) -> bytes:
    if not isinstance(value, str) or len(value) != 64 or not _HEX.fullmatch(value):
        raise _bad(f"{where} must be 64 lower-case hex digits")
    return bytes.fromhex(value)


def _bad(message: str) -> Rejected:
    return Rejected(f"dataset manifest: {message}", reason="bad-manifest")
