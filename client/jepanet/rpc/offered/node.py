"""`node`: what the node says of itself, and whether it is fit for its work."""

from __future__ import annotations

from typing import Final

from jepanet.operations.views.node import Health, NodeStatus, Surroundings
from jepanet.rpc.handles.recent import Recent, RecentStatus
from jepanet.rpc.handles.running import RunningNode
from jepanet.rpc.method import Method, NoParams
from jepanet.telemetry import get_logger

log = get_logger("rpc")

CLOCK_APART: Final = 120
"""Seconds between a node's clock and a new block from which it is remarked on."""
DISK_LOW, DISK_FULL = 1 << 30, 32 << 20
"""Bytes that are left."""


class Probes:
    """Health and readiness, for the method and for the two addresses that take no token."""

    def __init__(self, node: RunningNode, recent: RecentStatus) -> None:
        self._node = node
        self._recent = recent
        self._surroundings = Recent(node.surroundings)

    async def both(self, *, around: bool = False) -> Health:
        """Of now, at most a second old. `around`: with what the node depends on, for which it may ask an
        endpoint, so not for whoever shows no token."""
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
        found = await self._around() if around else None
        causes["endpoints-silent"] = found is not None and found.endpoints_silent
        reasons = tuple(name for name, holds in causes.items() if holds)
        return Health(not chain.stalled, not reasons, reasons, () if found is None else remarks(found), found)

    async def _around(self) -> Surroundings | None:
        try:
            found = await self._surroundings.get()
        except Exception as error:  # a disk that fails, a defect
            log.error("status.failed", exc_info=error)
            return None
        return Surroundings(found.endpoints_silent, found.clock_ahead, found.disk_free, found.disk_total)

    async def health(self) -> tuple[bool, dict[str, object]]:
        """For a service manager: restart what is not healthy."""
        found = await self.both()
        return found.healthy, {"healthy": found.healthy}

    async def ready(self) -> tuple[bool, dict[str, object]]:
        """For who sends work: the node takes part now."""
        found = await self.both()
        return found.ready, {"ready": found.ready, "reasons": list(found.reasons)}


def remarks(found: Surroundings) -> tuple[str, ...]:
    """What to see to although the node goes on, one word a cause."""
    told = []
    if found.clock_ahead is not None and abs(found.clock_ahead) > CLOCK_APART:
        told.append("clock-apart")
    if found.disk_free < DISK_LOW:
        told.append("disk-full" if found.disk_free < DISK_FULL else "disk-low")
    return tuple(told)


def methods(recent: RecentStatus, probes: Probes) -> tuple[Method, ...]:
    """Those of this namespace."""

    async def status(_: NoParams) -> NodeStatus:
        return await recent.get()

    async def health(_: NoParams) -> Health:
        return await probes.both(around=True)

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
