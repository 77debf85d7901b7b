"""An event loop in a thread of its own: blocking calls work in a script and where a loop runs already."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from jepanet.errors import Exit, Fatal

T = TypeVar("T")
CLOSED = "the connection is closed"
CONNECT_AGAIN = "open another one with `connect`"


class LoopThread:
    """Runs coroutines for other threads until it is ended. `exits`, of that loop, is closed at the end."""

    def __init__(self) -> None:
        self.exits = AsyncExitStack()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="jepanet-network", daemon=True)
        self._thread.start()
        self._ready.wait()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns or raises. An interrupt of the waiting thread cancels it.

        Raises: Fatal (exit code `USAGE`): the thread was ended, before or meanwhile.
        """
        closed = Fatal(CLOSED, remedy=CONNECT_AGAIN, code=Exit.USAGE)
        try:
            if self._stopping.is_set():
                raise closed
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except (Fatal, RuntimeError) as error:  # another thread may have ended it since it was asked
            work.close()
            raise closed from error
        try:
            return future.result()
        except CancelledError as error:  # nobody else cancels: another thread ended it in the middle
            raise closed from error
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """Asks for the end and does not wait: may be called from anywhere, more than once."""
        try:
            self._loop.call_soon_threadsafe(self._stopping.set)
        except RuntimeError:  # it has ended
            pass

    def end(self) -> None:
        """Ends, and waits until everything is closed. Raises: what closing raised."""
        self.stop()
        self._thread.join()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        async with self.exits:
            self._ready.set()
            await self._stopping.wait()
