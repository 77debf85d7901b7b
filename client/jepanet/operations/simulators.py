"""Packages of the simulators, put by pip into the environment that this program runs in.

Exact versions without requirements of their own, which no extra of a package can say. pip looks where the
environment is configured to look; it is started apart from the folder that the command is called in, so that
no file there is taken for a module of it.
"""

from __future__ import annotations

import importlib
import shlex
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from jepanet.errors import Exit, Fatal
from jepanet.learning.simulators.packages import PINNED
from jepanet.operations.views.local import PinnedPackage, SimulatorPackages

_PIP = ("-m", "pip", "install", "--no-deps", "--disable-pip-version-check", "--no-input")
_STANDARD_ERROR = 2
"""Its descriptor: standard output is for what the command answers."""


def found_packages() -> SimulatorPackages:
    """What of the simulators is installed here, and what would bring the rest.

    Raises:
        Fatal: this is no virtual environment (exit code `CONFIG`): what is installed would be the system's.
    """
    if sys.prefix == sys.base_prefix:
        raise Fatal(
            f"{sys.executable} is no virtual environment: packages would be replaced that the system uses",
            remedy="make one (python -m venv DIR), install jepanet in it, and call the jepanet of its bin",
            code=Exit.CONFIG,
        )
    packages = tuple(PinnedPackage(name, version, _installed(name)) for name, version in PINNED.items())
    due = [f"{item.name}=={item.version}" for item in packages if item.found != item.version]
    # -I: neither the working directory nor PYTHONPATH says what pip is.
    command = (sys.executable, "-I", *_PIP, *due) if due else ()
    return SimulatorPackages(Path(sys.prefix), packages, command)


def install_packages(found: SimulatorPackages) -> SimulatorPackages:
    """Runs the command, what pip prints on standard error; what is there afterwards.

    Raises:
        Fatal: there is no pip, it failed, or what it installed is not found here (exit code `TOOL_MISSING`).
    """
    if not found.command:
        return found
    line = shlex.join(found.command)
    if find_spec("pip") is None:
        raise Fatal(
            f"there is no pip in {found.environment}",
            remedy=f"install it ({sys.executable} -m ensurepip), or have another installer do: {line}",
            code=Exit.TOOL_MISSING,
        )
    ended = subprocess.run(found.command, stdin=subprocess.DEVNULL, stdout=_STANDARD_ERROR, check=False)
    if ended.returncode != 0:
        raise Fatal(
            f"pip ended with code {ended.returncode}: see above",
            remedy=f"correct that and call again, or call it yourself: {line}",
            code=Exit.TOOL_MISSING,
        )
    importlib.invalidate_caches()
    now = found_packages()
    if now.command:
        missing = [item.name for item in now.packages if item.found != item.version]
        raise Fatal(
            f"pip installed them, but not where this program looks: {', '.join(missing)}",
            remedy="look for options of pip in its configuration and environment (pip config list)",
            code=Exit.TOOL_MISSING,
        )
    return now


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
