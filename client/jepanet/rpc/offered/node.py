"""`node`: what the node says of itself, and whether it is fit for its work."""

from __future__ import annotations

from jepanet.operations.views.node import Health, NodeStatus
from jepanet.rpc.handles.recent import RecentStatus
from jepanet.rpc.handles.running import RunningNode
from jepanet.rpc.method import Method, NoParams
from jepanet.telemetry import get_logger

log = get_logger("rpc")


class Probes:
    """Health and readiness, for the method and for the two addresses that take no token."""

    def __init__(self, node: RunningNode, recent: RecentStatus) -> None:
        self._node = node
        self._recent = recent

    async def both(self) -> Health:
        """Of now, at most a second old."""
        try:
            status = await self._recent.get()
        except (
            Exception
        ) as error:  # a network thread that is gone, a full disk, a defect: all of it is unhealth
            log.error("status.failed", exc_info=error)
            return Health(healthy=False, ready=False, reasons=("no-answer",))
        chain = status.chain
        causes = {
            "chain-unread": chain.confirmed is None or chain.head is None,
            "chain-stopped": chain.head_old,
            "chain-stalled": chain.stalled,
            "events-missing": chain.incomplete,
            "catching-up": not self._node.caught_up,
            "no-peers": not status.peers and not self._node.config.p2p.allow_isolated,
        }
        reasons = tuple(name for name, holds in causes.items() if holds)
        return Health(healthy=not chain.stalled, ready=not reasons, reasons=reasons)

    async def health(self) -> tuple[bool, dict[str, object]]:
        """For a service manager: restart what is not healthy."""
        found = await self.both()
        return found.healthy, {"healthy": found.healthy}

    async def ready(self) -> tuple[bool, dict[str, object]]:
        """For who sends work: the node takes part now."""
        found = await self.both()
        return found.ready, {"ready": found.ready, "reasons": list(found.reasons)}


def methods(recent: RecentStatus, probes: Probes) -> tuple[Method, ...]:
    """Those of this namespace."""

    async def status(_: NoParams) -> NodeStatus:
        return await recent.get()

    async def health(_: NoParams) -> Health:
        return await probes.both()

    return (
        Method(
            "node.status",
            "What `jepanet status` shows: peers, chain position, training, rounds, bytes and open duties",
            NoParams,
            NodeStatus,
            status,
        ),
        Method(
            "node.health",
            "Whether the node is healthy and ready, and if not, why",
            NoParams,
            Health,
            health,
        ),
    )
