"""What callers have the node's wallet send: one transaction of a kind at a time, however many ask for it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from jepanet.errors import Exit, Fatal, JepanetError, Rejected
from jepanet.operations.views.funds import Admission, CreatedSet, JoinedSet, LeftSet, Sent
from jepanet.rpc.codes import Code, Refused
from jepanet.telemetry import get_logger
from jepanet.types import Address

if TYPE_CHECKING:
    from jepanet.operations.access import SendingAccess
    from jepanet.settings.config import ProposerSection

log = get_logger("rpc")

W = TypeVar("W", bound=Hashable)
"""What is asked for: two that are equal mean the same transaction."""
S = TypeVar("S")
"""What is told of its end."""

WAITS: Final = 20.0
"""Seconds that a caller waits for the end; the sending goes on without it."""
TAKES: Final = WAITS + 5.0
"""Seconds that a call may take."""
UNTOLD: Final = 600.0
"""Seconds for which a success is kept that nobody was there to hear of."""
MOST_UNTOLD: Final = 64
"""Successes of a kind that are kept so; each took a transaction."""


@dataclass(eq=False)
class _Wish(Generic[W, S]):
    wanted: W
    task: asyncio.Task[S | Refused]
    succeeded_at: float = 0.0


class Sending(Generic[W, S]):
    """A caller's timeout, or its end, cancels nothing that may be signed. Who calls again means the same
    transaction, until somebody was told how it ended: that is how one call has one effect, also where
    somebody else asks for another one in between.
    """

    def __init__(self, send: Callable[[W], Awaitable[S]]) -> None:
        self._send = send
        self._last: _Wish[W, S] | None = None
        self._untold: OrderedDict[W, _Wish[W, S]] = OrderedDict()
        """What succeeded and nobody heard of, by what was asked for; what failed is tried again instead."""

    async def carry_out(self, wanted: W) -> S:
        """Begins it, or joins the same one that is under way.

        Raises:
            Refused: `UNDER_WAY`, also while another one of its kind is; `NOT_ALLOWED` by the contracts;
                `UNAVAILABLE`: nothing was sent, and it may be tried again.
        """
        mine = self._joined(wanted)
        await asyncio.wait({mine.task}, timeout=WAITS)
        if not mine.task.done():
            raise Refused(Code.UNDER_WAY, "the transaction is being sent, and is not mined yet")
        if self._untold.get(wanted) is mine:
            del self._untold[wanted]
        outcome = mine.task.result()
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    async def aclose(self) -> None:
        """Ends with the node: what was signed is in its journal, and the next call takes it up."""
        if self._last is not None:
            self._last.task.cancel()
            await asyncio.gather(self._last.task, return_exceptions=True)

    def _joined(self, wanted: W) -> _Wish[W, S]:
        untold, last = self._untold.get(wanted), self._last
        if untold is not None and asyncio.get_running_loop().time() - untold.succeeded_at <= UNTOLD:
            return untold
        if last is not None and not last.task.done():
            if last.wanted != wanted:
                raise Refused(
                    Code.UNDER_WAY, "another one is being sent, with other parameters: wait for its end"
                )
            return last
        task = asyncio.create_task(self._carried_out(wanted), name="sending")
        self._last = _Wish(wanted, task)
        return self._last

    async def _carried_out(self, wanted: W) -> S | Refused:
        try:
            sent = await self._send(wanted)
        except (JepanetError, OSError) as error:
            log.info("sending.refused", why=str(error))
            return refusal_of(error)
        assert self._last is not None, "one is under way at a time, and this is it"
        self._last.succeeded_at = asyncio.get_running_loop().time()
        self._untold[wanted] = self._last
        while len(self._untold) > MOST_UNTOLD:
            self._untold.popitem(last=False)
        return sent


@dataclass(frozen=True, slots=True)
class NewSet:
    """A verifier set to register. `cap` in wei, `max_hold` in seconds; None: as the proposer's terms need."""

    members: tuple[Address, ...]
    threshold: int
    cap: int | None
    max_hold: int | None


@dataclass(frozen=True, slots=True)
class Admitting:
    """Whether `proposer` may open rounds with a set."""

    set: int
    proposer: Address
    admitted: bool


@dataclass(frozen=True, slots=True)
class Sendings:
    """One for each kind. Amounts in wei; `withdraw` takes None for all there is, `collect` for this wallet,
    `join` and `leave` the number of a set."""

    deposit: Sending[int, Sent]
    withdraw: Sending[int | None, Sent]
    unbond: Sending[int, Sent]
    collect: Sending[Address | None, Sent]
    create: Sending[NewSet, CreatedSet]
    admit: Sending[Admitting, Admission]
    join: Sending[int, JoinedSet]
    leave: Sending[int, LeftSet]

    async def aclose(self) -> None:
        """Ends each of them."""
        for item in fields(self):
            await getattr(self, item.name).aclose()


def sendings_of(access: Callable[[], SendingAccess], terms: ProposerSection) -> Sendings:
    """Through the running node's own sender."""
    from jepanet.operations.funds import stake, verifier_sets

    async def create(wanted: NewSet) -> CreatedSet:
        opened = access()
        limits = await verifier_sets.limits_of(opened.chain, terms, wanted.cap, wanted.max_hold)
        return await verifier_sets.create_set(opened, wanted.members, wanted.threshold, limits)

    return Sendings(
        deposit=Sending(lambda amount: stake.deposit(access(), amount)),
        withdraw=Sending(lambda amount: stake.withdraw(access(), amount)),
        unbond=Sending(lambda amount: stake.unbond(access(), amount)),
        collect=Sending(lambda debtor: stake.collect(access(), debtor)),
        create=Sending(create),
        admit=Sending(
            lambda wanted: verifier_sets.admit(
                access(), wanted.set, wanted.proposer, admitted=wanted.admitted
            )
        ),
        join=Sending(lambda number: verifier_sets.join_set(access(), number)),
        leave=Sending(lambda number: verifier_sets.leave_set(access(), number)),
    )


def refusal_of(error: Exception) -> Refused:
    """What a caller is told: words of others, as those of an endpoint, stay in the log."""
    match error:
        case JepanetError(code=Exit.UNRESOLVED):
            return Refused(
                Code.UNDER_WAY, "it was signed, and nobody can say yet whether it takes effect: call again"
            )
        case Fatal(
            code=Exit.REJECTED | Exit.NOT_FOUND | Exit.USAGE
        ):  # found before anything was signed, and worded there
            return Refused(Code.NOT_ALLOWED, str(error))
        case Rejected():
            return Refused(Code.NOT_ALLOWED, "the contracts refuse it; the node's log says why")
        case JepanetError(code=Exit.UNFUNDED):
            return Refused(
                Code.UNAVAILABLE, "the wallet has too little ether to pay for it; nothing was sent"
            )
    return Refused(
        Code.UNAVAILABLE, "it was not sent: no endpoint takes it, or fees are above the cap; the log says why"
    )
