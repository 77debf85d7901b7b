"""How long what a solver has to serve is waited for, before its bond is at stake for it."""

from __future__ import annotations

from jepanet.protocol.state import Round
from jepanet.roles.context import Context
from jepanet.types import Digest, RoundId

_GRACE_SHARE = 4
"""What nobody serves within this fraction of VERIFY counts as not to be had."""
_TRIED_SHARE = 16
"""But for so long a part of it this process has to have asked for it: one that has just started knows nobody
yet, and would find that nobody serves anything."""


class Missing:
    """What this process asked for in vain, and since when. Times are those of confirmed blocks."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._since: dict[tuple[RoundId, Digest], int] = {}

    def gives_up(self, round_: Round, digest: Digest) -> bool:
        """Whether a file of this round that was just not to be had is waited for no longer. `digest`: of the
        delta that it belongs to."""
        now = self._context.state().now
        since = self._since.setdefault((round_.id, digest), now)
        return now >= grace_end(round_) and now - since >= round_.params.verify_duration // _TRIED_SHARE

    def forget(self, round_id: RoundId) -> None:
        """A round that is measured."""
        self._since = {key: since for key, since in self._since.items() if key[0] != round_id}


def grace_end(round_: Round) -> int:
    """Timestamp before which nothing is given up."""
    return round_.reveal_end + round_.params.verify_duration // _GRACE_SHARE
