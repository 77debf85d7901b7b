"""Which file a path stands for that names a configuration: itself, or the node.toml of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jepanet.errors import Exit, Fatal

NAME: Final = "node.toml"
_MOST_NAMED: Final = 8


def config_files(path: Path) -> tuple[Path, ...]:
    """The configurations of a file or folder: its own node.toml, or else those of its subfolders, by name.

    Raises: Fatal: a folder has none (exit code `CONFIG`).
    """
    if not path.is_dir():
        return (path,)
    own = path / NAME
    found = (own,) if own.exists() else tuple(sorted(path.glob(f"*/{NAME}")))
    if not found:
        raise Fatal(
            f"{path} holds no {NAME}, and none of its folders does",
            remedy="name a node's TOML file, or a folder that `jepanet init` or `jepanet quickstart` made",
            code=Exit.CONFIG,
        )
    return found


def config_file(path: Path) -> Path:
    """The one configuration of a file or folder. Raises: Fatal: it has none, or several (`CONFIG`)."""
    found = config_files(path)
    if len(found) > 1:
        names = [str(item.parent) for item in found]
        listed = ", ".join(names[:_MOST_NAMED]) + (" and more" if len(names) > _MOST_NAMED else "")
        raise Fatal(
            f"{path} holds {len(found)} nodes: {listed}",
            remedy=f"name one of them, for example --config {names[0]}",
            code=Exit.CONFIG,
        )
    return found[0]
