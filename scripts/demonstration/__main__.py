"""`scripts/demo`: play rounds on real parts and show what was measured and paid."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from scripts.demonstration.cast import DemoFailed, Node, jepanet, make_wallet, write_config
from scripts.demonstration.controls import Controls
from scripts.demonstration.ledger import read_ledger
from scripts.demonstration.outcome import outcome
from scripts.demonstration.own_folder import claim
from scripts.demonstration.report import build_report, measure_progress, print_report, write_report

from jepanet.chain.devchain.anvil import free_port
from jepanet.errors import Fatal
from jepanet.files import write_atomically
from jepanet.interface.terminal.standard_streams import open_standard_streams
from jepanet.learning.presets import PRESETS
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipes.named import recipe_named
from jepanet.learning.simulators.tworoom import TWOROOM
from jepanet.learning.sources.registry import dataset_for as usual_dataset
from jepanet.operations.access import open_chain
from jepanet.operations.funds.stake import balances
from jepanet.operations.local_network.terms import TERMS, stretch, stretched
from jepanet.operations.views.json_form import json_form
from jepanet.settings.config import load_config
from jepanet.telemetry import configure_logging
from jepanet.types import Address

console = Console(width=None if sys.stdout.isatty() else 150)
_ROUND_PATIENCE = 240.0
_BUSY = 1.5


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option(
    "--rounds", default=4, type=click.IntRange(1, 8), help="Rounds to play (one sealed shard each)."
)
@click.option("--solvers", default=2, type=click.IntRange(1, 8), help="Solver processes.")
@click.option("--seed", default="0", help="Any text: seed of the dataset, and so of the first model and of "
              "all that is trained. Wallets, salts and sealed shards are fresh in every run.")  # fmt: skip
@click.option("--out", "directory", default="demo-out", type=click.Path(file_okay=False, path_type=Path),
              help="Folder for data, logs, report.json and heldout.png.")  # fmt: skip
@click.option("--recipe", default="tworoom-small", help="Recipe preset or file.")
@click.option("--inner-steps", type=click.IntRange(1), help="Optimiser steps a round; default: the recipe's.")
@click.option("--size", "sizes", multiple=True, metavar="NAME=N", help="Dataset size, as in `dataset build`.")
@click.option("--controls/--no-controls", "with_controls", default=True,
              help="Train solvers alone and pooled data beside the rounds, for the picture.")  # fmt: skip
def main(
    rounds: int,
    solvers: int,
    seed: str,
    directory: Path,
    recipe: str,
    inner_steps: int | None,
    sizes: tuple[str, ...],
    with_controls: bool,
) -> None:
    """Play ROUNDS of federated training on a local chain and pay for measured gain.

    \b
    Examples:
      scripts/demo
      scripts/demo --rounds 2 --solvers 3 --out small-demo
      scripts/demo --recipe pusht --rounds 3 --out pusht-demo
      scripts/demo --recipe image-tiny --rounds 3 --seed 1 | tail -1
    The last line printed, also in summary.json, is one JSON object: score of the first and the last model,
    merges published, paid, claimed, and whether a stranger's verification agrees.
    """
    open_standard_streams()
    os.environ.pop("MPLBACKEND", None)  # a notebook's: matplotlib refuses it outside
    configure_logging(level="error")
    try:
        play(rounds, solvers, seed, directory.resolve(), recipe, inner_steps, sizes, with_controls)
    except DemoFailed as error:
        console.print(f"[red]demo failed:[/red] {error}", highlight=False)
        sys.exit(1)


def play(
    rounds: int,
    solvers: int,
    seed: str,
    directory: Path,
    recipe: str,
    inner_steps: int | None,
    sizes: tuple[str, ...],
    with_controls: bool,
) -> None:
    """The whole demo. Raises DemoFailed with what to look at."""
    try:
        chosen = recipe_named(recipe)
        simulator, data_name = dataset_for(recipe, chosen)
    except Fatal as error:
        raise DemoFailed(str(error)) from error
    started = time.monotonic()
    stage = Stage(directory)
    chain_dir, run = directory / "devnet", directory / "nodes"
    claim(directory)
    for stale in (chain_dir, run):
        shutil.rmtree(stale, ignore_errors=True)
    nodes: list[Node] = []
    controls: Controls | None = None
    try:
        data = directory / f"dataset-{data_name}-{seed}"
        cast = [("proposer", "proposer"), ("coordinator", "coordinator"), ("aggregator", "aggregator")]
        cast += [(f"solver-{i + 1}", "solver") for i in range(solvers)]
        with stage(f"local chain, wallets, dataset ({simulator}, real data; kept for the next run)"):
            options = [item for size in sizes for item in ("--size", size)]
            options += ["--recipe", recipe]
            chain, _, nodes = together(
                lambda: jepanet("devnet", "up", "--dir", chain_dir, "--port", str(free_port())),
                lambda: jepanet("dataset", "build", simulator, "--out", data, "--seed", seed, *options),
                lambda: [make_wallet(run, name, role) for name, role in cast],
            )
            times = stretch()
            if times > _BUSY:
                console.print(f"    this machine is busy: phases of a round take {times:.1f} times as long")
            jepanet(
                "devnet", "fund", *(node.address for node in nodes), "--dir", chain_dir, "--tokens", "2000"
            )
        proposer, coordinator, aggregator, *trainers = nodes
        steps = {"inner_steps": inner_steps} if inner_steps else {}
        terms = {
            **stretched(TERMS, times), "dataset": str(data), "rounds": rounds, **steps,
            "max_solvers": solvers, "aggregators": [aggregator.address],
        }  # fmt: skip
        shared = {
            "rpc": chain["rpc"],
            "websocket": chain["websocket"],
            "deployment": Path(chain["deployment"]),
        }
        write_config(aggregator, **shared, bootstrap=[])
        with stage("nodes; project: seal, warm start, register; the coordinator stakes and joins"):
            # The aggregator comes first: the others meet the network through it.
            aggregator.start()
            bootstrap = aggregator.wait_until_up()["addresses"][:1]
            write_config(proposer, **shared, bootstrap=bootstrap, proposer=terms)
            for node in (coordinator, *trainers):
                write_config(node, **shared, bootstrap=bootstrap)
            before = asyncio.run(balances_of(nodes))
            # Nothing is theirs to do yet, so their wallets are free for the commands below.
            for node in (*trainers, coordinator, proposer):
                node.start()
            project, _ = together(
                lambda: jepanet(
                    "project", "create", "--dataset", data, "--recipe", recipe,
                    "--verifier", coordinator.address, "--threshold", "1", "--config", proposer.config,
                ),
                lambda: jepanet("stake", "deposit", "200", "--config", coordinator.config),
            )  # fmt: skip
            jepanet("verifiers", "join", str(project["set"]), "--config", coordinator.config)
            if with_controls:
                controls = Controls(data, rounds, solvers, inner_steps)
            for node in nodes:
                node.wait_until_up()
        with stage(f"{rounds} rounds"):
            ledger = asyncio.run(watch(proposer, nodes, rounds, _ROUND_PATIENCE * times))
        settled = [number for number, phase in ledger.phases.items() if phase == "settled"]
        if not settled:
            raise DemoFailed(f"no round came to a result; the logs are below {proposer.folder.parent}")
        with stage("the last settled round verified by a stranger; every model on the same shards"):
            recipe_file = data / "project" / "recipe.json"
            audit, (progress, held_against) = together(
                lambda: jepanet(
                    "verify", str(max(settled)), "--config", aggregator.config,
                    "--inputs", run / "audit", "--peer", bootstrap[0],
                ),
                lambda: asyncio.run(
                    measure_progress(ledger, nodes, recipe_file, controls.wait() if controls else {})
                ),
            )  # fmt: skip
        after = asyncio.run(balances_of(nodes))
        report = build_report(ledger, nodes, chain, before, after, audit, progress, stage.seconds)
        report["controls"] = held_against
        report |= {
            "recipe": chosen.name,
            "family": chosen.family.name,
            "seed": seed,
            "score_kind": chosen.score.kind,
            "seconds_total": round(time.monotonic() - started, 1),
        }
        print_report(console, report, directory)
        write_report(report, directory / "report.json")
        try:
            # Imported here: matplotlib reads its settings then, and refuses a backend it does not know.
            from scripts.demonstration.picture import draw

            draw(report, directory / "heldout.png")
        except Exception as error:  # whatever a drawing library raises, the rounds were played and paid
            console.print(f"no picture: {type(error).__name__}: {error}", style="yellow", highlight=False)
        summary = outcome(report)
        line = json.dumps(summary)
        write_atomically(directory / "summary.json", (line + "\n").encode())
        click.echo(line)
        if summary["failures"]:
            raise DemoFailed("; ".join(summary["failures"]))
    finally:
        stops: list[Callable[[], Any]] = [node.stop for node in nodes]
        if controls is not None:
            stops.append(controls.stop)
        if (chain_dir / "devnet.json").exists():
            stops.append(lambda: jepanet("devnet", "down", "--dir", chain_dir))
        together(*stops)


def dataset_for(recipe: str, chosen: Recipe) -> tuple[str, str]:
    """(simulator, what its folder is called) of a dataset for a recipe, `chosen`, that was asked for as
    `recipe`. A file's is TwoRoom's, unless it is called like a preset for another simulator."""
    if found := usual_dataset(chosen.name):
        usual = found[0].load().sizes[found[1].recipe]
        if recipe in PRESETS or usual.image == chosen.family.sizes.image:
            return found[0].name, found[1].recipe
    return (found[0] if found else TWOROOM).name, chosen.digest().hex()[:12]


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Runs independent steps at the same time; the first failure is raised once all have ended."""
    with ThreadPoolExecutor(len(calls) or 1) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


async def balances_of(nodes: list[Node]) -> dict[str, Any]:
    """What every actor holds, from the chain."""
    async with open_chain(load_config(nodes[0].config).chain) as chain:
        return {node.name: json_form(await balances(chain, Address(node.address))) for node in nodes}


async def watch(proposer: Node, nodes: list[Node], rounds: int, patience: float) -> Any:
    """Follows the chain until every round has ended and everything owed was claimed; gives up when for
    `patience` seconds nothing happens."""
    shown: dict[int, str] = {}
    last_change = time.monotonic()
    while True:
        for node in nodes:
            node.check()
        ledger = await read_ledger(proposer.config)
        for number, phase in ledger.phases.items():
            if shown.get(number) != phase:
                shown[number] = phase
                last_change = time.monotonic()
                console.print(f"    round {number}: {phase}", style="dim", highlight=False)
        if ledger.finished(rounds):
            return ledger
        if time.monotonic() - last_change > patience:
            raise DemoFailed(
                f"nothing happened for {patience:.0f} s; the logs are below {proposer.folder.parent}"
            )
        await asyncio.sleep(1.0)


class Stage:
    """Prints each step with its seconds."""

    def __init__(self, directory: Path) -> None:
        self.seconds: dict[str, float] = {}
        console.print(f"demo in {directory}", highlight=False)

    def __call__(self, what: str) -> Stage:
        self._what = what
        return self

    def __enter__(self) -> None:
        self._since = time.monotonic()
        console.print(f"  {self._what} …", highlight=False)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        took = time.monotonic() - self._since
        self.seconds[self._what.split(":")[0].split(" (")[0]] = round(took, 2)
        if kind is None:
            console.print(f"    done in {took:.1f} s", style="green", highlight=False)


if __name__ == "__main__":
    main(prog_name="scripts/demo")
