"""The page of a whole network for who runs no node: read, served and told about until it is interrupted."""

from __future__ import annotations

import asyncio
import shlex
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jepanet.interface.handles import Inputs, open_reading

if TYPE_CHECKING:
    from jepanet.settings.config import Observer


@dataclass(frozen=True, slots=True)
class PageWanted:
    """`project` alone, or every one; where to listen; whether this machine's browser is to open it."""

    project: int | None
    port: int
    opened: bool


async def serve_page(
    where: Observer, inputs: Inputs, wanted: PageWanted, told: Callable[[str], None]
) -> None:
    """Until it is cancelled. `told` gets a link that lets one browser in; and another at every line on a
    terminal's standard input.

    Raises: as `open_reading`; Fatal: no such project (`NOT_FOUND`), the port is taken (`PORT_IN_USE`).
    """
    from jepanet.operations.projects.registered import show_project
    from jepanet.rpc.observing.outlook import Outlook
    from jepanet.rpc.observing.service import serving
    from jepanet.types import ProjectId

    async with open_reading(where, inputs, wanted.project) as reading:
        if wanted.project is not None:
            await show_project(reading.chain, wanted.project)
        project = None if wanted.project is None else ProjectId(wanted.project)
        outlook = Outlook(reading.chain, reading.history, reading.library, project)
        async with serving(outlook, wanted.port, options_of(where, inputs)) as page:
            link = page.link()
            told(link)
            if wanted.opened:
                webbrowser.open(link)
            with _at_every_line(lambda: told(page.link())):
                await outlook.run()


def options_of(where: Observer, inputs: Inputs) -> str:
    """Options by which another command looks at the same network. Of an endpoint's address that may hold a
    key, what follows the host is left for whoever copies it to fill in."""
    from jepanet.operations.shown_config import endpoint_names

    words: list[str] = []
    for url, name in zip(where.chain.endpoints, endpoint_names(where.chain.endpoints), strict=True):
        words += ["--rpc", url if url.rstrip("/") == name else f"{name}/YOUR-KEY"]
    words += ["--deployment", str(where.chain.deployment)]
    for peer in inputs.peers or where.p2p.bootstrap:
        words += ["--peer", peer]
    if inputs.offline:
        words += ["--inputs", str(inputs.folder.absolute()), "--offline"]
    return shlex.join(words)


@contextmanager
def _at_every_line(call: Callable[[], None]) -> Iterator[None]:
    """Calls back at every line on standard input, where that is a terminal."""
    if sys.stdin is None or not sys.stdin.isatty():
        yield
        return
    loop = asyncio.get_running_loop()

    def read() -> None:
        if sys.stdin.readline():
            call()
        else:
            loop.remove_reader(sys.stdin)

    loop.add_reader(sys.stdin, read)
    try:
        yield
    finally:
        loop.remove_reader(sys.stdin)
