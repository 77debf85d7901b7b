"""What the commands of `jepanet dataset` show: shards that are being made, and a dataset that is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from jepanet.interface.terminal.output import table

if TYPE_CHECKING:
    from jepanet.operations.views.projects import Dataset, ShardFile


@contextmanager
def shown_progress() -> Iterator[Callable[[int, int, str], None]]:
    """Says which shards are finished, on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("recording shards", total=None)

        def progress(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=f"recorded {what}")

        yield progress


def show_dataset(value: Dataset) -> None:
    rows = [(item.kind, item.site, item.episodes, f"{item.bytes:,}", item.cid) for item in value.shards]
    table(f"{value.environment} in {value.directory}", ("kind", "site", "episodes", "bytes", "cid"), rows)
    total = sum(item.bytes for item in value.sealed)
    if value.licence:
        click.echo(f"licence: {value.licence}")
    click.echo(f"{len(value.sealed)} sealed evaluation shards, {total:,} bytes, private until drawn")
    if value.note:
        click.echo(f"note: {value.note}")


def show_shard(value: ShardFile) -> None:
    click.echo(f"{value.file}: one shard of {value.data}, {value.bytes:,} bytes, {value.cid}")
    table("what it holds", ("array", "type and shape"), list(value.arrays.items()))
    sites = ", ".join(f"{site} ({count})" for site, count in value.sites.items())
    click.echo(f"{value.episodes} {value.unit}s; site, and how many of it: {sites}")
    if value.environment:
        click.echo(f"made from: {value.environment}")
    click.echo(
        "for `jepanet train --data`; `jepanet dataset split` makes a dataset for a project of such shards"
    )
