"""Where a training or a measurement in this process looks for backbones that its recipe trains beside."""

from __future__ import annotations

from contextlib import AbstractContextManager
from os import PathLike
from pathlib import Path

from jepanet.learning.backbone_file import backbones_in
from jepanet.work.backbone_places import places


def backbones_beside(folder: str | PathLike[str] | None) -> AbstractContextManager[None]:
    """Within it, a backbone is looked for in `folder`, then where JEPANET_BACKBONES says."""
    return backbones_in((*(() if folder is None else (Path(folder),)), *places()))
