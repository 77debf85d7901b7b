"""An engine on a real journal, with handlers in memory, a list for a chain and a number for a clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from protocol_facts import SOLVER, prepared, prologue, sealed

from jepanet.node.engine import Engine, Handler, Trace
from jepanet.protocol.duties import Duty
from jepanet.protocol.facts import ChainBlock, ChainFact, LocalFact
from jepanet.protocol.journal_codec import encode_fact
from jepanet.protocol.state import Identity
from jepanet.storage.journal import Journal, StoredBlock, StoredEvent
from jepanet.types import BlockRef, Role

ME = Identity(SOLVER, frozenset({Role.SOLVER}))
Answer = Callable[[Duty], Awaitable[Sequence[LocalFact]] | Sequence[LocalFact]]


class Clock:
    """Stands in for the `time` module inside the engine: seconds that pass, and no date to ask for."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def monotonic(self) -> float:
        return self.now


class Chain:
    """Confirmed blocks in order, all in the journal's copy; every fact is followed by its block."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._blocks: list[tuple[int, list[ChainFact]]] = []

    def add(self, *facts: ChainFact) -> Self:
        for fact in facts:
            ref = fact.block
            events = [] if isinstance(fact, ChainBlock) else [fact]
            stored = [StoredEvent(ref.number, item.log_index, *encode_fact(item)) for item in events]
            before = self._journal.trail(1, below=ref.number)
            parent = before[0].hash if before and before[0].number == ref.number - 1 else bytes(32)
            block = StoredBlock(ref.number, ref.hash, parent, ref.timestamp)
            self._journal.apply_step(rewind_to=None, blocks=[(block, stored)])
            self._blocks.append((ref.number, [*events, ChainBlock(ref)]))
        return self

    def at(self, timestamp: int) -> Self:
        """An empty block at this time."""
        number = self._blocks[-1][0] + 1
        return self.add(ChainBlock(BlockRef(number, number.to_bytes(32), timestamp)))

    def forget(self, above: int) -> None:
        """Blocks above this one leave the chain."""
        self._journal.apply_step(rewind_to=above, blocks=[])
        self._blocks = [item for item in self._blocks if item[0] <= above]

    @property
    def head(self) -> int:
        return self._blocks[-1][0]

    def after(self, cursor: int | None) -> Iterator[tuple[int, Sequence[ChainFact]]]:
        for number, facts in self._blocks:
            if cursor is None or number > cursor:
                yield number, facts


class Bench:
    """One engine, its journal, and a record of what its handlers were asked to do."""

    def __init__(self, path: Path, *, me: Identity = ME, trace: Trace | None = None) -> None:
        self.journal = Journal.open(path)
        self.calls: list[str] = []
        self.answers: dict[str, Answer] = {
            "PrepareRound": lambda _: [prepared()], "TrainShard": lambda _: [sealed()],
        }  # fmt: skip
        self.engine = Engine(self.journal, me, _Handlers(self), trace)
        self.engine.caught_up = True
        self.chain = Chain(self.journal)
        self._task: asyncio.Task[None] | None = None

    def feed(self) -> None:
        self.engine.feed_chain(self.chain)

    def open_round(self) -> None:
        """A verifier set, a project and a round that accepts commits."""
        self.chain.add(*prologue())  # type: ignore[arg-type]  # a prologue holds chain facts alone
        self.feed()

    def start(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self.engine.run())
        return self._task

    async def until(self, condition: Callable[[], object]) -> None:
        """Waits for `condition`; a failing engine fails the test at once."""
        async with asyncio.timeout(20):
            while not condition():
                if self._task is not None and self._task.done():
                    self._task.result()
                await asyncio.sleep(0.005)

    async def settle(self) -> None:
        """Lets everything that could run do so."""
        for _ in range(20):
            self.engine.notice()
            await asyncio.sleep(0.003)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    def state_of(self, key: str) -> str | None:
        return self.journal.duty_state(key)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        self.journal.close()


class _Handlers(dict[str, Handler]):
    """Answers every tag; one without an answer of its own learns nothing."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def __missing__(self, tag: str) -> Handler:
        async def handle(duty: Duty) -> Sequence[LocalFact]:
            self._bench.calls.append(tag)
            answer = self._bench.answers.get(tag)
            if answer is None:
                return []
            learnt: Any = answer(duty)
            return list(await learnt) if asyncio.iscoroutine(learnt) else learnt

        return handle
