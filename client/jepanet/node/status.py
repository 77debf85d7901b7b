"""The status file a running node keeps for `jepanet status`: small, written atomically."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from jepanet.files import write_atomically
from jepanet.process_identity import identity_of, moment
from jepanet.protocol.state import NodeState, Round
from jepanet.storage.journal import OutboxRow
from jepanet.telemetry import lost_lines
from jepanet.traffic import Traffic
from jepanet.types import RoundId
from jepanet.work.worker import RunningJob

_RECENT_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class ChainHealth:
    """How the chain looks from here.

    `head`: the newest block seen, None before the first. `head_age`: seconds since it was first seen.
    `head_old`: that is longer than normal. `stalled`: the head moves and this node does not. `incomplete`:
    logs are missing in the journal and being read again.
    """

    head: int | None
    head_age: float
    head_old: bool
    stalled: bool
    incomplete: bool


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the node depends on: whether no endpoint answers, the seconds that its clock is ahead of new
    blocks (None before one was new), and the bytes that are free and in all on the disk of its data."""

    endpoints_silent: bool
    clock_ahead: int | None
    disk_free: int
    disk_total: int


def status_of(
    state: NodeState,
    pending: list[OutboxRow],
    *,
    chain: ChainHealth,
    cursor: int | None,
    peers: int,
    peer_id: str,
    addresses: tuple[str, ...],
    running: RunningJob | None = None,
    rpc: Mapping[str, object] | None = None,
    traffic: Traffic | None = None,
    training_note: Callable[[RoundId], str | None] = lambda _: None,
) -> dict[str, object]:
    """What an operator wants to know at a glance, as JSON-able values.

    `rpc`: how its JSON-RPC server stands, None without one. `training_note`: what this node noted of its own
    training in a round (`roles/solver.py`).
    """
    rounds = [state.rounds[key] for key in sorted(state.rounds)[-_RECENT_ROUNDS:]]
    return {
        "written": int(time.time()),
        "moment": list(moment()),
        "pid": os.getpid(),
        "process": identity_of(os.getpid()),
        "wallet": state.me.address,
        "roles": sorted(state.me.roles),
        "peer": peer_id,
        "addresses": list(addresses),
        "peers": peers,
        "chain": {**asdict(chain), "confirmed": cursor, "timestamp": state.now},
        "projects": sorted(state.projects),
        "work": _work(running),
        "rpc": rpc if rpc is None else dict(rpc),
        "traffic": (Traffic() if traffic is None else traffic).totals(),
        "log_lines_lost": lost_lines(),
        "rounds": [_round(state, item, training_note(item.id)) for item in rounds],
        "duties": [{"duty": row.key, "attempts": row.attempts, "error": row.error} for row in pending],
    }


def _work(running: RunningJob | None) -> dict[str, object] | None:
    """The running job with its last progress; None without one."""
    if running is None:
        return None
    told: dict[str, object] = {"job": running.job, "seconds": running.seconds}
    if running.progress is not None:
        told |= {"step": running.progress.step, "steps": running.progress.steps}
        if running.progress.loss is not None:
            told["loss"] = running.progress.loss
    return told


def _training(note: Mapping[str, object]) -> dict[str, object]:
    """How a training ended, and why if it was aborted. The rest of a note tells which delta it made, which
    nobody is to know before its reveal."""
    # Notes of earlier versions have no status: of a training that ended well.
    told = {name: note[name] for name in ("why", "turned_degrees") if name in note}
    return {"status": note.get("status", "ok"), **told}


def write_status(path: Path, status: dict[str, object]) -> None:
    """Replaces the status file atomically; a torn file would read as a stopped node."""
    write_atomically(path, (json.dumps(status, indent=1, sort_keys=True) + "\n").encode(), durable=False)


def _round(state: NodeState, round_: Round, note: str | None) -> dict[str, object]:
    own = state.own[round_.id]
    return {
        "round": round_.id,
        "project": round_.project_id,
        "phase": round_.phase(state.now, state.me.resolve_duration).name.lower(),
        "commits": len(round_.commits),
        "reveals": len(round_.reveals),
        "prepared": own.prepared,
        "training": None if note is None else _training(json.loads(note)),
        "sealed": own.sealed is not None,
        "scored": own.scores is not None,
        "results": len(state.off_chain[round_.id].results),
        "failed": [[item.duty, item.reason] for item in own.failed],
        "committed": round_.committed(state.me.address),
        "revealed": round_.reveal_of(state.me.address) is not None,
    }
