"""`jepanet round`: what happened in a round, and why a delta earned or did not."""

from __future__ import annotations

import asyncio
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.arguments.round.watching import watch
from jepanet.interface.handles import Inputs, open_reading
from jepanet.interface.observing import observer_options
from jepanet.interface.strict import StrictGroup
from jepanet.interface.terminal.layout import width_of_output
from jepanet.interface.terminal.output import (
    ID,
    config_option,
    emit,
    footnotes,
    json_option,
    library_options,
    pairs,
    shown,
    table,
    tokens,
)
from jepanet.tokens import exact

if TYPE_CHECKING:
    from jepanet.operations.views.rounds import Challenged, RoundDetails, RoundSummary
    from jepanet.settings.config import Observer


_ROUNDS = {
    "gain": "the merged model's over the base, on the sealed shard; a micro-nat is a millionth of a nat",
    "paid": "to solvers and, as fees, to coordinators; what is left of the budget returns to the proposer",
}
_RECEIPTS = {
    "verdict": "accepted: merged and paid; excluded, spared, invalid: neither (`jepanet receipt` says why)",
    "gain": "this delta's alone over the base, as one of all revealed ones, on the sealed shard; a micro-nat "
    "is a millionth of a nat",
    "± s.e.": "the gain's standard error: it is not paid, since that much may be chance",
    "paid": "(gain - s.e.) x price, of the gain as one of those that are merged where the last column says "
    "so; less where a limit of the rules or the budget is met; a fee is a coordinator's",
}
"""What the columns hold that do not say so themselves."""


@click.group("round", cls=StrictGroup)
def command() -> None:
    """List rounds, watch one, show one with its receipts.

    \b
    Examples:
      jepanet round watch --config node.toml
      jepanet round list --config node.toml
      jepanet round list --rpc https://rpc.example.org --deployment deployment.json
      jepanet round show 3 --config node.toml
      jepanet round challenge 3 --evidence bafk… --config node.toml
    """


command.add_command(watch)


@command.command("list")
@observer_options
@json_option
def listed(where: Observer, as_json: bool) -> None:
    """List every round on the chain.

    Example: jepanet round list --config node.toml
    """
    from jepanet.operations.access import open_chain
    from jepanet.operations.auditing.rounds import list_rounds
    from jepanet.operations.reading.history import open_history

    async def found() -> tuple[RoundSummary, ...]:
        async with open_chain(where.chain) as chain, open_history(chain) as history:
            return await list_rounds(history)

    def show(items: tuple[RoundSummary, ...]) -> None:
        columns = ("round", "project", "phase", "commits", "reveals", "gain", "paid", "budget")
        rows = [
            (
                item.round,
                item.project,
                item.phase + (f": {item.cause}" if item.cause else ""),
                item.commits,
                item.reveals,
                "" if item.improvement is None else f"{item.improvement:,}",
                "" if item.payout is None else tokens(item.payout),
                tokens(item.budget),
            )
            for item in items
        ]
        table("Rounds (gain in micro-nats; paid and budget in tokens)", columns, rows)
        footnotes(_ROUNDS)

    emit(asyncio.run(found()), as_json, show)


@command.command("show")
@click.argument("round_id", type=ID)
@click.option("--rules", is_flag=True, help="Also say in words by which rules it is judged, merged and paid.")
@observer_options
@library_options
@json_option
def show_round(round_id: int, rules: bool, where: Observer, inputs: Inputs, as_json: bool) -> None:
    """Show a round: its phase, held-out scores before and after, and one receipt per solver.

    With --rules also what it promises and asks for: pay and its limits, bonds, windows, audits. --json has
    them always, and every field of the rules with its meaning.

    \b
    Examples:
      jepanet round show 3 --config node.toml
      jepanet round show 3 --rules --rpc https://rpc.example.org --deployment deployment.json --peer /dns4/…
    """
    from jepanet.operations.auditing import rounds

    async def found() -> RoundDetails:
        async with open_reading(where, inputs) as reading:
            return await rounds.show_round(reading.history, reading.library, round_id)

    def show(value: RoundDetails) -> None:
        show_details(value)
        if rules:
            show_rules(value)

    emit(asyncio.run(found()), as_json, show)


@command.command("challenge")
@click.argument("round_id", type=ID)
@click.option(
    "--evidence",
    required=True,
    help="CID or hex digest of the document that says what is wrong, for the arbiter.",
)
@config_option
@json_option
def challenge(round_id: int, evidence: str, config_path: Path, as_json: bool) -> None:
    """Dispute a recorded result. Takes a bond sized by the payout, out of free stake first, then of tokens;
    the bond is lost if the result stands.

    Example: jepanet round challenge 3 --evidence bafk… --config node.toml
    """
    from jepanet.operations.access import open_signing
    from jepanet.operations.auditing import rounds
    from jepanet.operations.reading.history import open_history
    from jepanet.settings.config import load_config

    digest = rounds.evidence_digest(evidence)

    async def disputed() -> Challenged:
        async with (
            open_signing(load_config(config_path)) as access,
            open_history(access.chain) as history,
        ):
            return await rounds.challenge(access, history, round_id, digest)

    emit(asyncio.run(disputed()), as_json, lambda value: pairs("Challenged", shown(value)))


def show_details(value: RoundDetails) -> None:
    """Tables of one round."""
    summary, figures = value.summary, value.sheet.figures
    plain = {name: item for name, item in shown(summary).items() if item is not None}
    for name, wei in (("budget", summary.budget), ("fee", summary.fee), ("payout", summary.payout)):
        if wei is not None:
            plain[name] = f"{tokens(wei)} tokens"
    plain["bond"] = f"{exact(summary.bond)} tokens for each commitment"
    if summary.improvement is not None:
        plain["improvement"] = f"{summary.improvement:,} micro-nats"
    if summary.payout is not None and figures is not None:
        fees = sum(item.paid for item in figures.fees)
        solvers = tokens(summary.payout - fees)
        plain["payout"] = f"{tokens(summary.payout)} tokens: {solvers} to solvers, {tokens(fees)} in fees"
    if figures is not None:
        plain |= {"published": figures.published, "note": figures.note}
        if figures.price is not None:
            plain["price"] = f"{exact(figures.price)} tokens a micro-nat"
    if value.audits is not None:
        plain["audits"] = "; ".join(value.audits.words)
    pairs(f"Round {summary.round}", plain)
    if figures is not None and figures.heldout.before:
        before, after = figures.heldout.before, figures.heldout.after
        measured = [(name, f"{before[name]:.4f}", f"{after[name]:.4f}") for name in before]
        table("Held-out shard, global model", ("metric", "before", "after"), measured)
    rows = [
        (
            item.solver, item.verdict, f"{item.gain:,}", f"{item.stderr:,}", tokens(item.paid),
            item.how or ": ".join(filter(None, (item.reason, item.detail))),
        )
        for item in value.sheet.receipts
    ]  # fmt: skip
    paid = () if figures is None else figures.fees
    rows += [(item.coordinator, "fee", "", "", tokens(item.paid), item.how) for item in paid]
    if rows:
        columns = ("who", "verdict", "gain", "± s.e.", "paid", "how, or why not")
        table("Receipts (gain and its standard error in micro-nats, paid in tokens)", columns, rows)
        footnotes(_RECEIPTS)


def show_rules(value: RoundDetails) -> None:
    """What the round promises and asks for, a sentence each."""
    if value.terms is None:
        click.echo("Its rules are not to be had here: name a node that serves them with --peer.")
        return
    click.echo("Rules")
    for sentence in value.terms.words:
        click.echo(
            textwrap.fill(sentence, max(40, width_of_output()), initial_indent=" - ", subsequent_indent="   ")
        )
