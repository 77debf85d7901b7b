"""`jepanet status`: what a node last said of itself, and whether it still runs."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from jepanet.errors import Exit, Fatal
from jepanet.process_identity import identity_of, moment
from jepanet.settings.paths import Paths

_STALE_AFTER = 60
"""Seconds; a running node writes its status every two."""


def is_running(data_dir: Path) -> bool:
    """Whether a node says of itself that it runs on this folder."""
    try:
        return bool(read_status(data_dir)["running"])
    except Fatal:
        return False


def read_status(data_dir: Path) -> dict[str, Any]:
    """The last status a node wrote, with its age in seconds and whether its process still runs.

    Raises:
        Fatal: the node has never run with this data directory (exit code `NOT_FOUND`).
    """
    path = Paths(data_dir).status
    try:
        status: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not {"pid", "written", "process", "moment", "chain", "rounds", "duties"} <= set(status):
            raise ValueError("it is of another version")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise Fatal(
            f"no node has written {path} yet",
            remedy="start one: jepanet node run --config FILE",
            code=Exit.NOT_FOUND,
        ) from error
    (here, now), (there, then) = moment(), status.get("moment", ("", 0.0))
    same_boot = here == there
    # A date is all there is to go by after the machine was started again; the process has ended anyway.
    status["age"] = int(now - then) if same_boot else max(0, int(time.time()) - int(status["written"]))
    process = status.get("process")
    alive = process is not None and identity_of(int(status["pid"])) == process
    status["running"] = same_boot and alive and status["age"] < _STALE_AFTER
    return status
