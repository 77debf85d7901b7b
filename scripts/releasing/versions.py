"""One version everywhere, a changelog that tells of it, and what changed by component."""

from __future__ import annotations

import datetime
import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from packaging.version import InvalidVersion, Version
from scripts.releasing.refusal import run

_HEAD = re.compile(r"^## (?P<name>\S+)(?: - (?P<day>\d{4}-\d\d-\d\d))?$")
_BESIDE = ("tests", "docs", "benchmarks")
"""What goes with a change of something else, and names a commit's component only where nothing else does."""


def declared_version(root: Path) -> str:
    """What pyproject.toml says."""
    return str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])


def version_problems(root: Path) -> list[str]:
    """Where the version of pyproject.toml is not the package's own."""
    declared = declared_version(root)
    text = (root / "client/jepanet/__init__.py").read_text()
    found = re.findall(r'^__version__ = "(.*)"$', text, re.MULTILINE)
    return (
        []
        if found == [declared]
        else [f"pyproject.toml has version {declared}, client/jepanet/__init__.py has {', '.join(found)}"]
    )


# ------------------------------------------------------------------ the changelog


def sections(changelog: str) -> dict[str, tuple[str | None, str]]:
    """By version, `Unreleased` among them: its day, and its text."""
    found: dict[str, tuple[str | None, str]] = {}
    name, day, lines = "", None, list[str]()
    for line in [*changelog.splitlines(), "## end"]:
        head = _HEAD.match(line)
        if head is None:
            lines.append(line)
            continue
        if name:
            found[name] = (day, "\n".join(lines).strip())
        name, day, lines = head["name"], head["day"], []
    return found


def changelog_problems(changelog: str, release: str | None) -> list[str]:
    """What keeps a changelog from telling of `release`; of any release where that is None."""
    found = sections(changelog)
    problems, versions = [], []
    for name, (day, text) in found.items():
        if name == "Unreleased":
            continue
        try:
            versions.append(Version(name))
        except InvalidVersion:
            problems.append(f"docs/changelog.md: {name} is no version")
        if day is None or not _is_day(day):
            problems.append(f"docs/changelog.md: {name} has no day, as in '## {name} - 2027-01-31'")
        if not re.search(r"^- ", text, re.MULTILINE):
            problems.append(f"docs/changelog.md: {name} lists nothing")
    if versions != sorted(versions, reverse=True):
        problems.append("docs/changelog.md: the newest version comes first")
    if release is None:
        return problems
    if release not in found:
        problems.append(f"docs/changelog.md has no section '## {release} - {{day}}': head Unreleased so")
    elif re.search(r"^- ", found.get("Unreleased", (None, ""))[1], re.MULTILINE):
        problems.append(f"docs/changelog.md: what stands under Unreleased is not in {release}: move it")
    return problems


def _is_day(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


# ------------------------------------------------------------------ by component


def component_of(paths: Iterable[str]) -> str:
    """What a commit that touches these paths is about: where most of its files are."""
    counted = Counter(_component(path) for path in paths)
    main = {name: count for name, count in counted.items() if name not in _BESIDE} or counted
    return max(sorted(main), key=lambda name: main[name], default="everything else")


def _component(path: str) -> str:
    parts = path.split("/")
    if parts[:2] == ["client", "jepanet"]:
        return parts[2] if len(parts) > 3 else "client"
    return parts[0] if len(parts) > 1 else "everything else"


def changes(root: Path, commit: str, told: str, title: str) -> str:
    """Markdown: the changelog's text, then the commits since the version before, by component."""
    tags = run(["git", "tag", "--list", "v*", "--merged", commit, "--sort=-version:refname"], root).split()
    before = next((tag for tag in tags if tag != f"v{title}"), None)
    span = f"{before}..{commit}" if before else commit
    log = run(["git", "log", "--no-merges", "--name-only", "--format=%x00%h %s", span], root)
    grouped: dict[str, list[str]] = {}
    for entry in log.split("\0")[1:]:
        subject, *paths = [line for line in entry.splitlines() if line]
        grouped.setdefault(component_of(paths), []).append(subject)
    lines = [f"# jepanet {title}", "", told, "", f"## By component, since {before or 'the first commit'}"]
    for name in sorted(grouped):
        lines += ["", f"### {name}", "", *(f"- {subject}" for subject in grouped[name])]
    return "\n".join(lines) + "\n"
