"""Deltas that workers die of while they are measured: found one by one, and left out.

    all ─▶ three deaths, and a quarter of VERIFY is over ─▶ the base alone ─▶ each alone ─▶ all but those

Nothing is known of such a delta but that this machine fails at it (decision 61): that costs nobody a bond.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace

from jepanet.errors import Exit, Transient
from jepanet.protocol.settling.reasons import MACHINE_FAILED
from jepanet.protocol.state import Round
from jepanet.roles.context import Context
from jepanet.roles.steps.missing import grace_end
from jepanet.telemetry import get_logger
from jepanet.types import Digest, RoundId
from jepanet.work.requests.request import WorkerDied
from jepanet.work.requests.scoring import ScoreClaims, ScoredDeltas

log = get_logger("scoring")

DEATHS = 3
"""So many workers may die, or run out of memory, of one job."""


def was_too_much(error: Transient) -> bool:
    """Whether a worker died of its job, or had no memory for it."""
    return isinstance(error, WorkerDied) or error.code is Exit.OUT_OF_MEMORY


class Measuring:
    """Measures deltas of rounds, those aside that this machine fails at."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._deaths = Counter[RoundId]()

    async def measure(self, round_: Round, request: ScoreClaims) -> ScoredDeltas:
        """What the deltas are worth; one that every worker died of alone has `MACHINE_FAILED` for a reason.

        Raises:
            Transient: workers died, and not for one of the deltas, or it is early in VERIFY: it is tried
                again. And as `ScoreClaims`.
        """
        try:
            return await self._context.jobs.run(request)
        except Transient as error:
            if not was_too_much(error):
                raise
            self._deaths[round_.id] += 1
            early = self._context.state().now < grace_end(round_)
            if early or self._deaths[round_.id] < DEATHS:
                raise
            deadly = await self._deadly(request)
            if not deadly:
                raise
            for item in request.claims:
                if item.digest in deadly:
                    log.error("delta.abandoned", round=round_.id, solver=item.solver, digest=item.digest,
                              why=error.message,
                              consequence="this node says nothing of it, and scores the others",
                              remedy="no delta can do this: report it with the log")  # fmt: skip
        return await self._context.jobs.run(_without(request, deadly))

    async def _deadly(self, request: ScoreClaims) -> frozenset[Digest]:
        """Those that are too much for `DEATHS` workers alone. Raises: Transient where the base is too."""
        there = {item.digest for item in request.claims if item.path is not None}
        await self._context.jobs.run(_without(request, there))
        found = [digest for digest in sorted(there) if await self._is_deadly(request, there - {digest})]
        return frozenset(found)

    async def _is_deadly(self, request: ScoreClaims, others: Collection[Digest]) -> bool:
        for _ in range(DEATHS):
            try:
                await self._context.jobs.run(_without(request, others))
            except Transient as error:
                if not was_too_much(error):
                    raise
            else:
                return False
        return True


def _without(request: ScoreClaims, left_out: Collection[Digest]) -> ScoreClaims:
    claims = tuple(
        replace(item, path=None, fault=MACHINE_FAILED) if item.digest in left_out else item
        for item in request.claims
    )
    return replace(request, claims=claims)
