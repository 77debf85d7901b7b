"""A whole release, made of the newest commit: `scripts/test release`. Needs `scripts/setup --release`."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1500)]

ROOT = Path(__file__).resolve().parents[2]


def release(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.releasing", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1400, check=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trial."""
    out = tmp_path_factory.mktemp("release") / "trial"
    done = release("--out", out, "--unaudited", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"].keys() == {item.name for item in out.iterdir()}
    return out


def the(made: Path, ending: str) -> Path:
    (found,) = made.glob(f"*{ending}")
    return found


def test_the_sums_are_those_of_the_files(made: Path) -> None:
    lines = (made / "SHA256SUMS").read_text().splitlines()
    told = dict(reversed(line.split("  ")) for line in lines)
    assert told == {
        item.name: hashlib.sha256(item.read_bytes()).hexdigest()
        for item in made.iterdir()
        if item.name != "SHA256SUMS"
    }


def test_two_clones_agreed_on_a_wheel_with_the_dashboard(made: Path) -> None:
    names = zipfile.ZipFile(the(made, ".whl")).namelist()
    assert "jepanet/dashboard/index.html" in names and "jepanet/abi/RoundLens.json" in names
    assert not [name for name in names if name.endswith(".map") or "__pycache__" in name]
    assert the(made, ".tar.gz").stat().st_size > 100_000


def test_the_bill_names_what_is_in_the_wheel_and_what_it_needs(made: Path) -> None:
    bill: dict[str, Any] = json.loads(the(made, ".cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    parts = {item["bom-ref"]: item for item in bill["components"]}
    assert parts["npm/preact"]["scope"] == parts["pypi/torch"]["scope"] == "required"
    assert parts["npm/vite"]["scope"] == parts["pypi/pytest"]["scope"] == "excluded"
    assert parts["npm/preact"]["hashes"][0]["alg"] == "SHA-512"
    assert all(item.get("licenses") for item in parts.values())
    needs = {item["ref"]: set(item.get("dependsOn", ())) for item in bill["dependencies"]}
    assert {"pypi/libp2p", "npm/preact"} <= needs["jepanet"] and "pypi/zeroconf" not in needs["jepanet"]
    assert "pypi/zeroconf" in needs["pypi/libp2p"]


def test_changes_and_licences_are_told(made: Path) -> None:
    changes = the(made, ".changes.md").read_text()
    assert "### storage" in changes and "### contracts" in changes
    assert "| pypi/torch |" in the(made, ".licences.md").read_text()


def test_what_was_not_audited_is_said_or_nothing_is_made(made: Path, tmp_path: Path) -> None:
    told = json.loads(the(made, ".advisories.json").read_text())
    missing = [item["not_audited"] for item in told["services"] if item["not_audited"]]
    assert told["complete"] == (not missing)
    if not missing:
        pytest.skip("both services answered for every package")
    done = release("--out", tmp_path / "strict")
    assert done.returncode == 1 and done.stderr.count("NOT AUDITED") == len(missing)
    assert list(tmp_path.iterdir()) == []


def test_a_version_that_the_checkout_does_not_have_is_refused(tmp_path: Path) -> None:
    done = release("99.0.0", "--out", tmp_path / "other", "--unaudited")
    assert done.returncode == 1
    assert "not 99.0.0" in done.stderr and "has no section '## 99.0.0" in done.stderr
    assert list(tmp_path.iterdir()) == []
