"""Where the processes of a worker look for backbones: an operator's folder, and a node's blob store."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

_VARIABLE = "JEPANET_BACKBONES"


def told(folders: Sequence[Path]) -> Mapping[str, str]:
    """What tells a worker, and the processes that it starts in turn, beside what its own process was told."""
    named = [*map(str, folders), *os.environ.get(_VARIABLE, "").split(os.pathsep)]
    return {_VARIABLE: os.pathsep.join(filter(None, dict.fromkeys(named)))}


def places() -> tuple[Path, ...]:
    """Those folders, in the order in which they are looked through."""
    return tuple(map(Path, filter(None, os.environ.get(_VARIABLE, "").split(os.pathsep))))
