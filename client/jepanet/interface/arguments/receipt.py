"""`jepanet receipt`: one round's rows in words."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from jepanet.interface.handles import Inputs, open_reading
from jepanet.interface.observing import observer_options
from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import ID, emit, json_option, library_options, tokens
from jepanet.interface.terminal.reasons import tell_reasons

if TYPE_CHECKING:
    from jepanet.operations.views.rounds import ReceiptInWords
    from jepanet.settings.config import Observer


@click.command("receipt", cls=StrictCommand)
@click.argument("round_id", type=ID)
@click.option(
    "--solver",
    metavar="ADDRESS",
    help="Only the receipt of this account, which has one from its commitment on.",
)
@observer_options
@library_options
@json_option
def command(round_id: int, solver: str | None, where: Observer, inputs: Inputs, as_json: bool) -> None:
    """Say what every delta of ROUND_ID was measured as, by whom, on what and against what, what became of it,
    what it earned and why, nothing included, what became of its bond, when that comes free, and what to do.

    All sums are done again from the score sheet and the chain; where they cannot be, that is said. Nothing is
    measured again: that does `jepanet verify`. With --solver, also before there is a result.

    \b
    Examples:
      jepanet receipt 3 --config node.toml
      jepanet receipt 3 --config node.toml --solver 0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc
      jepanet receipt 3 --rpc http://127.0.0.1:8545 --deployment deployment.json --json
    """
    from jepanet.settings.terms import accounts

    named = accounts((solver,) if solver else ())  # a wrong address is told before anything is read
    from jepanet.operations.receipts.told import told_receipts

    async def found() -> tuple[ReceiptInWords, ...]:
        async with open_reading(where, inputs) as reading:
            fixed = await reading.chain.contracts.rounds.configuration("latest")
            return await told_receipts(
                reading.history,
                reading.library,
                round_id,
                named[0] if named else None,
                excluded_bps=fixed.excluded_bps,
            )

    emit(asyncio.run(found()), as_json, show)


def show(items: tuple[ReceiptInWords, ...]) -> None:
    """A paragraph a receipt."""
    for item in items:
        click.echo(f"Round {item.round}, {item.solver}: {tokens(item.paid)} tokens")
        tell_reasons(item)
        click.echo()
