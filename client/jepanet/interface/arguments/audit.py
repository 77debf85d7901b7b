"""`jepanet audit`: parts of a round's trainings, done again by anybody."""

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
    from jepanet.operations.views.audits import AuditReport, SegmentAudit
    from jepanet.settings.config import Observer
    from jepanet.types import Address


@click.command("audit", cls=StrictCommand)
@click.argument("round_id", type=ID)
@observer_options
@library_options
@click.option(
    "--solver",
    "solvers",
    multiple=True,
    metavar="ADDRESS",
    help="Audit this solver's training; may be given several times. Default: those that the round drew, or "
    "everybody's who revealed where it draws nobody.",
)
@click.option(
    "--segment",
    "segments",
    multiple=True,
    type=click.IntRange(0, 4095),
    metavar="NUMBER",
    help="Do this segment again, from 0; may be given several times. Default: those that the round drew, or "
    "the first, the last, and one at random.",
)
@click.option("--all", "every", is_flag=True, help="Do every segment again: as much work as the training.")
@json_option
def command(
    round_id: int,
    where: Observer,
    inputs: Inputs,
    solvers: tuple[str, ...],
    segments: tuple[int, ...],
    every: bool,
    as_json: bool,
) -> None:
    """Do parts of ROUND_ID's trainings again and compare them with what their solvers committed to.

    A solver commits, with its delta, to the state of its training at the end of every segment. From one such
    state, its data and the salt it revealed, anybody reaches the next state bit for bit, on a machine of the
    same build; the last segment ends in the delta itself. Whoever scaled a delta, skipped steps, or trained
    on other data does not reproduce its own commitment. Exit code 21 if a part leads elsewhere, naming it.

    Where the round's rules ask for it, its beacon draws solvers and segments: the verifiers do those again
    before anybody is paid, and so does this command; with --all, every segment of everybody.

    Another build, processor or instruction set rounds sums otherwise, which says nothing of the solver: its
    row then says so, and the others are audited. Where the round's rules are tolerant, any build will do: how
    far a part ends from where it ends here is told as a share of how far honest ends may lie apart, and above
    1 it is not reproduced.

    \b
    Examples:
      jepanet audit 3 --config node.toml
      jepanet audit 3 --rpc https://rpc.example.org --deployment deployment.json --peer /dns4/…
      jepanet audit 3 --config node.toml --solver 0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc --segment 7
      jepanet audit 3 --config node.toml --all --json
    """
    if segments and every:
        raise click.UsageError("--segment and --all exclude each other")
    from jepanet.settings.terms import accounts

    named = accounts(solvers)  # a wrong address is told before the rest takes its second to load
    from jepanet.operations.auditing.failed import WorkDiffers

    try:
        report = asyncio.run(_audit(round_id, where, inputs, named, segments, every))
    except WorkDiffers as failed:
        emit(failed.report, as_json, _show, sort_keys=False)
        raise
    emit(report, as_json, _show, sort_keys=False)


async def _audit(
    round_id: int,
    where: Observer,
    inputs: Inputs,
    solvers: Sequence[Address],
    segments: Sequence[int],
    every: bool,
) -> AuditReport:
    from jepanet.operations.access import open_worker
    from jepanet.operations.auditing.segments import audit_round

    def told(row: SegmentAudit) -> None:
        part = "" if row.segment is None else f" segment {row.segment}"
        click.echo(f"{row.solver}{part}: {row.found}, {row.seconds:.1f} s", err=True)

    async with (
        open_reading(where, inputs) as reading,
        open_worker(1, backbones=where.worker.backbones) as worker,
    ):
        return await audit_round(
            reading.chain.deployment, reading.history, reading.library, worker, round_id,
            solvers=solvers, segments=segments, every=every, on_segment=told,
        )  # fmt: skip


def _show(report: AuditReport) -> None:
    rows = [
        (
            row.solver,
            "" if row.segment is None else row.segment,
            "" if row.segment is None else f"{row.first + 1} to {row.last}",
            row.found,
            row.differs or "",
            "" if row.share is None else f"{row.share:.2g}",
            row.detail,
        )
        for row in report.segments
    ]
    verdict = "reproduced" if report.agrees else "NOT REPRODUCED"
    if report.drawn is not None:
        verdict += f"; drawn were {', '.join(report.drawn) or 'none (--all audits everybody)'}"
    table(
        f"Trainings of round {report.round}: {verdict} ({report.build})",
        ("solver", "segment", "steps", "found", "what differs", "of the bound", "detail"),
        rows,
    )
