"""Where a watched round is told: in lines, at a terminal above one that says where the round stands and what
the node does, elsewhere with such a one now and then; or in JSON, a line an event."""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import click

from jepanet.interface.terminal.layout import harmless
from jepanet.interface.terminal.reasons import tell_reasons
from jepanet.interface.terminal.round_words import clock, line_of, standing
from jepanet.operations.views.json_form import json_form
from jepanet.operations.views.watching import Earned, Happening, SeenRound

if TYPE_CHECKING:
    from rich.text import Text

    from jepanet.operations.views.activity import TrainingNow
    from jepanet.types import Address

_QUIET_SECONDS: Final = 30.0
"""Without a terminal: after so long without a line, one says where the round stands."""


class Watched:
    """Tells of one round after another; used as a context."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._held = ExitStack()
        self._live = not as_json and sys.stdout.isatty()
        self._seen: SeenRound | None = None
        self._training: TrainingNow | None = None
        self._note = ""
        self._told_at = time.monotonic()
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

    def introduced(self, text: str) -> None:
        """What to know before anything happens; nothing that a program could use."""
        if not self._as_json:
            click.echo(text)

    def happened(self, item: Happening) -> None:
        now, self._told_at = time.time(), time.monotonic()
        if self._as_json:
            tree = json_form(item)
            told = {"event": item.EVENT, "at": round(now, 3), **(tree if isinstance(tree, dict) else {})}
            click.echo(json.dumps(told))
        else:
            click.echo(f"{clock(now)}  {line_of(item, self.me, now)}")
            if isinstance(item, Earned):
                tell_reasons(item.words)
        sys.stdout.flush()

    def standing(self, seen: SeenRound, training: TrainingNow | None) -> None:
        """Where the round stands, and what the node's worker does."""
        self._seen, self._training, self._note = seen, training, ""
        if self._live or self._as_json or time.monotonic() - self._told_at < _QUIET_SECONDS:
            return
        self._told_at = time.monotonic()
        click.echo(f"{clock(time.time())}    {standing(seen, training, self.me, time.time())}")
        sys.stdout.flush()

    def waiting(self, why: str) -> None:
        """Nothing is seen at the moment; said once, on standard error where it is no terminal."""
        if why == self._note:
            return
        self._seen, self._note = None, why
        if not self._live:
            click.echo(f"jepanet: {harmless(why)}", err=True)

    def _line(self) -> Text:
        from rich.text import Text

        text = self._note
        if self._seen is not None:
            text = standing(self._seen, self._training, self.me, time.time())
        return Text(text, style="bold", no_wrap=True, overflow="ellipsis")
