"""What is installed: versions, and which contracts this program speaks to."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from jepanet import __version__
from jepanet.chain.contracts.abi import abi_digest
from jepanet.operations.views.local import Installation


def installation() -> Installation:
    """Of this process's environment; nothing heavy is loaded for it.

    Raises: Fatal: the contracts' ABI is missing (exit code `INCOMPATIBLE`).
    """
    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = None
    return Installation(__version__, platform.python_version(), torch, abi_digest().hex())
