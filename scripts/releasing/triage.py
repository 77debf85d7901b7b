"""What somebody has looked at and let pass, with why: tools/release.toml."""

from __future__ import annotations

import datetime
import tomllib
from dataclasses import dataclass
from pathlib import Path

from scripts.releasing.refusal import Refused


@dataclass(frozen=True, slots=True)
class TriagedLicence:
    """A package that states what is not taken from anybody. `real`: what it has, if it states it wrongly."""

    package: str
    states: str
    reason: str
    real: str = ""


@dataclass(frozen=True, slots=True)
class TriagedAdvisory:
    """An advisory that does not reach what is released, until somebody looks again on day `until`."""

    package: str
    id: str
    until: datetime.date
    reason: str


@dataclass(frozen=True, slots=True)
class Triage:
    """Licences by package, advisories by package and id."""

    licences: dict[str, TriagedLicence]
    advisories: dict[tuple[str, str], TriagedAdvisory]


def read_triage(path: Path) -> Triage:
    """Raises: Refused: the file is not as it has to be, an entry has no reason, or two are for one thing."""
    tree = tomllib.loads(path.read_text())
    problems: list[str] = []
    licences: dict[str, TriagedLicence] = {}
    advisories: dict[tuple[str, str], TriagedAdvisory] = {}
    if tree.keys() - {"licence", "advisory"}:
        problems.append(f"{path}: it has [[licence]] and [[advisory]] only")
    for row in tree.get("licence", []):
        try:
            entry = TriagedLicence(**row)
        except TypeError as error:
            problems.append(f"{path}: a licence has package, states, reason and real: {error}")
            continue
        if entry.package in licences or not entry.reason.strip():
            problems.append(f"{path}: {entry.package} is there twice or without a reason")
        licences[entry.package] = entry
    for row in tree.get("advisory", []):
        try:
            found = TriagedAdvisory(**row)
        except TypeError as error:
            problems.append(f"{path}: an advisory has package, id, until and reason: {error}")
            continue
        if type(found.until) is not datetime.date:
            problems.append(f"{path}: until of {found.id} is a day, as 2027-01-31")
        if (found.package, found.id) in advisories or not found.reason.strip():
            problems.append(f"{path}: {found.id} is there twice or without a reason")
        advisories[found.package, found.id] = found
    if problems:
        raise Refused(*problems)
    return Triage(licences, advisories)
