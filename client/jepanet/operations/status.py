"""`jepanet status`: what a node last wrote of itself, and whether it still runs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jepanet.errors import Exit, Fatal
from jepanet.operations.views.node import (
    Bytes,
    ChainPosition,
    NodeStatus,
    OpenDuty,
    RoundStatus,
    Serving,
    TrafficTotals,
    TrainingOutcome,
    Work,
)
from jepanet.process_identity import identity_of, moment
from jepanet.settings.paths import Paths

_STALE_AFTER = 60
"""Seconds; a running node writes its status every two."""


def is_running(data_dir: Path) -> bool:
    """Whether a node says of itself that it runs on this folder."""
    try:
        return read_status(data_dir).running
    except Fatal:
        return False


def read_status(data_dir: Path) -> NodeStatus:
    """The last status a node wrote, with its age in seconds and whether its process still runs.

    Raises:
        Fatal: the node has never run with this data directory, or its status cannot be read: it is damaged,
            another account's or another version's (exit code `NOT_FOUND`).
    """
    path = Paths(data_dir).status
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise Fatal(
            f"no node has written {path} yet",
            remedy="start one: jepanet node run --config FILE",
            code=Exit.NOT_FOUND,
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    try:
        return status_view(json.loads(text))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> Fatal:
    return Fatal(
        f"{path} cannot be read: {str(error)[:200] or type(error).__name__}",
        remedy="start a node of this version, as the account that reads it: it writes the file anew",
        code=Exit.NOT_FOUND,
    )


def status_view(tree: Mapping[str, Any]) -> NodeStatus:
    """The status that a node put together, as a record.

    Raises:
        ValueError, TypeError, KeyError: it is none.
    """
    (here, now), (there, then) = moment(), tree["moment"]
    same_boot = here == there
    # A date is all there is to go by after the machine was started again; the process has ended anyway.
    age = int(now - then) if same_boot else max(0, int(time.time()) - int(tree["written"]))
    process = tree["process"]
    alive = process is not None and identity_of(int(tree["pid"])) == process
    listed = {
        "moment": (there, then),
        "roles": tuple(tree["roles"]),
        "addresses": tuple(tree["addresses"]),
        "chain": ChainPosition(**tree["chain"]),
        "projects": tuple(tree["projects"]),
        "rpc": None if tree["rpc"] is None else Serving(**tree["rpc"]),
        "work": None if tree["work"] is None else Work(**tree["work"]),
        "traffic": _traffic(tree["traffic"]),
        "rounds": tuple(_round(item) for item in tree["rounds"]),
        "duties": tuple(OpenDuty(**item) for item in tree["duties"]),
    }
    running = same_boot and alive and age < _STALE_AFTER
    return NodeStatus(**{**tree, **listed}, age=age, running=running)


def _round(tree: Mapping[str, Any]) -> RoundStatus:
    training = None if tree["training"] is None else TrainingOutcome(**tree["training"])
    failed = tuple((what, why) for what, why in tree["failed"])
    return RoundStatus(**{**tree, "training": training, "failed": failed})


def _traffic(tree: Mapping[str, Any]) -> TrafficTotals:
    blobs = {kind: Bytes(**flow) for kind, flow in tree["blobs"].items()}
    endpoints = {name: Bytes(**flow) for name, flow in tree["endpoints"].items()}
    return TrafficTotals(blobs, Bytes(**tree["gossip"]), endpoints)
