"""Roles that the operator paused: the node begins nothing new for them, and ends what it began.

What is owed goes on: a delta that was committed to is revealed, scores that were sent are signed for, a shard
is unsealed, pay is claimed. A pause holds until it is ended, also over a restart.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.files import read_capped, write_atomically
from jepanet.protocol.duties import BuildSheet, OpenRound, ScoreDeltas, TrainShard
from jepanet.telemetry import get_logger
from jepanet.types import Role

log = get_logger("node")

BEGINS: Final[Mapping[Role, type]] = {
    Role.PROPOSER: OpenRound,
    Role.SOLVER: TrainShard,
    Role.COORDINATOR: ScoreDeltas,
    Role.AGGREGATOR: BuildSheet,
}
"""The duty by which each role begins its part of a round."""
_MEASURE: Final = frozenset({Role.COORDINATOR, Role.AGGREGATOR})
_MOST_BYTES: Final = 4096


class Pauses:
    """`file` keeps them; `hold` is told the names of duties that are not begun.

    Raises (constructor):
        Fatal: the file is none that this program wrote (exit code `DAMAGED`) or cannot be read.
    """

    def __init__(self, file: Path, roles: frozenset[Role], hold: Callable[[frozenset[str]], None]) -> None:
        self._file = file
        self.roles = roles
        self._hold = hold
        self.paused: frozenset[Role] = _read(file) & roles if os.path.lexists(file) else frozenset()
        if self.paused:
            log.info("role.paused", roles=sorted(map(str, self.paused)), since="before this start")
        hold(self._held())

    def pause(self, roles: frozenset[Role]) -> None:
        """Raises: Rejected: not a role of this node, or one that measures for another that goes on."""
        self._check(roles)
        paused = self.paused | roles
        if Role.COORDINATOR in paused and Role.AGGREGATOR in self.roles - paused:
            raise Rejected("the aggregator of this node acts on what its coordinator measures: pause both")
        self._put(paused)

    def resume(self, roles: frozenset[Role]) -> None:
        """Raises: Rejected: not a role of this node, or the aggregator alone of one that measures."""
        self._check(roles)
        paused = self.paused - roles
        if Role.COORDINATOR in paused and Role.AGGREGATOR in self.roles - paused:
            raise Rejected(
                "the aggregator of this node acts on what its coordinator measures: resume that first"
            )
        self._put(paused)

    def _check(self, roles: frozenset[Role]) -> None:
        if strange := roles - self.roles:
            mine = ", ".join(sorted(self.roles))
            raise Rejected(f"this node is no {', '.join(sorted(strange))}: it is {mine}")

    def _put(self, paused: frozenset[Role]) -> None:
        if paused == self.paused:
            return
        # First on the disk: a node that is killed now does not begin what it was told not to.
        write_atomically(self._file, json.dumps({"paused": sorted(map(str, paused))}).encode() + b"\n")
        self.paused = paused
        self._hold(self._held())
        if paused:
            log.info("role.paused", roles=sorted(map(str, paused)))
        else:
            log.info("role.resumed")

    def _held(self) -> frozenset[str]:
        held = {BEGINS[role].__name__ for role in self.paused}
        # A node that aggregates alone measures as well.
        if _MEASURE & self.roles and _MEASURE & self.roles <= self.paused:
            held.add(ScoreDeltas.__name__)
        return frozenset(held)


def _read(file: Path) -> frozenset[Role]:
    data = read_capped(file, _MOST_BYTES, "file of paused roles")
    try:
        tree = json.loads(data)
        if set(tree) != {"paused"} or not isinstance(tree["paused"], list):
            raise ValueError("not its form")
        return frozenset(Role(item) for item in tree["paused"])
    except (ValueError, TypeError, RecursionError) as error:
        raise Fatal(
            f"{file} says of no roles whether they are paused",
            remedy="delete it; then pause again what is to be paused (jepanet node pause)",
            code=Exit.DAMAGED,
        ) from error
