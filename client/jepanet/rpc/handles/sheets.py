"""Score sheets of the node's own blob store, read and worked out once for whoever asks next."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

from jepanet.errors import Rejected, Transient
from jepanet.operations.auditing.rounds import read_sheet
from jepanet.operations.views.rounds import SheetView
from jepanet.protocol.documents.spec import MAX_SPEC_BYTES
from jepanet.protocol.settling.sheet import MAX_SHEET_BYTES
from jepanet.protocol.state import Recorded, Round
from jepanet.rpc.handles.running import RunningNode
from jepanet.telemetry import get_logger
from jepanet.types import RoundId

log = get_logger("rpc")

_KEPT: Final = 4
"""Sheets of a thousand rows take megabytes."""


class Sheets:
    """One is read at a time, beside the event loop; the last few are kept."""

    def __init__(self, node: RunningNode) -> None:
        self._node = node
        self._turn = asyncio.Lock()
        self._kept: OrderedDict[tuple[RoundId, Recorded, bool], SheetView] = OrderedDict()

    async def of(self, round_: Round) -> SheetView | None:
        """The sheet that was recorded for a round; None while none is, or while it is not stored here."""
        recorded = round_.recorded
        if recorded is None:
            return None
        node, members = self._node, len(self._node.state.members(round_))
        with_terms = node.blobs.has(round_.params.spec)
        key = (round_.id, recorded, with_terms)
        async with self._turn:
            if key not in self._kept:
                if not node.blobs.has(recorded.sheet):
                    return None
                found = await asyncio.to_thread(self._read, round_, recorded.sheet, with_terms, members)
                if found is None:
                    return None
                self._kept[key] = found
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]

    def _read(self, round_: Round, digest: bytes, with_terms: bool, members: int) -> SheetView | None:
        blobs = self._node.blobs
        try:
            sheet = blobs.read(digest, max_bytes=MAX_SHEET_BYTES)
            spec = blobs.read(round_.params.spec, max_bytes=MAX_SPEC_BYTES) if with_terms else None
            return read_sheet(sheet, spec, round_, members)
        except (Transient, Rejected) as error:  # damaged and set aside, collected meanwhile, or not its sheet
            log.info("sheet.unread", round=round_.id, why=error.message)
            return None
