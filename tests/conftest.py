"""Rules for every test: its kind is declared, its kind decides what it may touch.

- A module declares its kind (`pytestmark = pytest.mark.unit`) and lies in the folder of that name.
- Unit and property tests open no network sockets and start no processes.
- Integration, scenario and browser tests may be skipped on a developer's machine that lacks a tool; where
  `CI=true` such a skip is a failure, so a green run means that they ran.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before torch, numpy or OpenBLAS can be imported, and inherited by every process a test starts: with more
# threads the order of floating-point sums, and so the bits, would depend on the machine.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import pytest
import pytest_socket
import structlog
from hypothesis import HealthCheck, settings

# A starter may have these ignored (nohup, a shell's background job), and every child would inherit that: what
# a signal does is under test.
for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)

ROOT = Path(__file__).resolve().parent.parent
KINDS = frozenset({"unit", "property", "integration", "scenario", "browser"})
ISOLATED = frozenset({"unit", "property"})
IN_CI = os.environ.get("CI", "").lower() == "true"

# A deadline measures the machine, not the code.
settings.register_profile("default", max_examples=60, deadline=None, print_blob=True)
settings.register_profile(
    "thorough",
    max_examples=2000,
    stateful_step_count=100,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("JEPANET_HYPOTHESIS_PROFILE", "default"))


# ------------------------------------------------------------------ kinds


def misplaced(path: Path, declared: set[str]) -> str | None:
    """Why a module that declares these kinds may not lie at `path` (relative to tests/); None if it may."""
    folder = path.parts[0] if len(path.parts) > 1 else ""
    if folder not in KINDS:
        return f"tests/{path} lies in none of the folders {', '.join(sorted(KINDS))}"
    if declared != {folder}:
        said = " and ".join(sorted(declared)) or "no kind"
        return f"tests/{path} declares {said}; write `pytestmark = pytest.mark.{folder}` or move it"
    return None


class _KindChecked(pytest.Module):
    def collect(self) -> Any:
        marks = getattr(self.obj, "pytestmark", [])
        names = {mark.name for mark in (marks if isinstance(marks, list) else [marks])}
        reason = misplaced(self.path.relative_to(ROOT / "tests"), names & KINDS)
        if reason:
            raise self.CollectError(reason)
        return super().collect()


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module:
    return _KindChecked.from_parent(parent, path=module_path)


def _kind(item: pytest.Item) -> str:
    return next((kind for kind in KINDS if item.get_closest_marker(kind)), "")


# ------------------------------------------------------------------ isolation

_STARTS_A_PROCESS = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"}
)


class _ProcessGuard:
    """An interpreter-wide audit hook (PEP 578): it sees every way to start a process, not only ours."""

    def __init__(self) -> None:
        self.test: str | None = None
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.test is not None and event in _STARTS_A_PROCESS:
            raise RuntimeError(
                f"{self.test} starts a process ({event}); unit and property tests may not, "
                "unless they are marked `pytest.mark.subprocess`"
            )


_guard = _ProcessGuard()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if _kind(item) not in ISOLATED:
        return
    # asyncio's own wake-up channel is a pair of Unix sockets.
    pytest_socket.disable_socket(allow_unix_socket=True)
    if item.get_closest_marker("subprocess") is None:
        _guard.test = item.nodeid


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    _guard.test = None
    pytest_socket.enable_socket()


# ------------------------------------------------------------------ tools


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: Any = yield
    expected_failure = hasattr(report, "wasxfail")
    if IN_CI and report.skipped and not expected_failure and _kind(item) not in ISOLATED:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, but CI=true: {_skip_reason(report.longrepr)}"
    return report


def _skip_reason(longrepr: Any) -> str:
    return str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)


@pytest.fixture(scope="session", autouse=True)
def _own_state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nodes under test, and processes they start, leave nothing in the developer's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _log_as_before(request: pytest.FixtureRequest) -> Iterator[None]:
    """A command that a test runs in this process configures the log: of that test alone."""
    before = structlog.get_config()
    yield
    if _kind(request.node) in ISOLATED:
        structlog.configure(**before)


@pytest.fixture(scope="session")
def prometheus_tools() -> Path:
    """The folder with prometheus and promtool: of PATH, or what `scripts/setup --prometheus` unpacked."""
    found = shutil.which("promtool", path=f"{os.environ.get('PATH', '')}:{ROOT / '.venv/prometheus'}")
    if found and (Path(found).parent / "prometheus").exists():
        return Path(found).parent
    pytest.skip("promtool is missing: run scripts/setup --prometheus, or install Debian's package prometheus")


@pytest.fixture(scope="session")
def anvil_binary() -> Path:
    """The anvil executable: $JEPANET_ANVIL, then node_modules, then PATH."""
    named = os.environ.get("JEPANET_ANVIL")
    candidates = (named, str(ROOT / "node_modules/.bin/anvil"), "anvil")
    for candidate in candidates:
        found = shutil.which(candidate) if candidate else None
        if found:
            return Path(found)
    pytest.skip("anvil is missing: run scripts/setup, set JEPANET_ANVIL, or put anvil on PATH")
