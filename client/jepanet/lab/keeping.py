"""Results that are kept, for an interrupted comparison to go on: JSON with its digest beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from jepanet.errors import Exit, Fatal
from jepanet.files import keep, kept, tell_damage, write_atomically

T = TypeVar("T")

_MAX_BYTES = 64 << 20


def keep_json(path: Path, value: object) -> None:
    """Writes a result that later calls rely on.

    Raises:
        Fatal: it cannot be written.
    """
    keep(path, json.dumps(value).encode())


def kept_json(path: Path, kind: type[T]) -> T | None:
    """A kept result of that type; None if it is absent, or not what was kept, which is logged."""
    data = kept(path, _MAX_BYTES)
    if data is None:
        return None
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        tell_damage(path, f"is no JSON: {error}")
        return None
    if not isinstance(value, kind):
        tell_damage(path, f"holds no {kind.__name__}")
        return None
    return value


def just_kept(path: Path, kind: type[T]) -> T:
    """A result that a process has just kept.

    Raises:
        Fatal: it cannot be read.
    """
    value = kept_json(path, kind)
    if value is None:
        raise Fatal(
            f"{path} was written and cannot be read",
            remedy="check the disk, then run the same command again: what is finished is kept",
            code=Exit.FAILURE,
        )
    return value


def save_report(path: Path, report: dict[str, object]) -> None:
    """Writes a report for people; where that fails, `unwritten` says why, and the table is not lost."""
    report["unwritten"] = None
    try:
        write_atomically(path, json.dumps(report, indent=1).encode())
    except Fatal as error:
        report["unwritten"] = str(error)


def save_text(path: Path, text: str, report: dict[str, object]) -> None:
    """Writes the same as text; where that fails, `unwritten` of the report says why, if nothing else does."""
    try:
        write_atomically(path, text.encode())
    except Fatal as error:
        report["unwritten"] = report.get("unwritten") or str(error)
