"""Journal, transition, outbox, handlers: the loop every role runs on.

    chain step ─┐                        ┌─▶ journal: fact + duties + cursor, one transaction
    peer fact ──┼─▶ transition(state) ───┤
    local fact ─┘                        └─▶ outbox ─▶ handler ─▶ local facts (recorded with "done")

A duty leaves the outbox only in the transaction that records what its handler learnt. After a crash every
pending duty is offered again, so handlers first ask "already done?". A duty that is no longer due (its
phase is over, a later repetition replaced it) is closed without running.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol

from jepanet.errors import Fatal, Rejected, Transient
from jepanet.node.losses import tell_losses
from jepanet.protocol.due.table import project_duties, round_duties
from jepanet.protocol.duties import CheckSheet, Duty, duty_key, duty_round
from jepanet.protocol.facts import ChainBlock, ChainFact, Fact, LocalDutyFailed, LocalFact, PeerFact
from jepanet.protocol.journal_codec import (
    decode_duty,
    decode_fact,
    decode_state,
    encode_duty,
    encode_fact,
    encode_state,
)
from jepanet.protocol.state import Identity, NodeState
from jepanet.protocol.transition import genesis, transition
from jepanet.storage.journal import Journal, OutboxRow, Place, StoredBlock, StoredDuty, StoredFact
from jepanet.storage.rows import DutyState
from jepanet.telemetry import get_logger
from jepanet.types import BlockRef

log = get_logger("node")

Handler = Callable[[Duty], Awaitable[Sequence[LocalFact]]]
Trace = Callable[[str], None]
"""Called with the name of every step, so that a test can stop the process between any two of them."""

_SNAPSHOT_EVERY = 500
_REPLAYED_BETWEEN_SNAPSHOTS = 2000
"""A few seconds of replay: the most that a kill at start repeats."""
_BATCH = 512
_MAX_DELAY = 30.0
_UNEXPECTED_LIMIT = 3
# Only transactions are lost when the chain forgets blocks; documents on disk stay true.
_REOFFER = (
    "SendCommit", "SendReveal", "CloseCommits", "DrawBeacon", "UnsealShard", "SendRecord", "SendSettle",
    "SendCancel", "SendClaim", "ReleaseBond", "SlashNonReveal", "SlashInvalid", "SlashEquivocation",
    "OpenRound",
)  # fmt: skip


class Matured(Protocol):
    """Confirmed blocks of the journal's canonical copy with their facts: what `ConfirmedFacts` provides."""

    def after(self, cursor: int | None) -> Iterator[tuple[int, Sequence[ChainFact]]]: ...


class Engine:
    """Owns the state. All methods run on one asyncio loop; journal writes are short and synchronous."""

    def __init__(
        self, journal: Journal, me: Identity, handlers: Mapping[str, Handler], trace: Trace | None = None
    ) -> None:
        self._journal = journal
        self._handlers = handlers
        self._trace = trace or (lambda step: None)
        self._wake = asyncio.Event()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._waits: dict[str, float] = {}
        """Key of a duty that failed -> when it is tried again, on the monotonic clock; not kept on disk."""
        self._held: frozenset[str] = frozenset()
        self._since_snapshot = 0
        self._me = me
        self._failure: asyncio.Future[object] | None = None
        self.state: NodeState = genesis(me)
        self.caught_up = False
        """Set by the chain feed; nothing is dispatched while old blocks are being replayed."""

    # -------------------------------------------------------------- state

    def restore(self) -> int:
        """Rebuilds the state from the last snapshot and the facts after it; returns their number.

        Duties that follow from these facts and are not in the outbox enter it. With unchanged roles and rules
        there are none; a role that was added since gets its share of the running rounds.

        A long replay, as after an upgrade, keeps snapshots on its way: one that is killed goes on from there.
        """
        snapshot = self._journal.latest_snapshot()
        after, self.state = 0, genesis(self._me)
        if snapshot is not None:
            after, self.state = snapshot[0], decode_state(snapshot[1], self._me)
        count = 0
        asked: list[Duty] = []
        for seq, stored in self._journal.facts(after):
            self.state, due = transition(self.state, fact_of(stored))
            asked += due
            count += 1
            if count % _REPLAYED_BETWEEN_SNAPSHOTS == 0:
                self._enter_missing(asked)  # first: the snapshot counts them as handed out
                asked = []
                self._journal.snapshot(seq, encode_state(self.state))
        self._enter_missing(asked)
        log.info("engine.restored", inputs=count, rounds=len(self.state.rounds))
        return count

    def _enter_missing(self, asked: Sequence[Duty]) -> None:
        # One by one: the outbox forgets nothing, and after a year it does not fit into memory.
        missing = [duty for duty in asked if self._journal.duty_state(duty_key(duty)) is None]
        if missing:
            self._journal.record([], [_pending(duty) for duty in missing])

    def feed_chain(self, matured: Matured) -> None:
        """Feeds every confirmed block not fed yet: its events in order, then the block itself."""
        batch: list[ChainFact] = []
        for number, facts in matured.after(self._journal.cursor()):
            batch += facts
            if len(batch) >= _BATCH:
                self._feed_blocks(batch, number)
                batch = []
        if batch:
            self._feed_blocks(batch, batch[-1].block.number)

    def _feed_blocks(self, facts: Sequence[ChainFact], cursor: int) -> None:
        self._apply(facts, cursor=cursor)
        tell_losses(facts, self.state.me.address)

    def feed(self, facts: Sequence[PeerFact | LocalFact], *, done: str | None = None) -> None:
        """Records facts of peers or of handlers; `done` closes the duty in the same transaction."""
        self._apply(facts, done=done)
        for fact in facts:
            self._trace(f"recorded:{type(fact).__name__}")

    def _apply(self, facts: Sequence[Fact], *, cursor: int | None = None, done: str | None = None) -> None:
        state = self.state
        asked: list[Duty] = []
        stored: list[StoredFact | Place] = []
        for fact in facts:
            before = state
            state, due = transition(state, fact)
            # A fact that changed nothing (gossip repeated, a foreign project) need not be kept for replay.
            if due or state != before:
                stored.append(_kept(fact))
            asked += due
        rows = [_pending(duty) for duty in asked]
        self._journal.record(stored, rows, cursor=cursor, done=[done] if done else [])
        self.state = state
        self._since_snapshot += len(stored)
        if self._since_snapshot >= _SNAPSHOT_EVERY:
            self.snapshot()
        if rows or done:
            self._wake.set()

    def snapshot(self) -> None:
        """Stores the state, so that the next start replays little."""
        self._journal.snapshot(self._journal.last_sequence(), encode_state(self.state))
        self._since_snapshot = 0

    def rewind(self, block_number: int) -> None:
        """The chain dropped blocks that had been confirmed: drops their facts and offers transactions again.

        Salts, deltas, scores and signatures stay; handlers find on chain what survived.
        """
        log.warning("engine.rewound", kept_until=block_number, cursor=self._journal.cursor())
        self._journal.rewind_facts(block_number, reoffer=_REOFFER)
        self.restore()
        self._wake.set()

    def resend(self) -> None:
        """Blocks that nothing was built on yet left the chain, and transactions with them, maybe.

        A duty is done once its transaction is mined, before it is confirmed. So every duty that sends one is
        taken up again, also one that waits for a transaction whose predecessors are gone. Handlers find on
        chain what survived; what is no longer due is closed without running.
        """
        reached = self._journal.cursor()
        if reached is None:
            return
        self._journal.rewind_facts(reached, reoffer=_REOFFER)
        for key, task in self._running.items():
            if key.partition("/")[0] in _REOFFER:
                task.cancel()
        self._wake.set()

    # -------------------------------------------------------------- outbox

    async def run(self) -> None:
        """Dispatches due duties until cancelled.

        Raises:
            Fatal: a handler says that the operator must act.
        """
        self._failure = asyncio.get_running_loop().create_future()
        try:
            while True:
                self._wake.clear()
                if self.caught_up:
                    self._dispatch()
                due = min(self._waits.values(), default=math.inf)
                wait = min(1.0, max(0.0, due - time.monotonic())) if self.caught_up else 1.0
                waiter: asyncio.Future[object] = asyncio.ensure_future(self._wake.wait())
                await asyncio.wait({waiter, self._failure}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                waiter.cancel()
                if self._failure.done():
                    self._failure.result()
        finally:
            tasks = list(self._running.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def notice(self) -> None:
        """Something outside changed (a new block): look at the outbox again."""
        self._wake.set()

    def take_up(self, duty: Duty) -> DutyState | None:
        """Tries a duty that is due now without waiting any longer, also one that was given up.

        Returns how far it is: `pending`, or `done` before; None where it is not due, and nothing is changed.
        """
        key = duty_key(duty)
        if self._journal.duty_state(key) is None or key not in self._due_keys():
            return None
        self._journal.take_up(key)
        self._waits.pop(key, None)
        self._wake.set()
        return self._journal.duty_state(key)

    def hold(self, tags: frozenset[str]) -> None:
        """From now on duties with these names are not begun; those that are under way are carried out. They
        stay in the outbox until they are due no longer."""
        self._held = tags
        self._wake.set()

    def under_way(self) -> tuple[str, ...]:
        """Keys of the duties that are being carried out, the oldest first."""
        return tuple(self._running)

    def _dispatch(self) -> None:
        due = self._due_keys()
        pending, now = self._journal.pending(), time.monotonic()
        known = {row.key for row in pending}
        self._waits = {key: at for key, at in self._waits.items() if key in known and at > now}
        waiting = [row for row in pending if row.key not in self._running and row.key not in self._waits]
        over = [row.key for row in waiting if row.key not in due]
        if over:
            self._journal.record([], [], done=over)
        for row in waiting:
            if row.key not in due or row.tag in self._held:
                continue
            task = asyncio.ensure_future(self._perform(row))
            self._running[row.key] = task
            task.add_done_callback(partial(self._finished, row.key))

    def _due_keys(self) -> set[str]:
        state = self.state
        asked = [c for project in state.projects.values() for c in project_duties(state, project)]
        asked += [c for round_ in state.rounds.values() for c in round_duties(state, round_)]
        return {duty_key(duty) for duty in asked}

    def _finished(self, key: str, task: asyncio.Task[None]) -> None:
        self._running.pop(key, None)
        if not task.cancelled() and task.exception() and self._failure and not self._failure.done():
            self._failure.set_exception(task.exception())  # type: ignore[arg-type]  # checked just above
        self._wake.set()

    async def _perform(self, row: OutboxRow) -> None:
        duty = decode_duty(row.tag, row.payload)
        round_id = duty_round(duty)
        fields = {"duty": row.tag, "round": round_id, "attempt": row.attempts + 1}
        self._trace(f"start:{row.tag}")
        started = time.monotonic()
        try:
            learnt = await self._handlers[row.tag](duty)
        except Transient as error:
            delay = min(_MAX_DELAY, 0.5 * 2 ** min(row.attempts, 8))
            log.info("duty.retried", **fields, after=delay, why=str(error))
            self._postpone(row, str(error), delay)
            return
        except Rejected as error:
            log.warning("duty.rejected", **fields, reason=error.reason, why=str(error))
            if round_id is None:
                # A project's next round is wanted until it is open: what refused it can be mended.
                self._postpone(row, str(error), _MAX_DELAY)
                return
            self._give_up(row, duty, error.reason, str(error))
            return
        except Fatal:
            raise
        except Exception as error:
            log.exception("duty.crashed", **fields)
            if row.attempts + 1 < _UNEXPECTED_LIMIT:
                self._postpone(row, repr(error), 1.0)
            else:
                self._give_up(row, duty, "internal-error", repr(error))
            return
        self._trace(f"handled:{row.tag}")
        self.feed(learnt, done=row.key)
        self._trace(f"done:{row.tag}")
        # What a duty did, its own lines say; many do nothing, as when nobody is to be slashed.
        log.debug("duty.done", **fields, seconds=round(time.monotonic() - started, 3))

    def _postpone(self, row: OutboxRow, why: str, delay: float) -> None:
        self._journal.postpone(row.key, why)
        self._waits[row.key] = time.monotonic() + delay

    def _give_up(self, row: OutboxRow, duty: Duty, reason: str, why: str) -> None:
        self._journal.reject(row.key, f"{reason}: {why}")
        round_id = duty_round(duty)
        if round_id is not None:
            sheet = duty.sheet if isinstance(duty, CheckSheet) else None
            self.feed([LocalDutyFailed(round_id, row.tag, reason, sheet)])


def _pending(duty: Duty) -> StoredDuty:
    tag, payload = encode_duty(duty)
    return StoredDuty(duty_key(duty), tag, payload, duty_round(duty))


def _kept(fact: Fact) -> StoredFact | Place:
    """How the journal notes that the machine was fed a fact: what the chain copy holds is not repeated."""
    if isinstance(fact, ChainBlock):
        return Place(fact.block.number, None)
    if isinstance(fact, PeerFact | LocalFact):
        return StoredFact(*encode_fact(fact))
    return Place(fact.block.number, fact.log_index)


def fact_of(stored: StoredFact | StoredBlock) -> Fact:
    """The fact that a row of the journal holds. Raises: Fatal when an incompatible version wrote it."""
    if isinstance(stored, StoredBlock):
        return ChainBlock(BlockRef(stored.number, stored.hash, stored.timestamp))
    return decode_fact(stored.tag, stored.payload)
