"""What `scripts/release` holds a release to: versions, changelog, licences, advisories, equal bytes.

The release itself is made by `scripts/test release`.
"""

from __future__ import annotations

import datetime
import importlib.util
import io
import tarfile
import zipfile
from email.message import Message
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest
from scripts.releasing.advisories import (
    Advisory,
    Audit,
    advisory_problems,
    of_npm_audit,
    of_pip_audit,
    unaudited,
)
from scripts.releasing.component import Component, Scope
from scripts.releasing.components import locked_components
from scripts.releasing.licences import is_taken, licence_problems, licence_table, stated_licence
from scripts.releasing.packages import differences
from scripts.releasing.refusal import Refused
from scripts.releasing.triage import Triage, TriagedAdvisory, TriagedLicence, read_triage
from scripts.releasing.versions import changelog_problems, component_of, sections, version_problems

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
TODAY = datetime.date(2027, 1, 31)
NOTHING = Triage({}, {})


# ------------------------------------------------------------------ this checkout


def test_the_checkout_has_one_version_and_a_changelog_that_can_be_read() -> None:
    assert version_problems(ROOT) == []
    assert changelog_problems((ROOT / "docs/changelog.md").read_text(), None) == []


def test_every_locked_package_has_a_licence_that_is_taken_or_triaged() -> None:
    components = locked_components(ROOT)
    triage = read_triage(ROOT / "tools/release.toml")
    assert licence_problems(components, triage) == []
    scopes = {item.key: item.scope for item in components}
    assert {key for key, scope in scopes.items() if scope is Scope.SHIPPED} == {
        "npm/@openzeppelin/contracts",
        "npm/@preact/signals",
        "npm/@preact/signals-core",
        "npm/preact",
        "npm/uplot",
    }
    assert scopes["pypi/torch"] is Scope.REQUIRED
    assert scopes["pypi/transformers"] is scopes["pypi/stable-worldmodel"] is Scope.OPTIONAL
    assert scopes["pypi/pytest"] is scopes["npm/vite"] is Scope.TOOL
    assert "| pypi/resvg-py |" in licence_table(components, triage)


@pytest.mark.subprocess
def test_the_page_of_compatibility_is_what_the_code_says() -> None:
    loader = SourceFileLoader("write_compatibility", str(ROOT / "scripts/write_compatibility"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    program = importlib.util.module_from_spec(spec)
    loader.exec_module(program)
    assert (ROOT / "docs/compatibility.md").read_text() == program.page(), "run scripts/write_compatibility"


# ------------------------------------------------------------------ changelog and components

CHANGELOG = """# Changelog

## Unreleased

First words.

- Something.

## 0.2.0 - 2027-01-31

- It is faster.

## 0.1.0 - 2026-12-01

- First.
"""


def test_a_changelog_is_read_by_version() -> None:
    found = sections(CHANGELOG)
    assert found["0.2.0"] == ("2027-01-31", "- It is faster.")
    assert found["Unreleased"] == (None, "First words.\n\n- Something.")
    assert changelog_problems(CHANGELOG, None) == []


@pytest.mark.parametrize(
    ("text", "release", "word"),
    [
        (CHANGELOG, "0.2.0", "stands under Unreleased"),
        (CHANGELOG, "0.3.0", "no section '## 0.3.0"),
        (CHANGELOG.replace(" - 2027-01-31", ""), None, "has no day"),
        (CHANGELOG.replace("2027-01-31", "2027-02-31"), None, "has no day"),
        (CHANGELOG.replace("- It is faster.", "It is faster."), None, "lists nothing"),
        (CHANGELOG.replace("0.2.0", "0.0.2"), None, "newest version comes first"),
        (CHANGELOG.replace("0.2.0", "next"), None, "is no version"),
    ],
)
def test_a_changelog_that_does_not_tell_of_a_release_is_refused(
    text: str, release: str | None, word: str
) -> None:
    assert any(word in problem for problem in changelog_problems(text, release))


def test_a_changelog_whose_newest_words_are_of_the_release_is_taken() -> None:
    assert changelog_problems(CHANGELOG.replace("- Something.\n", ""), "0.2.0") == []


def test_a_commit_belongs_to_where_most_of_it_is() -> None:
    tests = ["tests/unit/test_a.py", "tests/unit/test_b.py", "docs/changelog.md"]
    assert component_of(["client/jepanet/storage/held.py", *tests]) == "storage"
    assert component_of(["client/jepanet/files.py", *tests]) == "client"
    assert component_of(["contracts/src/A.sol", "contracts/src/B.sol", "abi/A.json"]) == "contracts"
    assert component_of(tests) == "tests"
    assert component_of([]) == component_of(["README.md"]) == "everything else"


def test_a_version_that_differs_is_named(tmp_path: Path) -> None:
    (tmp_path / "client/jepanet").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n')
    (tmp_path / "client/jepanet/__init__.py").write_text('__version__ = "0.1.0"\n')
    assert len(version_problems(tmp_path)) == 1


# ------------------------------------------------------------------ licences


@pytest.mark.parametrize(
    ("expression", "taken"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("(MIT OR GPL-3.0-only) AND Apache-2.0", True),
        ("GPL-3.0-only AND MIT OR Apache-2.0", True),
        ("GPL-3.0-only AND (MIT OR Apache-2.0)", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-3.0-only WITH GCC-exception-3.1", False),
        ("", False),
        ("MIT MIT", False),
        ("(MIT", False),
        ("MIT AND", False),
    ],
)
def test_an_expression_is_taken_if_one_way_through_it_is(expression: str, taken: bool) -> None:
    assert is_taken(expression) is taken


def metadata(**lines: str | list[str]) -> Message:
    message = Message()
    for name, values in lines.items():
        for value in [values] if isinstance(values, str) else values:
            message[name.replace("_", "-")] = value
    return message


def test_metadata_is_read_in_the_form_that_says_most() -> None:
    classifier = "License :: OSI Approved :: BSD License"
    assert (
        stated_licence(metadata(License_Expression="MIT OR Apache-2.0", License="GPL")) == "MIT OR Apache-2.0"
    )
    assert stated_licence(metadata(License="BSD-3-Clause", Classifier=classifier)) == "BSD-3-Clause"
    assert (
        stated_licence(metadata(License="Copyright of somebody", Classifier=classifier)) == "LicenseRef-BSD"
    )
    both = [classifier, "License :: OSI Approved :: MIT License"]
    assert stated_licence(metadata(Classifier=both)) == "LicenseRef-BSD AND MIT"
    assert stated_licence(metadata(License="Ask us")) == ""


def package(licence: str, name: str = "one") -> Component:
    return Component("pypi", name, "1.0", Scope.TOOL, licence)


def test_an_unknown_licence_a_forbidden_one_and_one_that_changed_are_refused() -> None:
    entry = TriagedLicence("pypi/one", "AGPL-3.0", "a tool")
    triage = Triage({"pypi/one": entry}, {})
    assert licence_problems([package("AGPL-3.0")], triage) == []
    for licence in ("", "AGPL-3.0"):
        assert len(licence_problems([package(licence)], NOTHING)) == 1
    changed = licence_problems([package("BUSL-1.1")], triage)
    assert "triaged as AGPL-3.0" in changed[0] and len(changed) == 2
    assert len(licence_problems([package("MIT")], triage)) == 1, "an entry that is needed no more"


# ------------------------------------------------------------------ advisories


def pip_audit(*vulnerable: str, skipped: tuple[str, ...] = ()) -> Any:
    known = {"id": "PYSEC-1", "fix_versions": [], "description": "Bad.\nVery."}
    rows: list[dict[str, Any]] = [{"name": "fine", "version": "1.0", "vulns": []}]
    rows += [{"name": name, "version": "1.0", "vulns": [known]} for name in vulnerable]
    rows += [{"name": name, "skip_reason": "not found"} for name in skipped]
    return {"dependencies": rows, "fixes": []}


BAD = Advisory("pypi/bad", "1.0", "PYSEC-1", "Bad.")


def test_answers_of_both_services_are_read() -> None:
    assert of_pip_audit(pip_audit("bad")) == Audit("pip-audit", (BAD,))
    via = {"source": 7, "name": "deep", "title": "Worse", "url": "https://x.example/GHSA-1", "range": "<2"}
    answer = {"vulnerabilities": {"deep": {"via": [via]}, "above": {"via": ["deep", via]}}}
    assert of_npm_audit(answer) == Audit("npm audit", (Advisory("npm/deep", "<2", "GHSA-1", "Worse"),))
    assert of_npm_audit({"vulnerabilities": {}}) == Audit("npm audit", ())


@pytest.mark.parametrize("answer", ["no route to host", {}, {"message": "405"}, None, []])
def test_no_answer_is_no_audit(answer: Any) -> None:
    for audit in (of_pip_audit(answer), of_npm_audit(answer)):
        assert audit.missing and audit.found == ()
        assert unaudited([audit])[0].startswith("NOT AUDITED")


def test_an_audit_that_could_not_look_everything_up_is_none() -> None:
    audit = of_pip_audit(pip_audit("bad", skipped=("odd",)))
    assert audit.found == (BAD,) and "1 of 3" in audit.missing and "odd" in audit.missing


def test_an_advisory_passes_for_a_reason_and_until_a_day() -> None:
    def let_pass(until: datetime.date) -> Triage:
        return Triage(
            {}, {("pypi/bad", "PYSEC-1"): TriagedAdvisory("pypi/bad", "PYSEC-1", until, "unreached")}
        )

    whole, silent = Audit("pip-audit", (BAD,)), Audit("pip-audit", ())
    yesterday = TODAY - datetime.timedelta(1)
    assert len(advisory_problems([whole], NOTHING, TODAY)) == 1
    assert advisory_problems([whole], let_pass(TODAY), TODAY) == []
    assert "look again" in advisory_problems([whole], let_pass(yesterday), TODAY)[0]
    assert "not known any more" in advisory_problems([silent], let_pass(TODAY), TODAY)[0]
    assert advisory_problems([Audit("pip-audit", (), "no answer")], let_pass(TODAY), TODAY) == []


@pytest.mark.parametrize(
    "text",
    [
        '[[licence]]\npackage = "pypi/a"\nstates = "X"\n',
        '[[licence]]\npackage = "pypi/a"\nstates = "X"\nreason = " "\n',
        '[[licence]]\npackage = "pypi/a"\nstates = "X"\nreason = "r"\n' * 2,
        '[[advisory]]\npackage = "pypi/a"\nid = "A"\nreason = "r"\nuntil = "2027-01-31"\n',
        '[[advisory]]\npackage = "pypi/a"\nid = "A"\nreason = "r"\n',
        '[[excuse]]\npackage = "pypi/a"\n',
    ],
)
def test_a_triage_without_a_reason_or_a_day_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "release.toml").write_text(text)
    with pytest.raises(Refused):
        read_triage(tmp_path / "release.toml")


# ------------------------------------------------------------------ equal bytes


def sdist(path: Path, data: bytes = b"x", mtime: int = 1) -> Path:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("a/file")
        info.size, info.mtime = len(data), mtime
        archive.addfile(info, io.BytesIO(data))
    return path


def wheel(path: Path, *names: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), b"x")
    return path


def test_what_differs_between_two_builds_is_named(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    first = sdist(one / "a.tar.gz")
    second = other / "a.tar.gz"
    other.mkdir()
    second.write_bytes(first.read_bytes())
    assert differences(first, second) == []
    assert differences(first, sdist(second, b"y")) == ["a/file"]
    assert differences(first, sdist(second, mtime=2)) == ["a/file"]
    assert differences(wheel(one / "a.whl", "m", "n"), wheel(other / "a.whl", "m")) == ["n"]
    assert differences(wheel(one / "b.whl", "m", "n"), wheel(other / "b.whl", "n", "m")) == ["b.whl"]
    assert differences(one / "a.whl", other / "b.whl") == ["a.whl and b.whl"]
