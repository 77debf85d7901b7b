"""A clock for py-libp2p that nobody can set.

The library measures how long a pruned peer is left alone, how long a message counts as seen and how old a
connection is with `time.time()`. Set back by an hour, the system's clock would stretch each of them by an
hour; set forward, messages would be taken for new again. Its modules are therefore given a `time` that tells
the date once, at start, and from then on only passes.
"""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace

_BEGAN = time.time() - time.monotonic()


def steady_time() -> float:
    """Seconds since the epoch as of this program's start, plus those that have passed since."""
    return _BEGAN + time.monotonic()


def make_library_steady() -> tuple[str, ...]:
    """Replaces `time` in every module of the library that has been loaded since; their names."""
    steady = SimpleNamespace(
        **{**vars(time), "time": steady_time, "time_ns": lambda: int(steady_time() * 1e9)}
    )
    found = [
        (name, module)
        for name, module in list(sys.modules.items())
        if name.startswith("libp2p.") and vars(module).get("time") is time
    ]
    for _, module in found:
        vars(module)["time"] = steady
    return tuple(name for name, _ in found)
