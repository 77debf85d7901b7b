"""A download, as whoever watches sees it: while it is under way, and for a while after it ended."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Transfer:
    """`begun`: on the clock of `time.monotonic`. `total` bytes are 0 until a provider has named them, and are
    what it says. `kind`: what the file is, as its traffic counts. `sources`: bytes that were kept, by peer;
    bytes of `done` beyond them lay here from an earlier attempt. `ended`: on the same clock, None before;
    `failure`: why it came to nothing."""

    digest: bytes
    begun: float
    done: int = 0
    total: int = 0
    kind: str = "other"
    sources: dict[str, int] = field(default_factory=dict)
    ended: float | None = None
    failure: str | None = None
