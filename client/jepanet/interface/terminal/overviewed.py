"""Where a node's overview is told: at a terminal in place, with countdowns; elsewhere a line for each change,
or a line of JSON for each look."""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from jepanet.interface.terminal.layout import harmless, width_of_output
from jepanet.interface.terminal.overview_words import Line, lines, plain
from jepanet.interface.terminal.round_words import clock
from jepanet.operations.views.json_form import json_form
from jepanet.operations.views.overview import Overview

if TYPE_CHECKING:
    from rich.text import Text


class Overviewed:
    """Tells of one look after another; used as a context. `whole`: it takes the whole screen for itself."""

    def __init__(self, *, as_json: bool, whole: bool) -> None:
        self._as_json = as_json
        self._whole = whole
        self._live = not as_json and sys.stdout.isatty()
        self._held = ExitStack()
        self._seen: Overview | None = None
        self._at = 0.0
        self._told: tuple[str, ...] = ()
        self._missing = ""

    def __enter__(self) -> Overviewed:
        if self._live:
            from rich.console import Console
            from rich.live import Live

            live = Live(
                get_renderable=self._drawn,
                console=Console(),
                refresh_per_second=2,
                screen=self._whole,
                vertical_overflow="crop",
            )
            self._held.enter_context(live)
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def saw(self, seen: Overview) -> None:
        """One look."""
        self._seen, self._at, self._missing = seen, time.monotonic(), ""
        if self._as_json:
            click.echo(json.dumps(json_form(seen)))
        elif not self._live:
            self._tell(tuple(plain(seen)))
        sys.stdout.flush()

    def missing(self, why: str) -> None:
        """The node does not answer; told once, on standard error where it is no terminal."""
        if why != self._missing and not self._live:
            click.echo(f"jepanet: {harmless(why)}", err=True)
        self._missing = why

    def _tell(self, told: tuple[str, ...]) -> None:
        """What was not said of the look before."""
        now = clock(time.time())
        for line in told:
            if line not in self._told:
                click.echo(f"{now}  {line}")
        for line in self._told:
            if line.startswith("to do: ") and line not in told:
                click.echo(f"{now}  no more: {line.removeprefix('to do: ')}")
        self._told = told

    def _drawn(self) -> Text:
        from rich.text import Text

        since = time.monotonic() - self._at
        found: list[Line] = []
        if self._missing:
            ago = "" if self._seen is None else f"; what follows is of {round(since)} s ago"
            found.append(Line(f"{self._missing}{ago}", "bold red"))
        if self._seen is not None:
            found += lines(self._seen, 0.0 if self._missing else since, width_of_output())
        drawn = Text(no_wrap=True, overflow="ellipsis")
        for place, item in enumerate(found):
            drawn.append(("\n" if place else "") + item.text, style=item.style)
        return drawn
