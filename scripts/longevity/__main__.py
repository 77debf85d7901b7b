"""`scripts/soak`: hundreds of rounds on a fast local network, and what its nodes hold meanwhile."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import click
import psutil
from rich.console import Console
from scripts.demonstration.cast import DemoFailed
from scripts.demonstration.own_folder import claim
from scripts.longevity.network import Network
from scripts.longevity.played import Played
from scripts.longevity.readings import read
from scripts.longevity.report import build_report, failures, print_report
from scripts.longevity.starts import measure_starts

from jepanet.chain.contracts.deployment import Deployment
from jepanet.files import write_atomically
from jepanet.interface.terminal.standard_streams import open_standard_streams
from jepanet.operations.local_network.terms import stretch
from jepanet.telemetry import configure_logging

console = Console(width=None if sys.stdout.isatty() else 150)
_LOOK_EVERY = 1.0
_STARTS = 5
_PATIENCE = 300.0
_WARM_UP = 4
"""The first so-manyth of the rounds: caches and stores fill up."""


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option(
    "--rounds", default=500, type=click.IntRange(1, 2000), help="Rounds to play, over all projects."
)
@click.option("--every", default=10, type=click.IntRange(1, 1000), help="Rounds between two samples.")
@click.option("--solvers", default=2, type=click.IntRange(1, 8), help="Solver processes.")
@click.option("--seed", default="0", help="Any text: seed of the datasets.")
@click.option("--out", "directory", default="soak-out", type=click.Path(file_okay=False, path_type=Path),
              help="Folder of chain, nodes, samples and report; a killed soak goes on in it.")  # fmt: skip
@click.option("--starts", default=_STARTS, type=click.IntRange(1, 50),
              help="Starts of a node of each role in the end, and of a fresh one, in turns.")  # fmt: skip
@click.option("--anew", is_flag=True, help="Forget what an earlier soak left in the folder.")
def main(rounds: int, every: int, solvers: int, seed: str, directory: Path, starts: int, anew: bool) -> None:
    """Play ROUNDS of training on a fast local chain, and tell whether its nodes stay as they are.

    Real processes, set up by commands as an operator does: a proposer a project, two solvers, a coordinator
    and an aggregator. Samples go to samples.jsonl, one JSON object a line.

    \b
    Examples:
      scripts/soak
      scripts/soak --rounds 100 --every 5 --out soak-100
      nice -n 5 scripts/soak --rounds 2000 --out soak-2000
      scripts/soak --rounds 3 --every 1 --starts 1 --out soak-3 | tail -1
    The last line printed, also in summary.json, is one JSON object.
    """
    open_standard_streams()
    configure_logging(level="error")
    try:
        play(rounds, every, solvers, seed, directory.resolve(), starts, anew)
    except DemoFailed as error:
        console.print(f"[red]soak failed:[/red] {error}", highlight=False)
        sys.exit(1)


def play(rounds: int, every: int, solvers: int, seed: str, directory: Path, starts: int, anew: bool) -> None:
    """The whole soak. Raises DemoFailed with what to look at."""
    claim(directory)
    network = Network.of(directory)
    samples = directory / "samples.jsonl"
    if network is None or anew or not network.plan["ready"]:
        if network is not None:
            network.take_down()
        for stale in ("samples.jsonl", "starts.json"):
            (directory / stale).unlink(missing_ok=True)
        times = stretch()
        console.print(f"soak in {directory}: chain, wallets, datasets, projects …", highlight=False)
        network = Network.set_up(directory, rounds=rounds, solvers=solvers, seed=seed, times=times)
    else:
        console.print(f"soak in {directory} goes on", highlight=False)
        network.take_up()
    known = lines_of(samples)
    if not known or known[-1]["rounds"] < int(network.plan["rounds"]):
        network.start()
        played = Played(network.rpc, Deployment.load(Path(network.plan["deployment"])))
        sample(network, played, samples, every)
    network.stop()
    starts_file = directory / "starts.json"
    if not starts_file.exists():
        console.print("    starts of these nodes and of fresh ones, in turns …", style="dim", highlight=False)
        measured = json.dumps(measure_starts(network.nodes, directory / "fresh", starts))
        write_atomically(starts_file, (measured + "\n").encode())
    network.take_down()
    tell(directory, network.plan)


def tell(directory: Path, plan: dict[str, Any]) -> None:
    """Report, picture and summary of what was sampled. Raises DemoFailed where it is not as it should be."""
    samples = lines_of(directory / "samples.jsonl")
    warm_up = int(plan["rounds"]) // _WARM_UP
    starts = json.loads((directory / "starts.json").read_text())
    report = build_report(samples, plan, starts, warm_up)
    write_atomically(directory / "report.json", (json.dumps(report, indent=1) + "\n").encode())
    print_report(console, report)
    try:
        # Imported here: matplotlib reads its settings then, and refuses a backend it does not know.
        from scripts.longevity.picture import draw

        draw(samples, warm_up, directory / "soak.png")
    except Exception as error:  # whatever a drawing library raises, the rounds were played
        console.print(f"no picture: {type(error).__name__}: {error}", style="yellow", highlight=False)
    kept = ("rounds", "settled", "cancelled", "seconds_a_round", "starts")
    summary = {**{name: report[name] for name in kept}, "failures": failures(report)}
    write_atomically(directory / "summary.json", (json.dumps(summary) + "\n").encode())
    click.echo(json.dumps(summary))
    if summary["failures"]:
        raise DemoFailed("; ".join(summary["failures"]))


def sample(network: Network, played: Played, samples: Path, every: int) -> None:
    """Adds a line every so many rounds until all have ended."""
    wanted = int(network.plan["rounds"])
    known = lines_of(samples)
    due = known[-1]["rounds"] + every if known else 0
    before, since = (known[-1]["rounds"], time.time()) if known else (0, time.time())
    last_change, last_ended = time.monotonic(), -1
    restarts = known[-1]["restarts"] if known else 0
    while True:
        played.look()
        for node in network.nodes:
            if node.pid is None:
                console.print(f"    {node.name} ended: see {node.output}", style="red", highlight=False)
                restarts += 1
                node.start()
        if played.ended != last_ended:
            last_change, last_ended = time.monotonic(), played.ended
        if played.ended >= due or played.ended >= wanted:
            now = time.time()
            seconds = (now - since) / (played.ended - before) if played.ended > before else None
            line = {
                "rounds": played.ended, "settled": played.settled, "cancelled": played.cancelled,
                "published": played.events["ChainModelAdvanced"],
                "slashed": dict(played.causes), "at": round(now, 1), "restarts": restarts,
                "seconds_a_round": None if seconds is None else round(seconds, 2),
                "load": round(os.getloadavg()[0], 2), "block": played.next_block - 1,
                "nodes": read_all(network),
            }  # fmt: skip
            with samples.open("a") as file:
                file.write(json.dumps(line) + "\n")
            took = "" if seconds is None else f", {seconds:.1f} s a round"
            console.print(
                f"    {played.ended} rounds, {played.cancelled} cancelled{took}", style="dim", highlight=False
            )
            before, since = played.ended, now
            due = played.ended + every
        if played.ended >= wanted:
            return
        if time.monotonic() - last_change > _PATIENCE:
            raise DemoFailed(f"nothing happened for {_PATIENCE:.0f} s: see {network.folder / 'nodes'}")
        time.sleep(_LOOK_EVERY)


def read_all(network: Network) -> dict[str, dict[str, int]]:
    found = {}
    for node in network.nodes:
        pid = node.pid
        try:
            if pid is not None:
                found[node.name] = read(pid, node.folder, node.output).to_json()
        except psutil.Error:
            continue
    return found


def lines_of(samples: Path) -> list[dict[str, Any]]:
    """What earlier calls sampled; a line that a kill cut is left out."""
    found = []
    for line in samples.read_text().splitlines() if samples.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


if __name__ == "__main__":
    main(prog_name="scripts/soak")
