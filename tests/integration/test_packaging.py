"""What is built to be installed holds everything the package reads, and works where there is no checkout."""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path

import pytest

from installed_wheel import ROOT, built, installed, run, without_checkout
from jepanet.chain.contracts.abi import abi_digest
from jepanet.learning.presets import PRESETS

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel that pip makes of that alone."""
    return built(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def site(packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel is installed."""
    return installed(packages[1], tmp_path_factory.mktemp("installed"))


def files_of(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_sdist_holds_the_package_the_abi_and_nothing_of_the_workshop(
    packages: tuple[Path, Path],
) -> None:
    with tarfile.open(packages[0]) as archive:
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
    assert "jepanet/dashboard/index.html" in held, "scripts/setup builds the dashboard"


def test_it_works_where_there_is_no_checkout(site: Path, tmp_path: Path) -> None:
    """Command line and Python of the installed wheel alone: recipes, ABIs, the public names, the examples."""
    alone = without_checkout(site)
    for command in ((sys.executable, "-m", "jepanet"), (site / "bin/jepanet",)):
        said = json.loads(run(*command, "version", "--json", folder=tmp_path, **alone))
        assert said["abi"] == abi_digest().hex() and said["client"]
    listed = json.loads(run(site / "bin/jepanet", "recipe", "list", "--json", folder=tmp_path, **alone))
    assert {item["name"] for item in listed} == set(PRESETS)
    code = (
        "import asyncio, pathlib, python_page; python_page.notebook(pathlib.Path.cwd());"
        "asyncio.run(python_page.play('Models in memory', {}));"
        "import jepanet; from jepanet import *; from jepanet.learning.presets import PRESETS;"
        "print(jepanet.__file__, len([PRESETS[name].digest() for name in PRESETS]))"
    )
    file, count = run(sys.executable, "-c", code, folder=tmp_path, **alone).splitlines()[-1].split()
    assert (tmp_path / "delta.safetensors").is_file()
    assert Path(file).is_relative_to(site) and int(count) == len(PRESETS)
