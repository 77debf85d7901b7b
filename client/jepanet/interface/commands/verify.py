"""`jepanet verify`: trust nobody, recompute."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jepanet.interface.observing import observer_options
from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import ID, emit, json_option, library_options, table

if TYPE_CHECKING:
    from jepanet.settings.config import Observer


@click.command("verify", cls=StrictCommand)
@click.argument("round_id", type=ID)
@observer_options
@library_options
@click.option(
    "--retrain",
    "solvers",
    multiple=True,
    metavar="SOLVER",
    help="Also repeat the training of this solver from the salt it revealed; may be given several times.",
)
@json_option
def command(
    round_id: int,
    where: Observer,
    inputs: Path,
    peers: tuple[str, ...],
    offline: bool,
    solvers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Recompute ROUND_ID from the chain and content-addressed files, and compare.

    Every input is checked against its hash; scores must agree within the round's tolerance, the merge and
    every payout exactly. Exit code 21 if anything disagrees, naming it. Needs no wallet and no GPU.

    A repeated training gives the same bytes on the same machine type and build, and nearly the same delta on
    others. One that gives another delta is no fault of the round, which pays for gain.

    \b
    Examples:
      jepanet verify 3 --config node.toml
      jepanet verify 3 --rpc https://rpc.example.org --deployment deployment.json --peer /dns4/…
      jepanet verify 3 --config node.toml --inputs ./round-3 --offline
      jepanet verify 3 --config node.toml --retrain 0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc
    """
    from jepanet.settings.terms import accounts

    named = accounts(solvers)
    from jepanet.operations.auditing import verify

    try:
        report = asyncio.run(
            verify.verify_round(
                where,
                round_id,
                inputs=inputs,
                peers=peers,
                offline=offline,
                retrain=named,
            )
        )
    except verify.AuditFailed as failed:
        if as_json:
            click.echo(json.dumps(failed.report, indent=1))
        else:
            _show(failed.report)
        raise
    emit(report, as_json, _show)


def _show(report: dict[str, Any]) -> None:
    rows = [(item["check"], "yes" if item["agrees"] else "NO", item["detail"]) for item in report["checks"]]
    verdict = "verified" if report["agrees"] else "DOES NOT VERIFY"
    table(f"Round {report['round']}: {verdict}", ("check", "agrees", "detail"), rows)
