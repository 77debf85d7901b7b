"""A played project on a real chain, looked at by an observer that serves its page."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from played_project import Played, played_project

from jepanet.interface.handles import Inputs, open_reading
from jepanet.interface.observed_page import options_of
from jepanet.rpc.observing.outlook import Outlook
from jepanet.rpc.observing.service import serving
from jepanet.settings.observer_config import load_observer


@dataclass
class ShownProject:
    """What is played, and the observer of it. `link` makes a link that lets one browser in."""

    played: Played
    outlook: Outlook
    url: str
    link: Callable[[], str]
    loop: asyncio.AbstractEventLoop

    @property
    def origin(self) -> str:
        return self.url.removesuffix("/dashboard/")

    def do(self, what: Coroutine[Any, Any, Any]) -> Any:
        """Done where the chain and the observer are, and waited for."""
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(60)


@contextmanager
def shown_project(
    folder: Path, *, sheets: Path | None = None, more: tuple[str, ...] = (), rounds: int | None = None
) -> Iterator[ShownProject]:
    """In a thread of its own. `sheets`: another folder than the one that holds what the rounds name; `more`:
    endpoints beside the right one."""
    ready, held, failed = threading.Event(), [], []
    end: list[Callable[[], object]] = []

    async def serve() -> None:
        over = asyncio.Event()
        end.append(lambda: loop.call_soon_threadsafe(over.set))
        loop = asyncio.get_running_loop()
        async with played_project(folder, *(() if rounds is None else (rounds,))) as played:
            endpoints = (played.url, *more)
            where = load_observer(None, endpoints=endpoints, deployment=played.deployment, environment={})
            inputs = Inputs(sheets or played.folder, (), offline=True)
            async with open_reading(where, inputs) as reading:
                outlook = Outlook(reading.chain, reading.history, reading.library)
                async with serving(outlook, 0, options_of(where, inputs)) as page:
                    keeping = asyncio.create_task(outlook.run())
                    held.append(ShownProject(played, outlook, page.url, page.link, loop))
                    ready.set()
                    await over.wait()
                    keeping.cancel()
                    await asyncio.gather(keeping, return_exceptions=True)

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            failed.append(error)
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(60) and held, failed
        yield held[0]
    finally:
        if end:
            end[0]()
        thread.join(30)
