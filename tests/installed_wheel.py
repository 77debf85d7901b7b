"""jepanet as it is installed from a wheel, and Python that has nothing but that.

The wheel is made of the sdist, by pip, without network; its dependencies are those of this environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_QUIET = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index")


def run(*command: object, folder: Path, **environment: str) -> str:
    """What the command printed. Raises: AssertionError: it failed."""
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def built(folder: Path) -> tuple[Path, Path]:
    """The sdist of this checkout, and the wheel that pip makes of that alone."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, folder=ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    pip = (sys.executable, "-m", "pip", "wheel", *_QUIET, "--no-build-isolation", "-w", folder, sdist)
    run(*pip, folder=folder)
    (wheel,) = folder.glob("*.whl")
    return sdist, wheel


def installed(wheel: Path, folder: Path) -> Path:
    """`folder`, where pip has installed the wheel: the package, and its command in `bin`."""
    pip = (sys.executable, "-m", "pip", "install", *_QUIET, "--no-compile", "--target", folder, wheel)
    run(*pip, folder=wheel.parent)
    return folder


def without_checkout(site: Path) -> dict[str, str]:
    """The environment in which Python finds jepanet there and, for what a test says, modules of `tests`."""
    return {"PYTHONPATH": os.pathsep.join((str(site), str(ROOT / "tests")))}
