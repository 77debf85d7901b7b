"""`jepanet verify`: trust nobody, recompute."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from jepanet.interface.handles import Inputs, open_reading
from jepanet.interface.observing import observer_options
from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import ID, emit, json_option, library_options, table

if TYPE_CHECKING:
    from jepanet.operations.views.rounds import Verification
    from jepanet.settings.config import Observer
    from jepanet.types import Address


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
    inputs: Inputs,
    solvers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Recompute ROUND_ID from the chain and content-addressed files, and compare.

    Every input is checked against its hash; scores must agree within the round's tolerance, the merge and
    every payout exactly. Exit code 21 if anything disagrees, naming it. Needs no wallet and no GPU.

    A training is repeated in one process: the same bytes on the same machine type and build, and nearly the
    same delta on others, or where several processes trained it, which changes rounding alone. One that gives
    another delta is no fault of the round, which pays for gain.

    \b
    Examples:
      jepanet verify 3 --config node.toml
      jepanet verify 3 --rpc https://rpc.example.org --deployment deployment.json --peer /dns4/…
      jepanet verify 3 --config node.toml --inputs ./round-3 --offline
      jepanet verify 3 --config node.toml --retrain 0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc
    """
    from jepanet.settings.terms import accounts

    named = accounts(solvers)  # a wrong address is told before the rest takes its second to load
    from jepanet.operations.auditing.failed import AuditFailed

    try:
        report = asyncio.run(_verify(round_id, where, inputs, named))
    except AuditFailed as failed:
        emit(failed.report, as_json, _show, sort_keys=False)
        raise
    emit(report, as_json, _show)


async def _verify(round_id: int, where: Observer, inputs: Inputs, retrain: Sequence[Address]) -> Verification:
    from jepanet.operations.access import open_worker
    from jepanet.operations.auditing.verify import verify_round

    async with (
        open_reading(where, inputs) as reading,
        open_worker(where.worker.threads, backbones=where.worker.backbones) as worker,
    ):
        return await verify_round(
            reading.chain.deployment, reading.history, reading.library, worker, round_id,
            retrain=retrain, device=where.worker.device,
        )  # fmt: skip


def _show(report: Verification) -> None:
    rows = [(item.check, "yes" if item.agrees else "NO", item.detail) for item in report.checks]
    verdict = "verified" if report.agrees else "DOES NOT VERIFY"
    table(f"Round {report.round}: {verdict}", ("check", "agrees", "detail"), rows)
