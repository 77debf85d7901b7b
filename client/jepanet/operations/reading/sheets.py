"""The score sheets of all rounds for who looks at a whole project: fetched one after another, read once."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from jepanet.errors import Fatal, Rejected, Transient
from jepanet.operations.auditing.rounds import fetch_sheet
from jepanet.operations.reading.library import Library
from jepanet.operations.views.observing import Trouble
from jepanet.operations.views.rounds import HeldOut, Receipt, SheetView
from jepanet.protocol.settling.tally import RoundFacts
from jepanet.protocol.state import Recorded, Round
from jepanet.telemetry import get_logger
from jepanet.types import Address, Digest, RoundId

log = get_logger("observing")

_KEPT: Final = 4
"""Sheets of a thousand rows take megabytes."""
_AGAIN_SECONDS: Final = 30.0
"""After one that could not be had, before it is asked for again."""
_NEVER: Final = float("-inf")
_MOST_HELD: Final = 2 << 30
"""Bytes of documents in the library's folder above which what was fetched is let go once it was read."""
_FETCHED_AGAIN_SECONDS: Final = 3600.0
"""After one that was let go and is not to be believed."""


Key = tuple[RoundId, Recorded | None]
"""A sheet is read for one result of one round: of another with the same hash it may tell lies."""


def key_of(round_: Round) -> Key:
    """By what a round's sheet is known once it was read."""
    return round_.id, round_.recorded


@dataclass(frozen=True, slots=True)
class RowOfSheet:
    """What counts of a receipt when many are added up. Gain in micro-nats, amount in wei."""

    solver: Address
    accepted: bool
    gain: int
    amount: int


@dataclass(frozen=True, slots=True)
class ReadSheet:
    """What is kept of a score sheet that was read."""

    stderr: int | None
    note: str
    heldout: HeldOut
    rows: tuple[RowOfSheet, ...]


class Sheets:
    """Score sheets of a library. `read` holds those of the rounds that `fetch_next` was last given; of views,
    the last are kept.

    One that cannot be had now is asked for again later, after all others: however many nobody serves, each
    that somebody does has its turn. The folder grows up to a bound: nothing is deleted that was there before.
    """

    def __init__(self, library: Library, clock: Callable[[], float] = time.monotonic) -> None:
        self._library = library
        self._clock = clock
        self._views: OrderedDict[Key, SheetView] = OrderedDict()
        self._rests: dict[Key, float] = {}
        self._wanted: Key | None = None
        self._held: int | None = None
        self.read: Mapping[Key, ReadSheet] = {}
        self.trouble: Trouble | None = None

    async def of(self, round_: Round, facts: RoundFacts | None) -> SheetView | None:
        """The sheet that is recorded for a round; None while none is, or while it was not fetched. It is then
        fetched before others."""
        if round_.recorded is None:
            return None
        key = key_of(round_)
        if key in self._views:
            self._views.move_to_end(key)
            return self._views[key]
        if not self._library.has(round_.recorded.sheet):
            self._wanted = key
            return None
        try:
            view = await fetch_sheet(self._library, round_, facts)
        except (Transient, Rejected, Fatal) as error:
            log.info("sheet.unread", round=round_.id, why=str(error))
            return None
        return self._keep(key, view)

    def awaited(self, rounds: Sequence[Round]) -> list[Round]:
        """Those with a recorded sheet that was not read, in the order given."""
        return [item for item in rounds if item.recorded is not None and key_of(item) not in self.read]

    async def fetch_next(self, rounds: Sequence[Round], facts: Callable[[Round], RoundFacts | None]) -> bool:
        """Reads one more sheet, of the first of `rounds` that was not tried yet, or of the one that was tried
        the longest ago; False where there is none. Forgets what is of none of them.

        What cannot be had is told by `trouble`, never raised.
        """
        now = self._clock()
        self._forget_others(rounds)
        shown = [item for item in rounds if key_of(item) == self._wanted and self._wanted in self.read]
        wanted = (*self.awaited(rounds), *shown)  # also one that was read and let go
        due = [item for item in wanted if self._rests.get(key_of(item), now) <= now]
        if not due:
            return False
        longest = min(due, key=lambda item: self._rests.get(key_of(item), _NEVER))
        round_ = next((item for item in due if key_of(item) == self._wanted), longest)
        key = key_of(round_)
        assert round_.recorded is not None, "nothing else is awaited"
        documents = (round_.recorded.sheet, round_.params.spec)
        new = [item for item in documents if not self._library.has(item)]
        self._rests[key] = now + _AGAIN_SECONDS  # also where a fault ends this call
        try:
            view = await fetch_sheet(self._library, round_, facts(round_))
        except (Transient, Rejected, Fatal) as error:
            gone = await self._let_go(new)
            self._rests[key] = self._clock() + (_FETCHED_AGAIN_SECONDS if gone else _AGAIN_SECONDS)
            since = int(time.time()) if self.trouble is None else self.trouble.since
            self.trouble = Trouble(error.message, error.remedy, since)
            return True
        self._keep(key, view)
        self.read = {**self.read, key: _kept_of(view)}
        self.trouble, self._wanted = None, None
        self._rests.pop(key, None)
        await self._let_go(new)
        await asyncio.sleep(0)
        return True

    async def _let_go(self, new: Sequence[Digest]) -> bool:
        """Whether documents that this call fetched were deleted again, because the folder holds enough."""
        sizes = {}
        for digest in new:
            with suppress(FileNotFoundError):  # nobody served it, or it lies in a node's store
                sizes[digest] = self._library.place(digest, "dag-json").stat().st_size
        if not sizes:
            return False
        if self._held is None:
            self._held = await asyncio.to_thread(self._library.held)
        else:
            self._held += sum(sizes.values())
        if self._held <= _MOST_HELD:
            return False
        for digest, size in sizes.items():
            self._library.discard(digest, "dag-json")
            self._held -= size
        return True

    def _forget_others(self, rounds: Sequence[Round]) -> None:
        known = set(map(key_of, rounds))
        if not known >= self.read.keys():
            self.read = {key: item for key, item in self.read.items() if key in known}
        if not known >= self._rests.keys():
            self._rests = {key: until for key, until in self._rests.items() if key in known}

    def _keep(self, key: Key, view: SheetView) -> SheetView:
        self._views[key] = view
        while len(self._views) > _KEPT:
            self._views.popitem(last=False)
        return view


def _kept_of(view: SheetView) -> ReadSheet:
    figures = view.figures
    return ReadSheet(
        stderr=None if figures is None else figures.stderr,
        note="" if figures is None else figures.note,
        heldout=HeldOut({}, {}) if figures is None else figures.heldout,
        rows=tuple(map(_row, view.receipts)),
    )


def _row(receipt: Receipt) -> RowOfSheet:
    return RowOfSheet(receipt.solver, receipt.verdict == "accepted", receipt.gain, int(receipt.paid))
