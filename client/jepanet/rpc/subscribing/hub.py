"""Looks at what anybody subscribed to, once for all of them, and hands out what is new.

Whoever does not read is not waited for: a subscriber holds so many events that are not sent yet, and with one
more it is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter, deque
from typing import Final

from jepanet.operations.views.json_form import json_form
from jepanet.rpc.codes import Code, Refused
from jepanet.rpc.handles.running import RunningNode
from jepanet.rpc.messages import VERSION
from jepanet.rpc.method import Scope
from jepanet.rpc.subscribing.topic import Topic
from jepanet.rpc.subscribing.topics import Watch, watch
from jepanet.telemetry import get_logger

log = get_logger("rpc")

EVERY: Final = 0.5
"""Seconds between two looks, while anybody listens."""
PER_CONNECTION: Final = 8
PER_TOKEN: Final = 64
MOST_WAITING: Final = 256
"""Events of one subscriber that are not sent yet."""
MOST_BYTES: Final = 1 << 20
"""The same in characters."""
_FAREWELL: Final = 1.0


class Subscriber:
    """One connection's subscriptions and the events that wait for it."""

    def __init__(self, hub: Hub, scope: Scope) -> None:
        self._hub = hub
        self.scope = scope
        self.topics: dict[str, Topic] = {}
        """By the id of the subscription."""
        self._numbered = 0
        self._waiting: deque[str] = deque()
        self._size = 0
        self._wake = asyncio.Event()
        self._dropped = asyncio.Event()
        self._ended = asyncio.Event()
        self._said = ""

    @property
    def dropped(self) -> bool:
        """It did not read; nothing is told it any more."""
        return self._dropped.is_set()

    async def until_dropped(self) -> None:
        """For ever, for who reads."""
        await self._dropped.wait()

    async def until_ended(self) -> str:
        """Until the node ends: what it says of that."""
        await self._ended.wait()
        return self._said

    def end(self, said: str) -> None:
        """The node ends now."""
        self._said = said
        self._ended.set()

    def subscribe(self, topic: Topic) -> str:
        """The id of a new subscription. Raises: Refused (`TOO_MANY`)."""
        if len(self.topics) >= PER_CONNECTION:
            raise Refused(Code.TOO_MANY, f"{PER_CONNECTION} subscriptions on one connection")
        if self._hub.held(self.scope) >= PER_TOKEN:
            raise Refused(Code.TOO_MANY, f"{PER_TOKEN} subscriptions with one token")
        self._hub.look_at(topic)
        self._numbered += 1
        self.topics[str(self._numbered)] = topic
        return str(self._numbered)

    def unsubscribe(self, subscription: str) -> None:
        """Raises: Refused (`NOT_FOUND`)."""
        if self.topics.pop(subscription, None) is None:
            raise Refused(Code.NOT_FOUND, "no subscription of this connection has this id")

    def offer(self, topic: Topic, event: str) -> None:
        """Puts an event, in JSON, behind those that wait, for each subscription to its topic."""
        for subscription, wanted in self.topics.items():
            if wanted is not topic or self.dropped:
                continue
            text = (
                f'{{"jsonrpc":"{VERSION}","method":"rpc.event","params":{{"subscription":"{subscription}",'
                f'"topic":"{topic}","event":{event}}}}}'
            )
            if len(self._waiting) >= MOST_WAITING or self._size + len(text) > MOST_BYTES:
                self._dropped.set()
                self._waiting.clear()
                log.warning("subscriber.dropped", why="it does not read what it subscribed to")
            else:
                self._waiting.append(text)
                self._size += len(text)
            self._wake.set()

    async def next(self) -> str | None:
        """The next event to send; None once it is dropped."""
        while not self._waiting and not self.dropped:
            self._wake.clear()
            await self._wake.wait()
        if self.dropped:
            return None
        text = self._waiting.popleft()
        self._size -= len(text)
        return text


class Hub:
    """All subscribers of a node, of which `most` are connected at once."""

    def __init__(self, node: RunningNode, *, most: int) -> None:
        self._node = node
        self._most = most
        self._subscribers: set[Subscriber] = set()
        self._watches: dict[Topic, Watch] = {}
        self._wanted = asyncio.Event()
        self._empty = asyncio.Event()

    def join(self, scope: Scope) -> Subscriber | None:
        """A new subscriber; None where there are enough."""
        if len(self._subscribers) >= self._most:
            return None
        subscriber = Subscriber(self, scope)
        self._empty.clear()
        self._subscribers.add(subscriber)
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        """Its connection is closed."""
        self._subscribers.discard(subscriber)
        if not self._subscribers:
            self._empty.set()

    async def farewell(self, said: str) -> None:
        """Tells everybody that the node ends now, and gives them a moment to hear it."""
        for subscriber in self._subscribers:
            subscriber.end(said)
        if self._subscribers:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), _FAREWELL)

    def held(self, scope: Scope) -> int:
        """How many subscriptions the holders of a token have together."""
        return sum(len(item.topics) for item in self._subscribers if item.scope is scope)

    def look_at(self, topic: Topic) -> None:
        """From now on, while anybody listens to it."""
        if topic not in self._watches:
            self._watches[topic] = watch(topic, self._node)
        self._wanted.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._wanted.wait()
            await asyncio.sleep(EVERY)
            self.look()

    def look(self) -> None:
        """Once: hands out what is new, and forgets what nobody listens to any more."""
        counted = Counter(topic for item in self._subscribers for topic in item.topics.values())
        for topic in [item for item in self._watches if item not in counted]:
            del self._watches[topic]
        if not self._watches:
            self._wanted.clear()
        for topic, looked_at in self._watches.items():
            try:
                news = [json.dumps(json_form(item), separators=(",", ":")) for item in looked_at.news()]
            except Exception as error:  # a defect, or a disk that fails: the node and the others go on
                log.error("topic.failed", topic=topic, exc_info=error)
                continue
            for event in news:
                for subscriber in self._subscribers:
                    subscriber.offer(topic, event)
