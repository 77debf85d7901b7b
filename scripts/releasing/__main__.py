"""`scripts/release`: one folder with everything that a release is made of, and what to do with it."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from scripts.releasing.advisories import Audit, advisory_problems, audit_all, unaudited
from scripts.releasing.component import Component
from scripts.releasing.components import direct_needs, locked_components
from scripts.releasing.licences import licence_problems, licence_table
from scripts.releasing.packages import build_twice
from scripts.releasing.refusal import Refused, run
from scripts.releasing.triage import Triage, read_triage
from scripts.releasing.versions import (
    changelog_problems,
    changes,
    declared_version,
    sections,
    version_problems,
)

ROOT = Path(__file__).resolve().parents[2]
EPILOG = """\b
It never publishes anything: it prints what is left to do.

\b
examples:
  scripts/release --out dist/trial --unaudited    what it would be like now
  scripts/release 0.2.0 --out dist/0.2.0          a release: the commit is clean, the changelog tells of 0.2.0
"""


@click.command(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.argument("version", required=False)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to make; not there yet.")
@click.option("--unaudited", "without_audit", is_flag=True,
              help="Go on where a service did not look at everything; the release says so.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the files with their digests as JSON.")
def main(version: str | None, out: Path, without_audit: bool, as_json: bool) -> None:
    """Makes the files of release VERSION from the newest commit: wheel, sdist, bill of materials (CycloneDX),
    licences, advisories, changes and digests. Packages are built in two clean clones, which have to agree to
    the byte.

    Without VERSION it is a trial: of the version that pyproject.toml has, whatever the changelog says.
    """
    try:
        out = out.absolute()
        if os.path.lexists(out):
            raise Refused(f"{out} is there already: name another folder")
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="release-") as work:
            files, warnings = _made(version, Path(work), without_audit)
            draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
            for file in files:
                shutil.copyfile(file, draft / file.name)
            draft.chmod(0o755)
            draft.rename(out)
    except Refused as error:
        for problem in error.problems:
            print(f"release: {problem}", file=sys.stderr)
        sys.exit(1)
    digests = {file.name: _sha256(out / file.name) for file in files}
    if as_json:
        print(json.dumps({"folder": str(out), "files": digests, "warnings": warnings}, indent=2))
    else:
        _print_end(version, out, digests, warnings)


def _made(version: str | None, work: Path, without_audit: bool) -> tuple[list[Path], list[str]]:
    commit = run(["git", "rev-parse", "HEAD"], ROOT).strip()
    epoch = int(run(["git", "show", "-s", "--format=%ct", commit], ROOT))
    triage = read_triage(ROOT / "tools/release.toml")
    problems, warnings = _of_commit(version, commit)
    components = locked_components(ROOT)
    problems += licence_problems(components, triage)
    if problems:
        raise Refused(*problems)
    _say("asking for advisories")
    audits = audit_all(ROOT)
    problems = advisory_problems(audits, triage, datetime.datetime.now(datetime.UTC).date())
    missing = unaudited(audits)
    warnings += missing
    if missing and not without_audit:
        problems += [
            f"{line}. Call again where the service is in reach, or with --unaudited" for line in missing
        ]
    if problems:
        raise Refused(*problems)
    _say("building in two clones")
    clone, wheel, sdist = build_twice(ROOT, commit, work)
    _expect_itself(clone, wheel, work / "installed")
    declared = declared_version(clone)
    base = f"jepanet-{declared}"
    texts = {
        f"{base}.cdx.json": _bill(components, triage, declared, epoch),
        f"{base}.licences.md": licence_table(components, triage),
        f"{base}.advisories.json": _advisories(audits, triage),
        f"{base}.changes.md": _changes(clone, commit, version, declared),
    }
    files = [wheel, sdist]
    for name, text in texts.items():
        (work / name).write_text(text)
        files.append(work / name)
    sums = work / "SHA256SUMS"
    sums.write_text("".join(f"{_sha256(file)}  {file.name}\n" for file in files))
    return [*files, sums], warnings


def _of_commit(version: str | None, commit: str) -> tuple[list[str], list[str]]:
    """Problems and warnings of the commit itself."""
    problems = version_problems(ROOT)
    problems += changelog_problems((ROOT / "docs/changelog.md").read_text(), version)
    warnings = [] if version else ["a trial: no version was named, so nothing holds the changelog to one"]
    command = [sys.executable, ROOT / "scripts/write_compatibility", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        problems.append(done.stderr.strip() or "scripts/write_compatibility --check fails")
    dirty = run(["git", "status", "--porcelain"], ROOT).strip()
    if dirty:
        told = f"the checkout differs from commit {commit[:12]}, which alone is released"
        (problems if version else warnings).append(told)
    if version is None:
        return problems, warnings
    if version != declared_version(ROOT):
        problems.append(f"pyproject.toml has version {declared_version(ROOT)}, not {version}")
    tagged = run(["git", "tag", "--list", f"v{version}"], ROOT).strip()
    if tagged and run(["git", "rev-parse", f"v{version}^{{commit}}"], ROOT).strip() != commit:
        problems.append(f"v{version} is another commit already: raise the version")
    return problems, warnings


def _expect_itself(clone: Path, wheel: Path, folder: Path) -> None:
    """Raises: Refused: the installed wheel is not of its source's version or contracts, or lacks the page."""
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--no-compile")
    run([sys.executable, "-m", "pip", "install", *quiet, "--target", folder, wheel], clone)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    ask = [sys.executable, "-m", "jepanet", "version", "--json"]
    said = json.loads(run(ask, folder, environment))
    wanted = json.loads(run(ask, clone, {**os.environ, "PYTHONPATH": str(clone / "client")}))
    if said["client"] != declared_version(clone) or said["abi"] != wanted["abi"]:
        raise Refused(f"`jepanet version` of the wheel says {said}, its source {wanted}")
    if not (folder / "jepanet/dashboard/index.html").is_file():
        raise Refused("the wheel has no dashboard")


def _bill(components: Sequence[Component], triage: Triage, version: str, epoch: int) -> str:
    rows = []
    for item in components:
        entry = triage.licences.get(item.key)
        licence = entry.real if entry and entry.real else item.licence
        rows.append({**asdict(item), "key": item.key, "licence": licence})
    told = {
        "name": "jepanet", "version": version, "licence": "MIT", "time": epoch,
        "needs": direct_needs(ROOT, components), "components": rows,
    }  # fmt: skip
    program = ROOT / "scripts/releasing/bill_of_materials.py"
    done = subprocess.run(
        [ROOT / ".venv/release/bin/python", program], input=json.dumps(told), capture_output=True, text=True,
        check=False, env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )  # fmt: skip
    if done.returncode != 0:
        raise Refused(f"the bill of materials cannot be made: {done.stderr.strip()[-600:]}")
    return done.stdout


def _advisories(audits: Sequence[Audit], triage: Triage) -> str:
    tree = {
        "complete": not unaudited(audits),
        "services": [
            {
                "service": audit.service,
                "not_audited": audit.missing or None,
                "found": [
                    {**asdict(item), "let_pass": triage.advisories[item.package, item.id].reason}
                    for item in audit.found
                ],
            }
            for audit in audits
        ],
    }
    return json.dumps(tree, indent=2) + "\n"


def _changes(clone: Path, commit: str, version: str | None, declared: str) -> str:
    found = sections((clone / "docs/changelog.md").read_text())
    told = found.get(version or "Unreleased", found.get(declared, (None, "")))[1]
    return changes(ROOT, commit, told, declared)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _say(what: str) -> None:
    print(f"release: {what} …", file=sys.stderr, flush=True)


def _print_end(version: str | None, out: Path, digests: dict[str, str], warnings: Sequence[str]) -> None:
    print(f"\n{out}")
    for name, digest in digests.items():
        print(f"  {digest}  {name}")
    for warning in warnings:
        print(f"\n*** {warning} ***")
    if version is None:
        return
    print(f"""
Nothing was published. What is left, by hand:
  1. scripts/test all is green at this commit; docs/reports have its figures
  2. git tag --sign v{version} && git push origin v{version}
  3. gpg --armor --detach-sign {out / "SHA256SUMS"}
  4. upload wheel and sdist to the package index
  5. attach all files of {out} to the tag; who doubts a wheel builds it again
  6. raise the version in pyproject.toml and client/jepanet/__init__.py; head a new Unreleased in
     docs/changelog.md""")


if __name__ == "__main__":
    main()
