"""What `jepanet simulator install` would do, and where it does nothing."""

from __future__ import annotations

import json
import sys
from importlib import metadata

import pytest
from click.testing import CliRunner

from jepanet.errors import Exit, Fatal
from jepanet.interface.cli import cli
from jepanet.learning.simulators import loader
from jepanet.learning.simulators.packages import PINNED, SIMULATOR
from jepanet.operations import simulators

pytestmark = pytest.mark.unit


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Versions that are installed, in a virtual environment."""
    versions = dict(PINNED)

    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(simulators.metadata, "version", version)
    monkeypatch.setattr(sys, "prefix", "/somewhere/else")
    return versions


def test_what_is_there_at_its_version_is_left_alone(found: dict[str, str]) -> None:
    plan = simulators.found_packages()
    assert plan.command == () and len(plan.packages) == len(PINNED)
    assert simulators.install_packages(plan) is plan, "no process: a unit test may start none"


def test_the_rest_is_named_exactly_and_without_its_requirements(found: dict[str, str]) -> None:
    del found["shapely"]
    found["gymnasium"] = "1.3.0"
    *begin, first, second = simulators.found_packages().command
    assert (first, second) == (f"gymnasium=={PINNED['gymnasium']}", f"shapely=={PINNED['shapely']}")
    assert begin[:2] == [sys.executable, "-I"] and "--no-deps" in begin
    result = CliRunner().invoke(cli, ["simulator", "install", "--dry-run", "--json"])
    assert result.exit_code == 0 and result.stderr.startswith("would call: ")
    assert json.loads(result.stdout)["command"] == [*begin, first, second]


def test_attack_the_systems_packages_are_never_replaced(
    found: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    with pytest.raises(Fatal, match="no virtual environment") as caught:
        simulators.found_packages()
    assert caught.value.code is Exit.CONFIG and "-m venv" in str(caught.value.remedy)


def test_without_pip_the_line_for_another_installer_is_said(
    found: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found.clear()
    monkeypatch.setattr(simulators, "find_spec", lambda _: None)
    with pytest.raises(Fatal, match="no pip") as caught:
        simulators.install_packages(simulators.found_packages())
    assert caught.value.code is Exit.TOOL_MISSING and f"{SIMULATOR}==" in str(caught.value.remedy)


def test_who_needs_a_simulator_is_told_the_command(
    found: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del found[SIMULATOR]
    with pytest.raises(Fatal) as caught:
        loader.require_simulator()
    found[SIMULATOR] = "0.1.0"
    with pytest.raises(Fatal, match=r"0\.1\.0, not") as other:
        loader.require_simulator()
    for error in (caught.value, other.value):
        assert error.code is Exit.DATASET and "jepanet simulator install" in str(error.remedy)
