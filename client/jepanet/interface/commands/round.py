"""`jepanet round`: what happened in a round, and why a delta earned or did not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jepanet.interface.observing import observer_options
from jepanet.interface.strict import StrictGroup
from jepanet.interface.terminal.output import (
    ID,
    config_option,
    emit,
    json_option,
    library_options,
    pairs,
    table,
    tokens,
)
from jepanet.tokens import exact

if TYPE_CHECKING:
    from jepanet.settings.config import Observer


@click.group("round", cls=StrictGroup)
def command() -> None:
    """List rounds and show one with its receipts.

    \b
    Examples:
      jepanet round list --config node.toml
      jepanet round list --rpc https://rpc.example.org --deployment deployment.json
      jepanet round show 3 --config node.toml
      jepanet round challenge 3 --evidence bafk… --config node.toml
    """


@command.command("list")
@observer_options
@json_option
def listed(where: Observer, as_json: bool) -> None:
    """List every round on the chain.

    Example: jepanet round list --config node.toml
    """
    from jepanet.operations.auditing import rounds

    def show(items: list[dict[str, Any]]) -> None:
        columns = ("round", "project", "phase", "commits", "reveals", "gain", "paid", "budget")
        rows = [
            (
                item["round"],
                item["project"],
                item["phase"] + (f": {item['cause']}" if item["cause"] else ""),
                item["commits"],
                item["reveals"],
                "" if item["improvement"] is None else f"{item['improvement']:,}",
                "" if item["payout"] is None else tokens(item["payout"]),
                tokens(item["budget"]),
            )
            for item in items
        ]
        table("Rounds (gain in micro-nats; paid and budget in tokens)", columns, rows)

    emit(asyncio.run(rounds.list_rounds(where)), as_json, show)


@command.command("show")
@click.argument("round_id", type=ID)
@observer_options
@library_options
@json_option
def show_round(
    round_id: int, where: Observer, inputs: Path, peers: tuple[str, ...], offline: bool, as_json: bool
) -> None:
    """Show a round: its phase, held-out scores before and after, and one receipt per solver.

    Example: jepanet round show 3 --config node.toml
    """
    from jepanet.operations.auditing import rounds

    value = asyncio.run(rounds.show_round(where, round_id, inputs=inputs, peers=peers, offline=offline))
    emit(value, as_json, show_details)


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
    """Dispute a recorded result. Locks a bond sized by the payout; it is lost if the result stands.

    Example: jepanet round challenge 3 --evidence bafk… --config node.toml
    """
    from jepanet.operations.auditing import rounds

    made = asyncio.run(rounds.challenge(config_path, round_id, evidence))
    emit(made, as_json, lambda value: pairs("Challenged", {**value, "bond": tokens(value["bond"])}))


def show_details(value: dict[str, Any]) -> None:
    """Tables of one round."""
    plain = {k: v for k, v in value.items() if not isinstance(v, list | dict) and v is not None}
    for name in ("budget", "fee", "payout"):
        if name in plain:
            plain[name] = f"{tokens(plain[name])} tokens"
    if "price" in plain:
        plain["price"] = f"{exact(plain['price'])} tokens a micro-nat"
    if "improvement" in plain:
        plain["improvement"] = f"{plain['improvement']:,} micro-nats"
    pairs(f"Round {value['round']}", plain)
    if value.get("heldout", {}).get("before"):
        before, after = value["heldout"]["before"], value["heldout"]["after"]
        measured = [(name, f"{before[name]:.4f}", f"{after[name]:.4f}") for name in before]
        table("Held-out shard, global model", ("metric", "before", "after"), measured)
    rows: list[tuple[Any, ...]] = [
        (
            item["solver"], item["verdict"], f"{item['gain']:,}", f"{item['stderr']:,}", tokens(item["paid"]),
            item["how"] or ": ".join(filter(None, (item["reason"], item["detail"]))),
        )
        for item in value["receipts"]
    ]  # fmt: skip
    rows += [
        (item["coordinator"], "fee", "", "", tokens(item["paid"]), item["how"])
        for item in value.get("fees", ())
    ]
    if rows:
        columns = ("who", "verdict", "gain", "± s.e.", "paid", "how, or why not")
        table("Receipts (gain and its standard error in micro-nats, paid in tokens)", columns, rows)
