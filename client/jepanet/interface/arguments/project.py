"""`jepanet project`: what is trained, on what, judged by whom."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.observing import observer_options
from jepanet.interface.strict import StrictGroup
from jepanet.interface.terminal.output import ID, config_option, emit, json_option, pairs, shown, table

if TYPE_CHECKING:
    from jepanet.operations.views.projects import CreatedProject, Project
    from jepanet.settings.config import Observer


@click.group("project", cls=StrictGroup)
def command() -> None:
    """Create a project and look at projects.

    \b
    Examples:
      jepanet project create --dataset data --verifier 0xAbc… --threshold 1 --config p.toml
      jepanet project list --config p.toml
    """


@command.command("create")
@click.option("--dataset", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True,
              help="Folder of `jepanet dataset build`.")  # fmt: skip
@click.option("--recipe", default="tworoom-small", show_default=True,
              help="A preset's name or a recipe file, for frames of the dataset's size.")  # fmt: skip
@click.option("--name", help="At most 100 characters; left out: the recipe's name.")
@click.option("--set", "verifier_set", type=ID, help="An existing verifier set, instead of the two below.")
@click.option("--verifier", "verifiers", multiple=True, help="Address of a coordinator; repeat for more.")
@click.option("--threshold", type=click.IntRange(1, 32), help="Signatures a result needs (over half).")
@config_option
@json_option
def create(
    dataset: Path,
    recipe: str,
    name: str | None,
    verifier_set: int | None,
    verifiers: tuple[str, ...],
    threshold: int | None,
    config_path: Path,
    as_json: bool,
) -> None:
    """Fix recipe, data and sealed evaluation shards, train the public first model, register the project.

    A dataset serves one project: repeated, the call goes on where it stopped, or says that there is one.

    \b
    Example:
      jepanet project create --dataset data --verifier 0xAbc… --threshold 1 --config proposer.toml
    """
    from rich.console import Console
    from rich.progress import Progress

    from jepanet.operations.access import open_signing, open_worker
    from jepanet.operations.projects.create import create_project
    from jepanet.operations.projects.draft import draft_project
    from jepanet.settings.config import load_config

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("warm start (round 0)", total=None)
        draft = draft_project(
            dataset, recipe=recipe, name=name, verifier_set=verifier_set, verifiers=verifiers,
            threshold=threshold,
        )  # fmt: skip

        async def created() -> CreatedProject:
            config = load_config(config_path)
            async with (
                open_signing(config) as access,
                open_worker(config.worker.threads, backbones=config.worker.backbones) as worker,
            ):
                return await create_project(
                    access, worker, draft, config.proposer,
                    progress=lambda step: bar.update(task, completed=step.step, total=step.steps),
                    device=config.worker.device,
                )  # fmt: skip

        value = asyncio.run(created())
    title = "Project" if value.created else "Exists, nothing sent"
    emit(value, as_json, lambda made: pairs(title, shown(made)))


@command.command("list")
@observer_options
@json_option
def listed(where: Observer, as_json: bool) -> None:
    """List every project on the chain.

    Example: jepanet project list --config node.toml
    """
    from jepanet.operations.access import open_chain
    from jepanet.operations.projects.registered import list_projects

    async def found() -> tuple[Project, ...]:
        async with open_chain(where.chain) as chain:
            return await list_projects(chain)

    def show(items: tuple[Project, ...]) -> None:
        columns = ("project", "owner", "active_round", "evaluation_shards_used", "evaluation_shards", "model")
        table(
            "Projects",
            columns,
            [["" if item[name] is None else item[name] for name in columns] for item in map(shown, items)],
        )

    emit(asyncio.run(found()), as_json, show)


@command.command("show")
@click.argument("project_id", type=ID)
@observer_options
@json_option
def show_project(project_id: int, where: Observer, as_json: bool) -> None:
    """Show one project.

    Example: jepanet project show 1 --config node.toml
    """
    from jepanet.operations.access import open_chain
    from jepanet.operations.projects.registered import show_project as show_registered

    async def found() -> Project:
        async with open_chain(where.chain) as chain:
            return await show_registered(chain, project_id)

    emit(asyncio.run(found()), as_json, lambda item: pairs(f"Project {project_id}", shown(item)))
