"""One thing made ahead: by another thread, while what came before it is used."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Makes what is expected while the caller does something else; holds at most one of them.

    `make` is given the number of what to make, and an event that is set when nobody wants it any more.
    """

    def __init__(self, make: Callable[[int, threading.Event], T]) -> None:
        self._make = make
        self._stopped = threading.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="jepanet-ahead")
        self._expected: tuple[int, Future[T]] | None = None

    def expect(self, number: int) -> None:
        """Begins to make `number`, unless it is what is being made; another one is given up."""
        if self._expected is not None and self._expected[0] == number:
            return
        if self._expected is not None:
            self._expected[1].cancel()
        self._expected = number, self._thread.submit(self._make, number, self._stopped)

    def take(self, number: int) -> T:
        """What was made, waited for if need be. Raises: as `make`."""
        self.expect(number)
        assert self._expected is not None, "it was just expected"
        made, self._expected = self._expected[1], None
        return made.result()

    def close(self) -> None:
        """Ends what is being made, and waits until it has."""
        self._stopped.set()
        self._thread.shutdown(cancel_futures=True)
        self._expected = None
