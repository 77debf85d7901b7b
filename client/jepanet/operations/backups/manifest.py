"""What a backup says of itself: the node, the moment, and each file with size and digest.

manifest.json             this
node.toml                 as it was
deployment.json           the network's contracts
wallet/0x….json           the keystore, encrypted as it was
journal.sqlite            a copy that says it is one (`storage.held`)
commands.sqlite           transactions of commands, if there are any
node.key                  the network identity
paused.json               the roles that the operator paused, if any
blobs.sqlite, blobs/…     what is public and who keeps what; sealed deltas, named by digest
dataset/…                 a proposer's, with the secrets of its sealed shards
allowed.txt               a proposer's list of who may commit
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, ClassVar

from jepanet.records.codec import Codec, rejected
from jepanet.records.marks import PRINTABLE, SAFE_INTEGER, Form, OneOf, Range, Size
from jepanet.types import Address, Digest

SCHEMA = "jepanet.backup.1"
MANIFEST = "manifest.json"
CONFIG = "node.toml"
DEPLOYMENT = "deployment.json"
JOURNAL = "journal.sqlite"
COMMANDS = "commands.sqlite"
NODE_KEY = "node.key"
PAUSED = "paused.json"
BLOB_INDEX = "blobs.sqlite"
ALLOWED = "allowed.txt"
DATASET = "dataset/"
MAX_MANIFEST_BYTES = 8 << 20
MAX_FILES = 20_000
MAX_NAME = 100
"""Characters: what a plain header of a tar file holds."""

_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30
_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_MOST = (
    (re.compile(r"node\.toml|deployment\.json|allowed\.txt"), _MIB),
    (re.compile(r"wallet/0x[0-9a-fA-F]{40}\.json"), 64 * _KIB),
    (re.compile(r"node\.key"), _KIB),
    (re.compile(r"paused\.json"), 4 * _KIB),
    (re.compile(r"(?:journal|commands|blobs)\.sqlite"), 256 * _GIB),
    (re.compile(r"blobs/[0-9a-f]{64}"), 64 * _GIB),
    (re.compile(rf"dataset/{_SEGMENT}(?:/{_SEGMENT}){{0,2}}"), 8 * _GIB),
)
_IN_DATA = {JOURNAL, COMMANDS, PAUSED}


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the archive: its name there, bytes, SHA-256."""

    name: Annotated[str, Size(1, MAX_NAME), PRINTABLE]
    size: Annotated[int, Range(0, 256 * _GIB)]
    digest: Digest


@dataclass(frozen=True, slots=True)
class Manifest:
    """The first file of an archive; the others follow in its order."""

    made: Annotated[int, Range(0, SAFE_INTEGER), "unix seconds"]
    client: Annotated[str, Size(1, 64), PRINTABLE, "version of the program that made it"]
    stopped: Annotated[bool, "whether the node did not run meanwhile"]
    wallet: Address
    peer: Annotated[str, Size(0, 128), PRINTABLE, "peer id; empty where there is no key yet"]
    deployment: Annotated[str, Size(1, 128), PRINTABLE, "chain id and contract"]
    variables: Annotated[
        tuple[Annotated[str, Form(r"[A-Z0-9_]{1,128}", "a variable's name")], ...], Size(0, 256)
    ]
    files: Annotated[tuple[Entry, ...], Size(1, MAX_FILES)]
    schema: Annotated[str, OneOf((SCHEMA,))] = SCHEMA

    codec: ClassVar[Codec[Manifest]]


Manifest.codec = Codec(
    Manifest, "backup manifest", max_bytes=MAX_MANIFEST_BYTES, refuse=rejected("bad-backup")
)


def most_bytes(name: str) -> int | None:
    """The most bytes that a file of this name may have; None: no backup holds such a file."""
    if len(name) > MAX_NAME:
        return None
    return next((most for pattern, most in _MOST if pattern.fullmatch(name)), None)


def restored_place(name: str) -> PurePosixPath:
    """Where a file of an archive lies in a restored folder. `name` is one that `most_bytes` knows."""
    path = PurePosixPath(name)
    if name in _IN_DATA:
        return "data" / path
    if name == NODE_KEY:
        return PurePosixPath("data/p2p") / name
    if name == BLOB_INDEX:
        return PurePosixPath("data/blobs/index.sqlite")
    if path.parts[0] == "blobs":
        return PurePosixPath("data/blobs", path.name[:2], path.name[2:4], path.name)
    if name == CONFIG:
        return PurePosixPath("node.toml.original")
    return path
