"""A copy of the package in which one line at a time is broken on purpose, and whether tests notice."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300

# Fixed examples and no shrinking: a verdict is all that is wanted. Refuses to test anything but the copy.
_PLUGIN = """
import hypothesis, jepanet
assert jepanet.__file__.startswith({copy!r}), jepanet.__file__
hypothesis.settings.register_profile(
    "mutants", derandomize=True, database=None, deadline=None,
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
)
"""


class Stale(Exception):
    """A mutant that no longer applies: its line is not there, or not once."""


class CannotTest(Exception):
    """The tests did not run at all."""


class Scratch:
    """The checkout is never touched."""

    def __init__(self, folder: Path) -> None:
        """`folder`: an empty one, that the caller deletes."""
        self._folder = folder.resolve()
        shutil.copytree(
            ROOT / "client", self._folder / "client", ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )
        plugin = _PLUGIN.format(copy=str(self._folder / "client"))
        (self._folder / "mutation_plugin.py").write_text(plugin, encoding="utf-8")

    @contextmanager
    def broken(self, file: str, old: str, new: str) -> Iterator[None]:
        """`new` in place of `old`, which occurs once in `file` of jepanet; whole again afterwards.

        Raises:
            Stale: it does not occur once.
        """
        path = self._folder / "client" / "jepanet" / file
        source = path.read_text(encoding="utf-8") if path.is_file() else ""
        if source.count(old) != 1:
            raise Stale(f"{file} has changed: {old!r} occurs {source.count(old)} times")
        path.write_text(source.replace(old, new), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(source, encoding="utf-8")

    def first_failure(self, tests: Sequence[str]) -> str | None:
        """None if these tests pass on the copy, else the name of what failed first.

        Raises:
            CannotTest: the run itself is broken.
        """
        environment = os.environ | {
            "PYTHONPATH": f"{self._folder / 'client'}{os.pathsep}{self._folder}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "JEPANET_HYPOTHESIS_PROFILE": "mutants",
        }
        command = [sys.executable, "-m", "pytest", "-p", "mutation_plugin", "-p", "no:cacheprovider", "-q",
                   "-x", "-m", "not slow", "--tb=no", *tests]  # fmt: skip
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"no end within {SECONDS} s"
        if done.returncode == 0:
            return None
        if done.returncode != 1:  # not a failing test: the run itself is broken
            raise CannotTest(f"pytest could not run {tests}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        failed = re.search(r"^FAILED (\S+?)::(\S+)", done.stdout, re.MULTILINE)
        return failed[2] if failed else "failed"
