"""How much memory this machine has for its programs."""

from __future__ import annotations

import os
from pathlib import Path

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux says what a container may take: second and first version."""


def installed_memory(limits: tuple[Path, ...] = _LIMITS) -> int:
    """Bytes that are installed, or fewer where this process' group may not have them all."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in limits:
        try:
            found.append(int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):  # there is none, or it says `max`
            continue
    return min(found)
