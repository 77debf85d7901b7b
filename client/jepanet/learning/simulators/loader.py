"""Loads single environments of stable-worldmodel.

The package imports its data, policy and training modules when it is imported, and with them libraries the
environments never use. The loader therefore gives Python the package's folders without running its
`__init__` files, and imports one environment's module alone.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import io
import sys
from pathlib import Path
from types import ModuleType

from jepanet.errors import Exit, Fatal
from jepanet.learning.simulators.packages import INSTALL, PINNED, SIMULATOR

PACKAGE = "stable_worldmodel"


def require_simulator() -> None:
    """Checks that the simulator is installed, without importing it.

    Raises:
        Fatal: it is missing or has another version (`DATASET`, with the remedy).
    """
    try:
        found = importlib.metadata.version(SIMULATOR)
    except importlib.metadata.PackageNotFoundError:
        raise Fatal("the simulator is not installed", remedy=INSTALL, code=Exit.DATASET) from None
    if found != PINNED[SIMULATOR]:
        raise Fatal(f"{SIMULATOR} is {found}, not {PINNED[SIMULATOR]}", remedy=INSTALL, code=Exit.DATASET)


def environment_module(folder: str) -> ModuleType:
    """`stable_worldmodel.envs.<folder>.env`, without running the `__init__` of the packages above it.

    Raises:
        Fatal: a library that the environment needs is missing (`DATASET`).
    """
    spec = importlib.util.find_spec(PACKAGE) if PACKAGE not in sys.modules else None
    if spec is not None and spec.submodule_search_locations:
        root = Path(next(iter(spec.submodule_search_locations)))
        _bare_package(PACKAGE, root)
        _bare_package(f"{PACKAGE}.envs", root / "envs")
    if f"{PACKAGE}.envs.{folder}" not in sys.modules and f"{PACKAGE}.envs" in sys.modules:
        above = Path(next(iter(sys.modules[f"{PACKAGE}.envs"].__path__)))
        _bare_package(f"{PACKAGE}.envs.{folder}", above / folder)
    # pygame greets on standard output, where the command line may be writing JSON.
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            for name in ("utils", "spaces"):
                setattr(sys.modules[PACKAGE], name, importlib.import_module(f"{PACKAGE}.{name}"))
            return importlib.import_module(f"{PACKAGE}.envs.{folder}.env")
        except ImportError as error:
            raise Fatal(f"the simulator needs {error.name}", remedy=INSTALL, code=Exit.DATASET) from error


def _bare_package(name: str, folder: Path) -> None:
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package
