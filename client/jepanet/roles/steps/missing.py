"""How long what a solver has to serve is waited for, before its bond is at stake for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from jepanet.errors import Transient
from jepanet.protocol.state import Round
from jepanet.roles.context import Context
from jepanet.types import Digest, RoundId
from jepanet.work.drawn_training import LACKS_HERE

_GRACE_SHARE = 4
"""What nobody serves within this fraction of VERIFY counts as not to be had."""
_TRIED_SHARE = 16
"""But for so long a part of it this process has to have asked for it: one that has just started knows nobody
yet, and would find that nobody serves anything. And so long may all that a solver serves take on its way
once that fraction is over: else one that drips holds everybody's scores until VERIFY is over."""
_LEAST_SECONDS = 60.0
"""It may always take so long: rounds that last a minute are for trying things out."""
_FAILURES = 3
"""So often in vain since something of it came last, each a third of that part after the one before: a blip
takes nobody's bond."""
_LATE_FAILURES = 4
"""So often in vain after that fraction, whatever came meanwhile: one file at a time is no way to be open."""


@dataclass(slots=True)
class _Asked:
    """What was asked of one solver. Times are those of confirmed blocks."""

    failed: list[int] = field(default_factory=list)
    """Failures that count, since something of it came last."""
    last: int | None = None
    """The newest of all that count."""
    late: int = 0
    slow: float = 0.0
    """Seconds that its files were under way once they should have been here."""


class Missing:
    """What this process asked for in vain, and how long it took."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._asked: dict[tuple[RoundId, Digest], _Asked] = {}

    @asynccontextmanager
    async def asking(self, round_: Round, delta: Digest, file: Digest) -> AsyncIterator[None]:
        """While a file is fetched that the solver of a delta has to serve: for no longer than it may take.

        Raises:
            Transient: it took longer.
        """
        asked, here = self._of(round_, delta), self._context.blobs.path(file) is not None
        early = max(0, grace_end(round_) - self._context.state().now)
        began, own = time.monotonic(), False
        try:
            async with asyncio.timeout(early + max(0.0, _allowed(round_) - asked.slow)) as limit:
                yield
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise Transient(f"what belongs to delta {delta.hex()} came too slowly") from error
        except Transient as error:
            own = error.code in LACKS_HERE
            raise
        finally:
            if not own:
                asked.slow += max(0.0, time.monotonic() - began - early)
        if not here:
            asked.failed.clear()

    def gives_up(self, round_: Round, delta: Digest) -> bool:
        """Whether a file of this round that was just not to be had is waited for no longer. `delta`: which it
        belongs to."""
        now, asked, part = self._context.state().now, self._of(round_, delta), _part(round_)
        over = now >= grace_end(round_)
        if asked.last is None or now - asked.last >= part // _FAILURES:
            asked.last = now
            asked.late += over
            if len(asked.failed) < _FAILURES:
                asked.failed.append(now)
        if not over:
            return False
        spread = len(asked.failed) == _FAILURES and now - asked.failed[0] >= part
        return spread or asked.late >= _LATE_FAILURES or asked.slow >= _allowed(round_)

    def forget(self, round_id: RoundId) -> None:
        """A round that is measured."""
        self._asked = {key: asked for key, asked in self._asked.items() if key[0] != round_id}

    def _of(self, round_: Round, delta: Digest) -> _Asked:
        return self._asked.setdefault((round_.id, delta), _Asked())


def _part(round_: Round) -> int:
    return round_.params.verify_duration // _TRIED_SHARE


def _allowed(round_: Round) -> float:
    return max(_LEAST_SECONDS, _part(round_))


def grace_end(round_: Round) -> int:
    """Timestamp before which nothing is given up."""
    return round_.reveal_end + round_.params.verify_duration // _GRACE_SHARE
