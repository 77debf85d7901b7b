"""What a stored file is, read off its first bytes. Bytes that are served are counted by it, nothing else."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from jepanet.errors import Rejected
from jepanet.learning.backbone_file import SCHEMA as BACKBONE
from jepanet.learning.data.schemas.registry import SCHEMAS
from jepanet.learning.model_file import SCHEMA as MODEL
from jepanet.tensors import MAX_HEADER_BYTES, header_of
from jepanet.traffic import BlobKind

_BY_SCHEMA: dict[str, BlobKind] = {
    MODEL: "model",
    BACKBONE: "model",
    **{schema.tag: "shard" for schema in SCHEMAS.values()},
}
_BY_KIND: dict[str, BlobKind] = {"update": "update", "remainder": "remainder", "delta": "delta"}


@lru_cache(maxsize=4096)
def kind_of(path: Path) -> BlobKind:
    """The kind of a file of the blob store. Names there are hashes: the same path is the same content.

    Files without tensors are documents. Raises: OSError for a file that cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(8 + MAX_HEADER_BYTES)
    try:
        header = header_of(head, what=path.name)
    except Rejected:
        return "document"
    kind, schema = header.get("kind"), header.get("schema")
    if isinstance(kind, str) and kind in _BY_KIND:
        return _BY_KIND[kind]
    return _BY_SCHEMA.get(schema, "other") if isinstance(schema, str) else "other"
