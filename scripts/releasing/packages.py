"""Wheel and sdist, built of a commit in two clean clones that share nothing they could agree by accident on.

The clones differ in folder, time zone, locale and umask. The dashboard is built in each, the sdist of the
clone, the wheel of that sdist alone. Differences that remain are named by file.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.releasing.refusal import Refused, run

_PLACES = (
    ("one", 0o022, {"TZ": "UTC", "LC_ALL": "C.UTF-8"}),
    ("another/and-deeper", 0o077, {"TZ": "Asia/Kathmandu", "LC_ALL": "C"}),
)


def build_twice(root: Path, commit: str, work: Path) -> tuple[Path, Path, Path]:
    """The first clone, and the wheel and the sdist built in it.

    Args:
        root: a checkout that scripts/setup has made ready; its packages build, its files are not looked at.
        work: an empty folder.

    Raises: Refused: something cannot be built, or the second clone gives other bytes.
    """
    epoch = run(["git", "show", "-s", "--format=%ct", commit], root).strip()
    built = [_built(root, commit, epoch, work / name, mask, extra) for name, mask, extra in _PLACES]
    problems = []
    for one, other in zip(built[0][1:], built[1][1:], strict=True):
        found = differences(one, other)
        if found:
            problems.append(f"{one.name} is not reproducible, two clean clones differ in: {', '.join(found)}")
    if problems:
        raise Refused(*problems)
    return built[0]


def _built(
    root: Path, commit: str, epoch: str, clone: Path, mask: int, extra: dict[str, str]
) -> tuple[Path, Path, Path]:
    kept = ("PATH", "HOME", "PIP_CONFIG_FILE", "PIP_INDEX_URL")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {"SOURCE_DATE_EPOCH": epoch, "PYTHONDONTWRITEBYTECODE": "1", **extra}
    with _umask(mask):
        clone.parent.mkdir(parents=True, exist_ok=True)
        run(["git", "clone", "--quiet", "--no-hardlinks", "--no-checkout", root, clone], root)
        run(["git", "checkout", "--quiet", "--detach", commit], clone)
        _share_node_modules((root / "node_modules").resolve(), clone / "node_modules")
        for tool in (["tsc", "-p", "dashboard"], ["vite", "build", "dashboard"]):
            run([clone / "node_modules/.bin" / tool[0], *tool[1:]], clone, environment)
        made = clone.parent / f"{clone.name}-made"
        made.mkdir()
        run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", made], clone, environment)
        (sdist,) = made.glob("*.tar.gz")
        quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--no-build-isolation")
        run([sys.executable, "-m", "pip", "wheel", *quiet, "-w", made, sdist], made, environment)
        (wheel,) = made.glob("*.whl")
    return clone, wheel, sdist


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _share_node_modules(installed: Path, target: Path) -> None:
    """The installed packages at a path of their own, linked where that can be: nobody writes to them."""

    def place(source: str, wanted: str) -> str:
        try:
            os.link(source, wanted)
        except OSError:
            shutil.copy2(source, wanted)
        return wanted

    leave_out = shutil.ignore_patterns(".vite", ".vite-temp", ".stamp", ".dashboard")
    shutil.copytree(installed, target, symlinks=True, copy_function=place, ignore=leave_out)


# ------------------------------------------------------------------ comparing


def differences(one: Path, other: Path) -> list[str]:
    """Names of files that two archives hold differently; the archive's own where only its frame differs."""
    if one.name != other.name:
        return [f"{one.name} and {other.name}"]
    if one.read_bytes() == other.read_bytes():
        return []
    first, second = _members(one), _members(other)
    named = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    return named or [one.name]


def _members(archive: Path) -> dict[str, tuple[object, ...]]:
    """By name: what an archive says of a file, and the digest of its bytes."""
    found: dict[str, tuple[object, ...]] = {}
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for item in wheel.infolist():
                mode = stat.filemode(item.external_attr >> 16)
                found[item.filename] = (item.date_time, mode, _digest(wheel.read(item)))
        return found
    with tarfile.open(archive) as sdist:
        for member in sdist:
            data = sdist.extractfile(member) or io.BytesIO()
            about = (member.mtime, member.mode, member.uid, member.gid, member.uname, member.gname)
            found[member.name] = (*about, _digest(data.read()))
    return found


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
