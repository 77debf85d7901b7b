"""Which peers are banned, remembered across reconnects and restarts.

py-libp2p drops a peer's score when it disconnects, so reconnecting would whitewash it. Offences are
therefore counted here: points with a half-life, and at `BAN_POINTS` a ban for some time, twice as long each
time. It is served while the node runs: the file keeps what is left of it, so that no clock shortens it. A
ban costs the banned peer only a new key; what it buys is that one bad process cannot keep an honest node
busy for long.
"""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from jepanet.errors import Fatal
from jepanet.files import write_atomically
from jepanet.telemetry import get_logger

BAN_POINTS = 100.0
HALF_LIFE = 600.0
"""Seconds after which an offence weighs half."""
FIRST_BAN = 3600.0
LONGEST_BAN = 7 * 24 * 3600.0
_FORGET_AFTER = 30 * 24 * 3600.0
_MAX_ENTRIES = 4096
_MAX_FILE_BYTES = 4 << 20
_MAX_REASON = 200

_log = get_logger("p2p")


@dataclass(frozen=True, slots=True)
class Ban:
    """One peer's ban. `until` is when it ends on the list's clock; `times` counts its bans so far."""

    until: float
    reason: str
    times: int


class BanList:
    """Bans by peer id, kept in one JSON file. Thread safe; at most 4096 entries, the oldest go first.

    `clock` is seconds that only pass, whatever the date: `time.monotonic`.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._bans: OrderedDict[str, Ban] = OrderedDict()
        self._points: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._load()

    def is_banned(self, peer_id: str) -> bool:
        ban = self._bans.get(peer_id)
        return ban is not None and ban.until > self._clock()

    def ban(self, peer_id: str, reason: str, seconds: float | None = None) -> Ban:
        """Bans for `seconds`, or for an hour doubled per earlier ban (a week at most); stored on return."""
        with self._lock:
            earlier = self._bans.pop(peer_id, None)
            times = earlier.times + 1 if earlier else 1
            length = min(FIRST_BAN * 2.0 ** min(times - 1, 16), LONGEST_BAN) if seconds is None else seconds
            until = max(self._clock() + length, earlier.until if earlier else 0.0)
            entry = self._bans[peer_id] = Ban(until, reason[:_MAX_REASON], times)
            while len(self._bans) > _MAX_ENTRIES:
                self._bans.popitem(last=False)
            self._points.pop(peer_id, None)
            self._store()
        _log.warning("peer.banned", peer=peer_id, reason=entry.reason, seconds=round(length), times=times)
        return entry

    def lift(self, peer_id: str) -> bool:
        """Ends a ban early. False when there was none."""
        with self._lock:
            if self._bans.pop(peer_id, None) is None:
                return False
            self._store()
            return True

    def offence(self, peer_id: str, points: float, reason: str) -> bool:
        """Adds points; True when that crossed `BAN_POINTS` and the peer is now banned."""
        now = self._clock()
        with self._lock:
            held, since = self._points.pop(peer_id, (0.0, now))
            total = held * math.exp2(-max(now - since, 0.0) / HALF_LIFE) + points
            self._points[peer_id] = (total, now)
            while len(self._points) > _MAX_ENTRIES:
                self._points.popitem(last=False)
        if total < BAN_POINTS or self.is_banned(peer_id):
            return False
        self.ban(peer_id, reason)
        return True

    def store(self) -> None:
        """Writes down how much of each ban is left; called now and then and at the end."""
        with self._lock:
            if self._bans:
                self._store()

    def active(self) -> dict[str, Ban]:
        """The bans in force now."""
        now = self._clock()
        return {peer_id: ban for peer_id, ban in self._bans.copy().items() if ban.until > now}

    def _load(self) -> None:
        try:
            with self._path.open("rb") as file:
                data = file.read(_MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            return
        try:
            if len(data) > _MAX_FILE_BYTES:
                raise ValueError("file too large")
            entries = {
                str(peer_id): Ban(
                    min(float(entry["seconds"]), LONGEST_BAN), str(entry["reason"]), int(entry["times"])
                )
                for peer_id, entry in json.loads(data)["bans"].items()
            }
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            # A damaged list must not keep the node from starting; it is set aside for the operator.
            aside = self._path.with_suffix(".damaged")
            self._path.replace(aside)
            _log.warning("ban_list.damaged", kept=str(aside), error=str(error))
            return
        now = self._clock()
        for peer_id, ban in sorted(entries.items(), key=lambda item: item[1].until)[-_MAX_ENTRIES:]:
            if math.isfinite(ban.until) and ban.until > -_FORGET_AFTER:
                self._bans[peer_id] = replace(ban, until=now + ban.until)

    def _store(self) -> None:
        now = self._clock()
        left = {
            peer_id: {"seconds": round(ban.until - now, 3), "reason": ban.reason, "times": ban.times}
            for peer_id, ban in self._bans.items()
        }
        document = {"bans": left}
        try:
            write_atomically(self._path, json.dumps(document, indent=1).encode(), mode=0o600)
        except Fatal as error:
            _log.warning("ban_list.unsaved", path=str(self._path), error=str(error))
