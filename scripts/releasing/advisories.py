"""What is known against the locked packages, as pip-audit and npm audit tell it, held against the triage.

An audit that did not look at everything is none: a service that is out of reach, or a package that it does
not know, makes a release fail unless it is called with --unaudited, and then the release says so.
"""

from __future__ import annotations

import datetime
import json
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.releasing.triage import Triage


@dataclass(frozen=True, slots=True, order=True)
class Advisory:
    """Something that is known against a package."""

    package: str
    version: str
    id: str
    about: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What one service said. `missing`: why it is no audit; empty where it is one."""

    service: str
    found: tuple[Advisory, ...]
    missing: str = ""


def audit_all(root: Path) -> list[Audit]:
    """Asks both services at once, of every lock at `root`: also tools run with the rights of who releases."""
    pip_audit = root / ".venv/release/bin/pip-audit"
    options = ("--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off")
    locks = [root / "requirements.lock", *sorted((root / "tools").glob("*.lock"))]
    names = [str(lock.relative_to(root)) for lock in locks]
    python = [[pip_audit, "--requirement", name, *options] for name in names]
    npm = ["npm", "audit", "--package-lock-only", "--json"]
    with ThreadPoolExecutor() as calls:
        *told, told_by_npm = calls.map(lambda command: _answer(command, root), [*python, npm])
    found = [of_pip_audit(answer, f"pip-audit of {name}") for name, answer in zip(names, told, strict=True)]
    return [*found, of_npm_audit(told_by_npm)]


def _answer(command: Sequence[str | Path], root: Path) -> Any:
    """The JSON that it printed, whatever its exit status; a text where it printed none."""
    try:
        done = subprocess.run(
            list(map(str, command)), cwd=root, capture_output=True, text=True, timeout=900, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}")[-300:]


def of_pip_audit(answer: Any, service: str = "pip-audit") -> Audit:
    """From the JSON of pip-audit."""
    if not isinstance(answer, dict) or not isinstance(answer.get("dependencies"), list):
        return Audit(service, (), f"no answer: {_short(answer)}")
    found, skipped = [], []
    for item in answer["dependencies"]:
        name = f"pypi/{item['name']}"
        if "skip_reason" in item:
            skipped.append(item["name"])
        for known in item.get("vulns", ()):
            about = str(known.get("description", "")).partition("\n")[0]
            found.append(Advisory(name, item["version"], known["id"], about[:200]))
    missing = ""
    if skipped:
        missing = f"{len(skipped)} of {len(answer['dependencies'])} packages could not be looked up: "
        missing += ", ".join(skipped[:3]) + (", …" if len(skipped) > 3 else "")
    return Audit(service, tuple(sorted(found)), missing)


def of_npm_audit(answer: Any) -> Audit:
    """From the JSON of npm audit."""
    service = "npm audit"
    if not isinstance(answer, dict) or not isinstance(answer.get("vulnerabilities"), dict):
        told = answer.get("message", answer) if isinstance(answer, dict) else answer
        return Audit(service, (), f"no answer: {_short(told)}")
    found = set()
    for item in answer["vulnerabilities"].values():
        for known in item["via"]:
            if isinstance(known, dict):  # else the name of another entry, which has it
                told = str(known.get("url", known.get("source", ""))).rpartition("/")[2]
                found.add(Advisory(f"npm/{known['name']}", known["range"], told, str(known["title"])[:200]))
    return Audit(service, tuple(sorted(found)))


def _short(told: Any) -> str:
    return " ".join(str(told).split())[:200]


def advisory_problems(audits: Sequence[Audit], triage: Triage, today: datetime.date) -> list[str]:
    """Advisories that nobody triaged, triages that ran out, and those of what is not known any more."""
    problems, seen = [], set()
    for item in (item for audit in audits for item in audit.found):
        seen.add((item.package, item.id))
        if (item.package, item.id) not in triage.advisories:
            problems.append(
                f"{item.package} {item.version}: {item.id}, {item.about}: take a version without it, or say "
                "in tools/release.toml why it does not matter"
            )
    whole = all(not audit.missing for audit in audits)
    for key, entry in sorted(triage.advisories.items()):
        if entry.until < today:
            problems.append(f"{entry.package}: {entry.id} was let pass until {entry.until}: look again")
        elif whole and key not in seen:
            problems.append(f"{entry.package}: {entry.id} is not known any more: delete it from the triage")
    return problems


def unaudited(audits: Sequence[Audit]) -> list[str]:
    """One line for each service that did not look at everything."""
    return [f"NOT AUDITED by {audit.service}: {audit.missing}" for audit in audits if audit.missing]
