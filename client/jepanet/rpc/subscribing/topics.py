"""What can be subscribed to, and what is new of it: the difference between two looks at the node.

A node's state is replaced and never changed, so that looking costs a comparison of references.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from jepanet.operations.auditing.rounds import summary
from jepanet.operations.views.activity import Transferred
from jepanet.operations.views.funds import Transaction
from jepanet.operations.views.node import Work, Working
from jepanet.operations.views.rounds import RoundSummary, ScoresArrived
from jepanet.protocol.state import NodeState
from jepanet.rpc.handles.running import RunningNode
from jepanet.rpc.offered.blobs import shown_transfer
from jepanet.rpc.offered.logs import shown_line
from jepanet.rpc.offered.money import shown_transaction
from jepanet.rpc.subscribing.topic import Topic
from jepanet.storage.kept_intents import JournalIntents
from jepanet.telemetry import recent_lines
from jepanet.traffic import BLOB_KINDS

NEWEST_TRANSACTIONS: Final = 50
"""Of older ones nothing is told any more."""
TRANSFERS_EVERY: Final = 1.0
"""Seconds between two events about transfers."""
MOST_TRANSFERS: Final = 20
"""Downloads in one such event."""
NEWEST_LINES: Final = 50
"""Of the log at one look."""


class Watch(Protocol):
    """Looks again and again at one topic."""

    def news(self) -> list[object]:
        """What is new since the last look, or since it was made: records of `views`."""


class Rounds:
    def __init__(self, node: RunningNode) -> None:
        self._node = node
        self._state: NodeState | None = None
        self._told: dict[int, RoundSummary] = {}
        self.news()

    def news(self) -> list[object]:
        state = self._node.state
        if state is self._state:
            return []
        self._state = state
        found = {int(key): summary(state, item) for key, item in state.rounds.items()}
        new = [item for key, item in sorted(found.items()) if self._told.get(key) != item]
        self._told = found
        return list(new)


class Scores:
    def __init__(self, node: RunningNode) -> None:
        self._node = node
        self._state: NodeState | None = None
        self._told: set[ScoresArrived] = set()
        self.news()

    def news(self) -> list[object]:
        state = self._node.state
        if state is self._state:
            return []
        self._state = state
        found = [
            ScoresArrived(int(key), item.coordinator)
            for key, kept in sorted(state.off_chain.items())
            for item in kept.scores
        ]
        new = [item for item in found if item not in self._told]
        self._told = set(found)
        return list(new)


class Training:
    def __init__(self, node: RunningNode) -> None:
        self._node = node
        self._told: tuple[object, ...] | None = None
        self.news()

    def news(self) -> list[object]:
        job = self._node.worker.running
        at = None if job is None else job.progress
        place = () if job is None else (job.job, at and at.step, at and at.loss)
        if place == self._told:
            return []
        self._told = place
        if job is None:
            return [Working(None)]
        if at is None:
            return [Working(Work(job.job, job.seconds))]
        return [Working(Work(job.job, job.seconds, at.step, at.steps, at.loss))]


class Transactions:
    def __init__(self, node: RunningNode) -> None:
        self._node = node
        self._intents = JournalIntents(node.journal)
        self._told: dict[int, Transaction] = {}
        self.news()

    def news(self) -> list[object]:
        address = self._node.state.me.address
        rows = self._intents.page(address, before=None, most=NEWEST_TRANSACTIONS)
        found = {place: shown_transaction(intent) for place, intent in rows}
        new = [item for place, item in sorted(found.items()) if self._told.get(place) != item]
        self._told = found
        return list(new)


class Transfers:
    """What moves changes with every packet: told once a second at most, and the last of it too."""

    def __init__(self, node: RunningNode) -> None:
        self._node = node
        self._told = self._moved()
        self._at = time.monotonic()

    def news(self) -> list[object]:
        now = time.monotonic()
        if now - self._at < TRANSFERS_EVERY or (moved := self._moved()) == self._told:
            return []
        self._at, self._told = now, moved
        received, sent, _ = moved
        found = sorted(self._node.network.transfers(), key=lambda item: item.begun, reverse=True)
        coming = tuple(shown_transfer(item, now) for item in found[:MOST_TRANSFERS])
        return [Transferred(received, sent, len(found), coming)]

    def _moved(self) -> tuple[int, int, frozenset[tuple[bytes, int]]]:
        flows = [self._node.traffic.blobs(kind) for kind in BLOB_KINDS]
        coming = frozenset((item.digest, item.done) for item in self._node.network.transfers())
        return sum(item.received for item in flows), sum(item.sent for item in flows), coming


class Logs:
    """A flood of lines is told from its newest: what is passed over, the numbers of lines show."""

    def __init__(self, _: RunningNode) -> None:
        self._told = recent_lines().count

    def news(self) -> list[object]:
        lines = recent_lines()
        new = lines.after(self._told)
        self._told = lines.count
        return [shown_line(item) for item in new[-NEWEST_LINES:]]


def watch(topic: Topic, node: RunningNode) -> Watch:
    """Begins to look at a topic: what is there now is not news."""
    kinds: Mapping[Topic, Callable[[RunningNode], Watch]] = {
        Topic.ROUNDS: Rounds,
        Topic.SCORES: Scores,
        Topic.TRAINING: Training,
        Topic.TRANSACTIONS: Transactions,
        Topic.TRANSFERS: Transfers,
        Topic.LOGS: Logs,
    }
    return kinds[topic](node)
