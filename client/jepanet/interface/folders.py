"""Where commands keep things nobody gave a place: the folders of the XDG base directory specification.

Nothing is written into the working directory unless an option names it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jepanet.errors import Exit, Fatal

_NAME = "jepanet"


def data_folder(name: str) -> Path:
    """For what is worth keeping: development chains, comparisons. `$XDG_DATA_HOME/jepanet/NAME`."""
    from platformdirs import user_data_path

    return _found(user_data_path, "XDG_DATA_HOME") / name


def cache_folder(name: str) -> Path:
    """For what can be fetched again. `$XDG_CACHE_HOME/jepanet/NAME`."""
    from platformdirs import user_cache_path

    return _found(user_cache_path, "XDG_CACHE_HOME") / name


def state_folder(name: str) -> Path:
    """For what happened. `$XDG_STATE_HOME/jepanet/NAME`."""
    from platformdirs import user_state_path

    return _found(user_state_path, "XDG_STATE_HOME") / name


def _found(ask: Callable[[str], Path], variable: str) -> Path:
    try:
        path = ask(_NAME)
    except RuntimeError:  # platformdirs knows no home directory
        path = Path()
    if path.is_absolute():
        return path
    # With a relative one, it would be a folder in the working directory.
    raise Fatal(
        "there is no folder to keep things in: no home directory is known",
        remedy=f"set HOME or {variable} to an absolute path, or name a folder with the command's option",
        code=Exit.CONFIG,
    )
