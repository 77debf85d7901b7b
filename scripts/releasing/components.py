"""Every locked package, Python's and npm's: how a user of the wheel meets it, its licence, what it needs.

Python packages are read as they are installed here; requirements.lock and package-lock.json name them.
"""

from __future__ import annotations

import base64
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from scripts.releasing.component import Component, Scope
from scripts.releasing.licences import stated_licence
from scripts.releasing.refusal import Refused

from jepanet.learning.simulators.packages import PINNED


def locked_components(root: Path) -> list[Component]:
    """Of a checkout at `root`, in order of their keys. Raises: Refused: others are installed than locked."""
    found = [*_python(root), *_npm(root)]
    return sorted({item.key: item for item in found}.values(), key=lambda item: item.key)


def direct_needs(root: Path, components: Iterable[Component]) -> list[str]:
    """Keys of what jepanet itself needs: what its wheel holds, and what pyproject.toml asks for."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    asked = {f"pypi/{canonicalize_name(Requirement(text).name)}" for text in project["dependencies"]}
    return [item.key for item in components if item.scope is Scope.SHIPPED or item.key in asked]


# ------------------------------------------------------------------ Python


def _python(root: Path) -> list[Component]:
    pins = pinned((root / "requirements.lock").read_text())
    wrong = [
        f"{name} {pin} is locked, {_version(name) or 'none'} is installed: run scripts/setup"
        for name, pin in pins.items()
        if _version(name) != pin
    ]
    if wrong:
        raise Refused(*wrong)
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras: Mapping[str, list[str]] = project["optional-dependencies"]
    required = _closure(project["dependencies"], pins)
    users = [text for extra, texts in extras.items() if extra != "dev" for text in texts]
    optional = _closure([*users, *PINNED], pins)
    found = []
    for name, pin in pins.items():
        known = metadata.metadata(name)
        scope = Scope.REQUIRED if name in required else Scope.OPTIONAL if name in optional else Scope.TOOL
        needs = tuple(f"pypi/{item}" for item in sorted(_needed(name) & pins.keys()))
        found.append(Component("pypi", name, pin, scope, stated_licence(known), needs))
    return found


def pinned(text: str) -> dict[str, str]:
    """Versions of a lock, by canonical name."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return None


def _needed(name: str) -> set[str]:
    parsed = (Requirement(text) for text in metadata.requires(name) or ())
    return {
        canonicalize_name(item.name)
        for item in parsed
        if item.marker is None or item.marker.evaluate({"extra": ""})
    }


def _closure(requirements: Iterable[str], pins: Mapping[str, str]) -> set[str]:
    found: set[str] = set()
    due = [canonicalize_name(Requirement(text).name) for text in requirements]
    while due:
        name = due.pop()
        if name in pins and name not in found:
            found.add(name)
            # What simulators' package asks for beside its environments is never installed.
            due += [] if name == "stable-worldmodel" else _needed(name)
    return found


# ------------------------------------------------------------------ npm


def _npm(root: Path) -> list[Component]:
    packages = json.loads((root / "package-lock.json").read_text())["packages"]
    shipped = _shipped_of_npm(root, packages)
    found = []
    for path, item in packages.items():
        name = path.rpartition("node_modules/")[2]
        if not name:
            continue
        scope = Scope.SHIPPED if name in shipped else Scope.TOOL
        needs = sorted(f"npm/{needed}" for needed in item.get("dependencies", ()))
        algorithm, _, digest = item.get("integrity", "").partition("-")
        sha512 = base64.b64decode(digest).hex() if algorithm == "sha512" else ""
        licence = str(item.get("license", ""))
        found.append(Component("npm", name, item["version"], scope, licence, tuple(needs), sha512))
    known = {item.key for item in found}
    return [
        Component(item.kind, item.name, item.version, item.scope, item.licence,
                  tuple(needed for needed in item.needs if needed in known), item.sha512)
        for item in found
    ]  # fmt: skip


def _shipped_of_npm(root: Path, packages: Mapping[str, Mapping[str, object]]) -> set[str]:
    """What the dashboard's scripts and the contracts' bytecode are built of, with what those need."""
    sources = [*(root / "dashboard/src").rglob("*.ts*"), *(root / "contracts/src").rglob("*.sol")]
    named = re.compile(r"""^\s*import\b[^;]*?["'](@[\w.-]+/[\w.-]+|[\w-][\w.-]*)(?:/[^"']*)?["']""", re.M)
    due = [name for path in sources for name in named.findall(path.read_text())]
    found: set[str] = set()
    while due:
        name = due.pop()
        if name not in found:
            found.add(name)
            needed = packages[f"node_modules/{name}"].get("dependencies", {})
            assert isinstance(needed, dict)
            due += needed
    return found
