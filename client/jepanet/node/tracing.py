"""Names every durable step of a transaction, so that a test can stop the process right after it."""

from __future__ import annotations

from collections.abc import Sequence

from jepanet.intents import Intent, IntentStore
from jepanet.node.engine import Trace


class TracedIntents:
    """An intent store that reports each stored state as `intent:<state>:<what>`, for example
    `intent:sent:commit` or `intent:sent:commit/deposit`."""

    def __init__(self, store: IntentStore, trace: Trace | None) -> None:
        self._store = store
        self._trace = trace

    def intents(self, sender: str) -> Sequence[Intent]:
        """Every intent of an account, oldest first."""
        return self._store.intents(sender)

    def put(self, intent: Intent) -> None:
        """Stores the intent, then names the step."""
        self._store.put(intent)
        if self._trace is not None:
            what = "/".join(part for part in intent.key.split("/") if part.isalpha())
            self._trace(f"intent:{intent.state}:{what}")
