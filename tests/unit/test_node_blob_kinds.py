"""A served file is counted as what its first bytes say, and no bytes make that fail."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from jepanet.federation.deltas.delta import DeltaHeader, encode_delta
from jepanet.learning.data.shards import shard_bytes
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.node.blob_kinds import kind_of
from jepanet.tensors import encode_tensors
from jepanet.traffic import BlobKind
from jepanet.types import Digest
from learning_shards import RECIPE, disc_shard, initial

pytestmark = pytest.mark.unit

WEIGHTS = {"weight": np.ones((2, 3), np.float32)}
DIGEST = Digest(bytes(32))

FILES: list[tuple[BlobKind, bytes]] = [
    ("model", model_bytes(initial(bytes(16)), ModelHeader.of(RECIPE, 1))),
    ("delta", encode_delta(WEIGHTS, DeltaHeader(DIGEST, DIGEST), "int8")),
    ("update", encode_tensors(WEIGHTS, {"kind": "update", "schema": 1})),
    ("remainder", encode_tensors(WEIGHTS, {"kind": "remainder", "schema": 1})),
    ("shard", shard_bytes(disc_shard(1))),
    ("document", b'{"kind":"model","schema":"jepanet.model.1"}'),
    ("document", b""),
    ("document", struct.pack("<Q", 1 << 62) + b"{"),
    ("document", struct.pack("<Q", 200_000) + b"[" * 200_000),
    ("other", encode_tensors(WEIGHTS, {"kind": ["model"], "schema": {"model": 1}})),
]


@pytest.mark.parametrize(
    ("kind", "data"), FILES, ids=[f"{number}-{kind}" for number, (kind, _) in enumerate(FILES)]
)
def test_a_file_is_what_its_first_bytes_say(tmp_path: Path, kind: BlobKind, data: bytes) -> None:
    (tmp_path / "blob").write_bytes(data)
    assert kind_of(tmp_path / "blob") == kind
