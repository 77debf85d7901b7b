"""Which process a number on disk meant: process ids are reused, and start times move with the clock.

psutil's start time is a date, computed from the system's clock: set that by an hour, and a process that
still runs looks like another one. Linux counts from its boot, and gives every boot a name.
"""

from __future__ import annotations

import time
from pathlib import Path

import psutil

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def identity_of(pid: int) -> str | None:
    """A name no other process ever has, the same whatever the clock says; None when it has ended."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        if _BOOT.exists():
            # man 5 proc: field 22, after a name that may hold blanks and parentheses.
            fields = (
                Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2]
            )
            return f"{boot()}/{pid}/{fields.split()[19]}"
        return f"{pid}/{process.create_time()}"
    except (psutil.Error, OSError, ValueError, IndexError):
        return None


def boot() -> str:
    """The name of this boot of the machine, empty where it has none."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def moment() -> tuple[str, float]:
    """(boot, seconds): comparable between processes of one boot, whatever happens to the clock."""
    return boot(), time.monotonic()
