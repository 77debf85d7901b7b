"""Why a delta earned what it earned: sentences beside their names, within the width of the output."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click

from jepanet.interface.terminal.layout import width_of_output

if TYPE_CHECKING:
    from jepanet.operations.views.rounds import ReceiptInWords

_NAMED = 12
"""Columns of the names."""
_WIDEST, _NARROWEST = 100, 40


def tell_reasons(item: ReceiptInWords) -> None:
    """Who scored the delta as what, what was measured, what became of it, what it earned, what became of its
    bond, what to do, and whether all this was recomputed."""
    width = max(_NARROWEST, min(_WIDEST, width_of_output())) - _NAMED
    for name in ("delta", "scored", "measured", "outcome", "payment", "bond", "advice", "checked"):
        lines = textwrap.wrap(getattr(item, name), width, break_long_words=False, break_on_hyphens=False)
        for number, line in enumerate(lines):
            click.echo(f"  {name if number == 0 else '':<{_NAMED - 2}}{line}")
