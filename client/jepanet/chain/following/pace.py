"""How long a node needs from the start of a phase to its answer in a block: measured, not assumed.

A phase that is shorter costs whoever joins it: a solver that reveals too late loses its bond.
"""

from __future__ import annotations

import itertools
import statistics
import time
from dataclasses import dataclass

from jepanet.chain.endpoints.requests import ChainReader
from jepanet.chain.following.rhythm import pause_between

_BLOCKS = 8
_TO_BE_MINED = 2
"""Blocks until a transaction is in one: the next may be full or made already."""
_REQUESTS = 8
"""Asked for one answer, in turn: the block, its logs, a view, gas, fees, a nonce, to send, the receipt."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`block`: seconds between blocks. `request`: seconds that a request takes."""

    block: float
    request: float

    def shortest_window(self, confirmations: int, poll: float) -> float:
        """Seconds that a phase must last for this node to act in it.

        Args:
            confirmations: blocks on top of the one that begins the phase before the node acts on it.
            poll: the shortest pause between two looks at the chain, in seconds.
        """
        pause = pause_between(poll, self.block)
        return (1 + confirmations + _TO_BE_MINED) * self.block + pause + _REQUESTS * self.request


async def measure_pace(reader: ChainReader) -> Pace:
    """Medians over the newest blocks: one long gap says nothing about the others.

    Raises:
        Transient: no endpoint answers.
    """
    began = time.monotonic()
    newest = (await reader.head()).ref
    took = [time.monotonic() - began]
    times = [newest.timestamp]
    for number in range(newest.number - 1, max(-1, newest.number - 1 - _BLOCKS), -1):
        began = time.monotonic()
        header = await reader.header(number)
        took.append(time.monotonic() - began)
        if header is not None:
            times.append(header.ref.timestamp)
    gaps = [later - earlier for later, earlier in itertools.pairwise(times)]
    return Pace(statistics.median(gaps) if gaps else 0.0, statistics.median(took))
