"""Score sheets of the node's own blob store, read and worked out once for whoever asks next."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import replace
from typing import Final

from jepanet.errors import Rejected, Transient
from jepanet.operations.auditing.rounds import judged_facts, read_sheet
from jepanet.operations.views.rounds import SheetView
from jepanet.protocol.documents.spec import MAX_SPEC_BYTES
from jepanet.protocol.settling.sheet import MAX_SHEET_BYTES
from jepanet.protocol.settling.tally import RoundFacts
from jepanet.protocol.state import Recorded, Round
from jepanet.rpc.handles.running import RunningNode
from jepanet.telemetry import get_logger
from jepanet.types import RoundId

log = get_logger("rpc")

_KEPT: Final = 4
"""Sheets of a thousand rows take megabytes."""
_BRIEF: Final = 2000
"""Rounds of which this wallet's row and the figures are kept: a few kilobytes each."""

Key = tuple[RoundId, Recorded, bool]


class Sheets:
    """One is read at a time, beside the event loop; the last few are kept."""

    def __init__(self, node: RunningNode) -> None:
        self._node = node
        self._turn = asyncio.Lock()
        self._kept: OrderedDict[Key, SheetView] = OrderedDict()
        self._briefs: OrderedDict[Key, SheetView] = OrderedDict()

    async def of(self, round_: Round) -> SheetView | None:
        """The sheet that was recorded for a round; None while none is, or while it is not stored here."""
        recorded, key = round_.recorded, self._key(round_)
        if recorded is None or key is None:
            return None
        node = self._node
        with_terms = key[2]
        async with self._turn:
            if key not in self._kept:
                if not node.blobs.has(recorded.sheet):
                    return None
                facts = judged_facts(node.state, round_, node.deployment)
                if facts is None:
                    return None
                found = await asyncio.to_thread(self._read, round_, recorded.sheet, with_terms, facts)
                if found is None:
                    return None
                self._kept[key] = found
                self._briefs[key] = self._brief(found)
                while len(self._briefs) > _BRIEF:
                    self._briefs.popitem(last=False)
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]

    async def brief(self, round_: Round) -> SheetView | None:
        """As `of`, of the receipts this wallet's alone: lists of many rounds read no sheet twice."""
        key = self._key(round_)
        if key is None:
            return None
        if key not in self._briefs:
            found = await self.of(round_)
            return None if found is None else self._brief(found)
        self._briefs.move_to_end(key)
        return self._briefs[key]

    def _key(self, round_: Round) -> Key | None:
        """What a sheet was read by; None while none is recorded."""
        if round_.recorded is None:
            return None
        return round_.id, round_.recorded, self._node.blobs.has(round_.params.spec)

    def _brief(self, whole: SheetView) -> SheetView:
        me = self._node.state.me.address
        return replace(whole, receipts=tuple(item for item in whole.receipts if item.solver == me))

    def _read(self, round_: Round, digest: bytes, with_terms: bool, facts: RoundFacts) -> SheetView | None:
        blobs = self._node.blobs
        try:
            sheet = blobs.read(digest, max_bytes=MAX_SHEET_BYTES)
            spec = blobs.read(round_.params.spec, max_bytes=MAX_SPEC_BYTES) if with_terms else None
            return read_sheet(sheet, spec, round_, facts)
        except (Transient, Rejected) as error:  # damaged and set aside, collected meanwhile, or not its sheet
            log.info("sheet.unread", round=round_.id, why=error.message)
            return None
