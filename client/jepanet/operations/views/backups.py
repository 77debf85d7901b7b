"""Answers about backups: what was kept, what was restored, what was released."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jepanet.types import Address


@dataclass(frozen=True, slots=True)
class BackedUp:
    """An archive: its bytes, SHA-256 (hex) and files, of which `sealed` are named by digest."""

    archive: Path
    bytes: int
    sha256: str
    files: int
    sealed: int
    stopped: bool
    """Whether the node did not run meanwhile."""
    missing: tuple[str, ...]
    """Digests (hex) of sealed files that the node's own store lacks or has damaged."""
    left_out: tuple[str, ...]
    """Files of the dataset that are links, hidden, or have names that no archive holds."""
    variables: tuple[str, ...]
    """Variables of the environment that count in the configuration, and are not in the archive."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A node's folder out of an archive, held until `jepanet node release`; what is left to do, in order."""

    folder: Path
    config: Path
    wallet: Address
    made: int
    """When the backup was made, unix seconds."""
    files: int
    next: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Released:
    """A restored node that may start. Nothing is signed for rounds up to `signs_after`, if it is a number."""

    wallet: Address
    unknown_transactions: int
    """Of this wallet, which the chain has and the journal does not know."""
    signs_after: int | None
