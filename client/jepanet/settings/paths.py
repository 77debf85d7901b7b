"""Where a node keeps its things."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jepanet.errors import Exit, Fatal


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a node keeps its things, all below its data directory."""

    root: Path

    @property
    def journal(self) -> Path:
        return self.root / "journal.sqlite"

    @property
    def blobs(self) -> Path:
        return self.root / "blobs"

    @property
    def network(self) -> Path:
        return self.root / "p2p"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def checkpoints(self) -> Path:
        """Of trainings that were begun, a folder a round: unlike `work` it outlives a restart."""
        return self.root / "checkpoints"

    @property
    def rpc(self) -> Path:
        """Tokens of who may call the node over JSON-RPC, a file a scope."""
        return self.root / "rpc"

    @property
    def paused(self) -> Path:
        """JSON: the roles that the operator paused."""
        return self.root / "paused.json"

    @property
    def status(self) -> Path:
        """JSON for `jepanet status`: written every few seconds while the node runs."""
        return self.root / "status.json"


def make_private(path: Path) -> None:
    """Makes a folder only its owner can enter. Raises: Fatal (exit code `CONFIG`) when it cannot be used."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.chmod(0o700)
    except OSError as error:
        raise Fatal(
            f"{path} cannot be used: {error}", remedy="choose another node.data_dir", code=Exit.CONFIG
        ) from error
