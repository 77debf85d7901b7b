"""Where a watched round is told: in lines, at a terminal above one with a countdown; or in JSON, a line an
event."""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from jepanet.interface.terminal.reasons import tell_reasons
from jepanet.interface.terminal.round_words import clock, line_of, standing
from jepanet.operations.views.json_form import json_form
from jepanet.operations.views.watching import Earned, Happening, SeenRound

if TYPE_CHECKING:
    from rich.text import Text

    from jepanet.operations.views.node import Work
    from jepanet.types import Address


class Watched:
    """Tells of one round after another; used as a context."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._held = ExitStack()
        self._live = not as_json and sys.stdout.isatty()
        self._seen: SeenRound | None = None
        self._work: Work | None = None
        self._note = ""
        self.me: Address | None = None
        """The account of the node that is asked, once it is known."""

    def __enter__(self) -> Watched:
        if self._live:
            from rich.console import Console
            from rich.live import Live

            self._held.enter_context(
                Live(get_renderable=self._line, console=Console(), refresh_per_second=2, transient=True)
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def happened(self, item: Happening) -> None:
        now = time.time()
        if self._as_json:
            tree = json_form(item)
            told = {"event": item.EVENT, "at": round(now, 3), **(tree if isinstance(tree, dict) else {})}
            click.echo(json.dumps(told))
        else:
            click.echo(f"{clock(now)}  {line_of(item, self.me, now)}")
            if isinstance(item, Earned):
                tell_reasons(item.words)
        sys.stdout.flush()

    def standing(self, seen: SeenRound) -> None:
        """What the countdown is of."""
        self._seen, self._note = seen, ""

    def working(self, work: Work | None) -> None:
        """What the node's worker does."""
        self._work = work

    def waiting(self, why: str) -> None:
        """Nothing is seen at the moment; said once, on standard error where it is no terminal."""
        if why == self._note:
            return
        self._seen, self._note = None, why
        if not self._live:
            click.echo(f"jepanet: {why}", err=True)

    def _line(self) -> Text:
        from rich.text import Text

        text = self._note if self._seen is None else standing(self._seen, self._work, time.time())
        return Text(text, style="bold", no_wrap=True, overflow="ellipsis")
