"""One trio program in a thread of its own, called from asyncio.

Calls cross by `TrioToken.run_sync_soon` one way and `call_soon_threadsafe` the other, about 0.1 ms each.
If the program ends by an exception, `failure` gets it and every pending call fails.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import trio

from jepanet.errors import Exit, Transient

T = TypeVar("T")


class TrioThread:
    """Owns the thread. All methods are for the asyncio side unless they say otherwise."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()
        self._stopping = False
        self._nursery: trio.Nursery | None = None
        self._calls: set[asyncio.Future[Any]] = set()
        self.failure: asyncio.Future[None]

    async def start(self, program: Callable[[Callable[[], None]], Awaitable[None]], within: float) -> None:
        """Runs `program(ready)` until it ends or `stop` cancels it; returns once it has called `ready`.

        Raises:
            TimeoutError: not ready in time (it is being stopped then). Otherwise what the program raised.
        """
        loop = self._loop = asyncio.get_running_loop()
        self.failure = loop.create_future()
        # The owner may never look at it; a failure is logged by the node, not by the garbage collector.
        self.failure.add_done_callback(lambda future: future.cancelled() or future.exception())
        ready: asyncio.Future[None] = loop.create_future()

        def announce() -> None:
            loop.call_soon_threadsafe(_settle, ready)

        threading.Thread(target=self._main, args=(program, announce), name=self._name, daemon=True).start()
        await asyncio.wait({ready, self.failure}, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        if self.failure.done():
            self.failure.result()
            raise Transient(f"{self._name} ended while it started")
        if not ready.done():
            await self.stop(5)
            raise TimeoutError(f"{self._name} was not ready within {within:.0f} s")

    def _main(
        self, program: Callable[[Callable[[], None]], Awaitable[None]], announce: Callable[[], None]
    ) -> None:
        async def run() -> None:
            self._token = trio.lowlevel.current_trio_token()
            with self._scope:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    await program(announce)
                    nursery.cancel_scope.cancel()

        error: BaseException | None = None
        try:
            trio.run(run)
        except BaseException as raised:
            error = _innermost(raised)
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._ended, error)
        except RuntimeError:  # the loop is closed: nobody is left to tell
            return

    def _ended(self, error: BaseException | None) -> None:
        if not self.failure.done():
            # During shutdown under traffic the library may trip over its own closed nurseries.
            if error is None or self._stopping:
                self.failure.set_result(None)
            else:
                self.failure.set_exception(
                    error if isinstance(error, Exception) else RuntimeError(f"{self._name} ended: {error!r}")
                )
        for call in list(self._calls):
            if not call.done():
                call.set_exception(Transient(f"{self._name} has stopped", code=Exit.NOT_RUNNING))

    @property
    def running(self) -> bool:
        return self._token is not None and not self.failure.done() and not self._stopping

    async def call(self, function: Callable[..., Awaitable[T]], *args: object) -> T:
        """Awaits `function(*args)` on the trio side. Cancelling the caller cancels it there.

        Raises:
            Transient: the thread is not running. Otherwise what the function raised.
        """
        loop, token, nursery = self._loop, self._token, self._nursery
        if not self.running or loop is None or token is None or nursery is None:
            raise Transient(f"{self._name} is not running", code=Exit.NOT_RUNNING)
        result: asyncio.Future[T] = loop.create_future()
        scope = trio.CancelScope()

        def settle(value: T | None, error: BaseException | None) -> None:
            if result.done():
                return
            if error is not None:
                result.set_exception(error)
            else:
                result.set_result(cast("T", value))

        async def job() -> None:
            value: T | None = None
            error: BaseException | None = Transient(f"{self._name} has stopped", code=Exit.NOT_RUNNING)
            try:
                with scope:
                    value = await function(*args)
                    error = None
            except Exception as raised:
                error = _innermost(raised)
            finally:
                self.post(settle, value, error)

        def begin() -> None:
            try:
                nursery.start_soon(job)
            except RuntimeError:  # the nursery has closed meanwhile
                self.post(settle, None, Transient(f"{self._name} has stopped", code=Exit.NOT_RUNNING))

        self._calls.add(result)
        try:
            token.run_sync_soon(begin)
            return await result
        except trio.RunFinishedError as error:
            raise Transient(f"{self._name} has stopped", code=Exit.NOT_RUNNING) from error
        except asyncio.CancelledError:
            self.soon(scope.cancel)
            raise
        finally:
            self._calls.discard(result)

    def soon(self, function: Callable[[], object]) -> None:
        """Runs `function` on the trio side soon; nothing once that has ended. Callable from any thread."""
        try:
            if self._token is not None:
                self._token.run_sync_soon(function)
        except trio.RunFinishedError:
            return

    def post(self, function: Callable[..., object], *args: object) -> None:
        """Runs `function` on the asyncio loop soon; does nothing once that is closed. For the trio side."""
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            return

    async def ask(self, function: Callable[[], Awaitable[T]], within: float) -> T | None:
        """For the trio side: awaits `function()` on the asyncio loop; None after `within` seconds.

        Raises:
            What `function` raised.
        """
        answered = trio.Event()
        box: list[T] = []
        errors: list[Exception] = []
        task: list[asyncio.Task[None]] = []

        async def run() -> None:
            try:
                box.append(await function())
            except Exception as error:
                errors.append(error)
            finally:
                self.soon(answered.set)

        def begin() -> None:
            task.append(asyncio.ensure_future(run()))

        def give_up() -> None:
            if task:
                task[0].cancel()

        self.post(begin)
        try:
            with trio.move_on_after(within):
                await answered.wait()
        finally:
            if not answered.is_set():
                self.post(give_up)
        if errors:
            raise errors[0]
        return box[0] if box else None

    async def stop(self, within: float) -> bool:
        """Cancels the program and waits; False if the thread would not end in time."""
        if self._loop is None:
            return True
        self._stopping = True
        self.soon(self._scope.cancel)
        await asyncio.wait({self.failure}, timeout=within)
        return self.failure.done()


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _innermost(error: BaseException) -> BaseException:
    """The one error inside an exception group of one; else the group itself."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
