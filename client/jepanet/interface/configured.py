"""The type of every option that takes a node's configuration: a file, or a folder that holds one."""

from __future__ import annotations

from os import PathLike, fsdecode
from pathlib import Path

import click


class _ConfigFile(click.Path):
    """What a command gets is the file."""

    def convert(
        self, value: str | PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        from jepanet.settings.config_file import config_file

        return config_file(Path(fsdecode(super().convert(value, param, ctx))))


CONFIG_FILE = _ConfigFile(path_type=Path)
"""Raises: Fatal: a folder holds no node, or several, which are named."""
