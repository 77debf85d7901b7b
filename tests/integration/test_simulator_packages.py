"""`jepanet simulator install` with a real pip in an environment of its own, and packages of a folder."""

from __future__ import annotations

import json
import os
import subprocess
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

CLIENT = Path(__file__).resolve().parents[2] / "client"
CALL = """
import json, sys
from jepanet.errors import JepanetError
from jepanet.operations import simulators
simulators.PINNED = {"simulated-part": "2.0"}
try:
    plan = simulators.found_packages()
    done = simulators.install_packages(plan)
    print(json.dumps({"due": len(plan.command), "found": [item.found for item in done.packages]}))
except JepanetError as error:
    print(json.dumps({"code": error.code.name, "message": error.message}))
"""


def wheel(folder: Path, version: str) -> None:
    """A package without contents that requires one which there is not."""
    info = f"simulated_part-{version}.dist-info"
    with zipfile.ZipFile(folder / f"simulated_part-{version}-py3-none-any.whl", "w") as file:
        file.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: simulated-part\n"
            f"Version: {version}\nRequires-Dist: no-such-thing\n",
        )
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    return folder


def pip(environment: Path, *words: object) -> None:
    line = (environment / "bin/python", "-m", "pip", "--quiet", *map(str, words))
    subprocess.run(line, check=True, timeout=60)


def called(environment: Path, folder: Path, **more: str) -> dict[str, Any]:
    """What the call answered on standard output, which pip's own words are kept from."""
    done = subprocess.run(
        [environment / "bin/python", "-c", CALL],
        env={**os.environ, "PYTHONPATH": str(CLIENT), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull,
             "PIP_FIND_LINKS": str(folder), **more},
        cwd=folder, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_it_is_installed_once_whatever_it_requires(environment: Path, tmp_path: Path) -> None:
    for version in ("1.0", "2.0", "3.0"):
        wheel(tmp_path, version)
    pip(environment, "install", "--no-deps", "--no-index", "--find-links", tmp_path, "simulated-part==1.0")
    first = called(environment, tmp_path)
    assert first["due"] > 0 and first["found"] == ["2.0"], "the older one is replaced"
    assert called(environment, tmp_path) == {"due": 0, "found": ["2.0"]}


def test_what_pip_cannot_do_is_said(tmp_path: Path, environment: Path) -> None:
    pip(environment, "uninstall", "--yes", "simulated-part")
    failed = called(environment, tmp_path)
    assert failed["code"] == "TOOL_MISSING" and "code 1" in failed["message"]
    wheel(tmp_path, "2.0")
    elsewhere = called(environment, tmp_path, PIP_TARGET=str(tmp_path / "elsewhere"))
    assert elsewhere["code"] == "TOOL_MISSING" and "not where" in elsewhere["message"]


def test_attack_a_pip_in_the_working_directory_is_not_run(tmp_path: Path, environment: Path) -> None:
    trap = tmp_path / "sprung"
    (tmp_path / "pip.py").write_text(f"open({str(trap)!r}, 'w')\n")
    wheel(tmp_path, "2.0")
    called(environment, tmp_path, PYTHONPATH=os.pathsep.join((str(CLIENT), str(tmp_path))))
    assert not trap.exists()
