"""Long gossip messages: reports on many deltas, of which each takes a second to read and to check.

Read on the event loop, a few hundred of them would hold up every duty for minutes, and nobody needs a stake
to send what is long. So whose such a message is comes first, from its first bytes; only verifiers of rounds
that are in VERIFY have theirs read, in a thread, one of a set after the other, and so many of each.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

from jepanet.cid import digest_of
from jepanet.types import Address, Digest, RoundId

LONG_BYTES = 4096
"""More than anything but a report has."""
_SECONDS, _OF_ONE = 600.0, 16
"""A verifier has one report a round, and may be in several; repetitions of one that was admitted are free."""
_REMEMBERED = 1024


class LongMessages:
    """What was read of them: bounded."""

    def __init__(self, passing: Callable[[], float]) -> None:
        """`passing`: seconds on a clock that only goes forward."""
        self._passing = passing
        self._admitted: OrderedDict[Digest, tuple[RoundId, Digest]] = OrderedDict()
        self._reads: OrderedDict[Address, deque[float]] = OrderedDict()

    def admitted(self, payload: bytes) -> tuple[RoundId, Digest] | None:
        """Round and report of the same message when it was admitted before; None: it was not."""
        return self._admitted.get(digest_of(payload))

    def admit(self, payload: bytes, round_id: RoundId, report: Digest) -> None:
        self._admitted[digest_of(payload)] = (round_id, report)
        while len(self._admitted) > _REMEMBERED:
            self._admitted.popitem(last=False)

    def may_read(self, wallet: Address) -> bool:
        """Whether one more of this wallet is read, which counts as read then."""
        now, reads = self._passing(), self._reads.setdefault(wallet, deque())
        self._reads.move_to_end(wallet)
        while len(self._reads) > _REMEMBERED:
            self._reads.popitem(last=False)
        while reads and now - reads[0] >= _SECONDS:
            reads.popleft()
        if len(reads) >= _OF_ONE:
            return False
        reads.append(now)
        return True
