"""`node.pause`, `node.resume`, `node.drain`: what the node begins, and whether it may be stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from jepanet.errors import Rejected
from jepanet.operations.views.node import RoleStanding, Standing
from jepanet.protocol.state import NodeState, Round
from jepanet.rpc.codes import Code, Refused
from jepanet.rpc.handles.running import RunningNode
from jepanet.rpc.method import Method, NoParams, Scope
from jepanet.telemetry import get_logger
from jepanet.types import TERMINAL_PHASES, Role

log = get_logger("rpc")

MOST_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class OneRole:
    role: Role


def methods(node: RunningNode) -> tuple[Method, ...]:
    """Those of these names."""

    async def standing(_: NoParams) -> Standing:
        return standing_of(node)

    async def pause(given: OneRole) -> Standing:
        return changed(node.pauses.pause, frozenset({given.role}))

    async def resume(given: OneRole) -> Standing:
        return changed(node.pauses.resume, frozenset({given.role}))

    async def drain(_: NoParams) -> Standing:
        return changed(node.pauses.pause, node.pauses.roles)

    def changed(change: Callable[[frozenset[Role]], None], roles: frozenset[Role]) -> Standing:
        try:
            change(roles)
        except Rejected as error:
            log.info("pause.refused", why=str(error))
            raise Refused(
                Code.INVALID_PARAMS, "`role` is none of this node, or another of its roles needs it"
            ) from None
        return standing_of(node)

    return (
        Method(
            "node.standing",
            "Which roles are paused, and which rounds still need the node",
            NoParams,
            Standing,
            standing,
        ),
        Method(
            "node.pause",
            "Begins nothing new for a role, also after a restart; what is owed is still done",
            OneRole,
            Standing,
            pause,
            Scope.OPERATE,
        ),
        Method("node.resume", "Ends the pause of a role", OneRole, Standing, resume, Scope.OPERATE),
        Method(
            "node.drain",
            "Pauses every role; once no round needs the node it can be stopped without a loss",
            NoParams,
            Standing,
            drain,
            Scope.OPERATE,
        ),
    )


def standing_of(node: RunningNode) -> Standing:
    """Of now."""
    state, paused = node.state, node.pauses.paused
    rounds = [int(item.id) for _, item in sorted(state.rounds.items()) if _needs(state, item)]
    return Standing(
        roles=tuple(RoleStanding(str(role), role in paused) for role in sorted(node.pauses.roles)),
        rounds=tuple(rounds[:MOST_SHOWN]),
        needed=bool(rounds),
    )


def _needs(state: NodeState, round_: Round) -> bool:
    """Whether this wallet has begun its part of a round, and the round has not ended. What an ended one owes
    it can be claimed for weeks."""
    if round_.phase(state.now, state.me.resolve_duration) in TERMINAL_PHASES:
        return False
    own, me = state.own[round_.id], state.me.address
    return round_.committed(me) or own.sealed is not None or own.scores is not None or round_.proposer == me
