"""What is built to be installed holds everything the package reads, and works where there is no checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from jepanet.chain.contracts.abi import abi_digest
from jepanet.learning.presets import PRESETS

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
OFFLINE = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check")


def run(*command: object, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that pip makes of that alone."""
    folder = tmp_path_factory.mktemp("built")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, folder=ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    run(sys.executable, "-m", "pip", "wheel", *OFFLINE, "-w", folder, sdist, folder=folder)
    return folder


@pytest.fixture(scope="module")
def site(built: Path) -> Path:
    """The wheel, unpacked as an installation is."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(built / "site")
    return built / "site"


def files_of(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_sdist_holds_the_package_the_abi_and_nothing_of_the_workshop(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    kept = {f"client/{name}" for name in files_of(ROOT / "client")} | {
        f"abi/{name}" for name in files_of(ROOT / "abi")
    }
    alone = {"README.md", "LICENSE", "pyproject.toml", "PKG-INFO", ".gitignore"}
    assert names == kept | alone


def test_the_wheel_that_is_made_of_it_holds_everything_the_package_reads(site: Path) -> None:
    held = {name for name in files_of(site) if name.startswith("jepanet/")}
    assert held == files_of(ROOT / "client") | {f"jepanet/abi/{name}" for name in files_of(ROOT / "abi")}
    assert {f"jepanet/learning/recipes/{name}.toml" for name in PRESETS} < held
    assert "jepanet/py.typed" in held


def test_it_works_where_there_is_no_checkout(site: Path, tmp_path: Path) -> None:
    """Command line and Python of the unpacked wheel alone: recipes, ABIs, the public names, the examples."""
    alone = {"PYTHONPATH": str(site)}
    said = json.loads(run(sys.executable, "-m", "jepanet", "version", "--json", folder=tmp_path, **alone))
    assert said["abi"] == abi_digest().hex() and said["client"]
    code = (
        "import asyncio, pathlib, python_page; python_page.notebook(pathlib.Path.cwd());"
        "asyncio.run(python_page.play('Models in memory', {}));"
        "import jepanet; from jepanet import *; from jepanet.learning.presets import PRESETS;"
        "print(jepanet.__file__, len([PRESETS[name].digest() for name in PRESETS]))"
    )
    alone["PYTHONPATH"] += os.pathsep + str(ROOT / "tests")  # the examples and what they begin with
    file, count = run(sys.executable, "-c", code, folder=tmp_path, **alone).splitlines()[-1].split()
    assert (tmp_path / "delta.safetensors").is_file()
    assert Path(file).is_relative_to(site) and int(count) == len(PRESETS)
