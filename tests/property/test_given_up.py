"""When a node gives up on what a solver has to serve: never on one that is there again soon enough, and early
enough for everybody's scores on one that is silent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jepanet.errors import Transient
from jepanet.roles.steps.missing import Missing
from jepanet.types import Digest

pytestmark = pytest.mark.property

VERIFY = 4800
GRACE = VERIFY // 4
"""Nobody is given up earlier."""
ASKED = VERIFY // 16
"""Seconds for which a node asks at least."""
EVERY = 60
"""The longest wait of a node between two attempts (`node/engine.py`)."""
SCORES_OPENED = VERIFY * 9 // 20
DELTA = Digest(b"\x01" * 32)
NEVER_DONE = 1 << 20
WAITS = st.lists(st.integers(1, EVERY), min_size=1, max_size=20)


class Node:
    """Asks for the files of one solver, each time from the first one that it lacks."""

    def __init__(self, loop: asyncio.Runner) -> None:
        self.loop = loop
        self.now, self.files, self.held = 0, NEVER_DONE, set[Digest]()
        self.round: Any = SimpleNamespace(id=7, reveal_end=0, params=SimpleNamespace(verify_duration=VERIFY))
        context: Any = SimpleNamespace(
            state=lambda: SimpleNamespace(now=self.now),
            blobs=SimpleNamespace(path=lambda file: Path("file") if file in self.held else None),
        )
        self.missing = Missing(context)

    def asks(self, more: int) -> bool:
        """Whether it gives up, at an attempt at which so many files are served that are not here yet."""
        return self.loop.run(self._asks(more))

    def asks_until(self, end: int, waits: Sequence[int]) -> None:
        """Asks a solver that serves nothing, and never gives up."""
        turn = 0
        while self.now < end:
            assert not self.asks(0)
            self.now += waits[turn % len(waits)]
            turn += 1

    async def _asks(self, more: int) -> bool:
        last = len(self.held) + more
        for number in range(len(self.held), min(self.files, last + 1)):
            file = Digest(number.to_bytes(32, "big"))
            try:
                async with self.missing.asking(self.round, DELTA, file):
                    if number == last:
                        raise Transient("nobody has it")
                    self.held.add(file)
            except Transient:
                return self.missing.gives_up(self.round, DELTA)
        return False


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@given(
    early=st.lists(st.integers(0, ASKED * 3 // 2), max_size=2),
    start=st.integers(0, VERIFY // 2),
    down=st.integers(0, ASKED - 1),
    waits=WAITS,
)
@example(early=[300], start=GRACE - 50, down=ASKED - 1, waits=[EVERY])
@example(early=[], start=GRACE, down=ASKED - 1, waits=[EVERY])
def test_who_is_there_again_within_a_sixteenth_of_verify_is_never_given_up(
    loop: asyncio.Runner, early: list[int], start: int, down: int, waits: list[int]
) -> None:
    """Whenever it went, and however often it was asked meanwhile. Before that it was away for longer, early
    enough, and served all that was asked for when it came back."""
    node = Node(loop)
    for away in early:
        node.asks_until(min(node.now + away, GRACE - EVERY), waits)
        node.files = len(node.held) + 1  # a delta, say: what comes after it is not asked for yet
        assert not node.asks(1)
    node.now, node.files = max(node.now, start), len(node.held) + 4
    node.asks_until(node.now + down, waits)
    assert not node.asks(4)
    assert len(node.held) == node.files, "all of it is served"


@given(
    start=st.integers(0, GRACE),
    more=st.lists(st.booleans(), min_size=1, max_size=40),
    waits=WAITS,
)
def test_who_is_silent_or_serves_a_file_now_and_then_is_given_up_before_scores_are_opened(
    loop: asyncio.Runner, start: int, more: list[bool], waits: list[int]
) -> None:
    node, turn = Node(loop), 0
    node.now = start
    while not node.asks(more[turn % len(more)]):
        node.now += waits[turn % len(waits)]
        turn += 1
        assert node.now < SCORES_OPENED
    assert node.now >= GRACE, "there was time left"


@given(start=st.integers(0, GRACE - ASKED - 2 * EVERY), waits=WAITS)
def test_who_served_nothing_in_all_that_time_is_given_up_at_the_first_attempt_after_it(
    loop: asyncio.Runner, start: int, waits: list[int]
) -> None:
    node = Node(loop)
    node.now = start
    node.asks_until(GRACE, waits)
    assert node.asks(0)


@given(times=st.lists(st.integers(0, VERIFY), min_size=1, max_size=2))
def test_two_attempts_in_vain_are_too_few_however_far_apart(loop: asyncio.Runner, times: list[int]) -> None:
    node = Node(loop)
    for node.now in sorted(times):
        assert not node.asks(0)
