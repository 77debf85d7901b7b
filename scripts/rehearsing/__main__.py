"""`scripts/rehearsal`: ten nodes in network namespaces with latency, loss, partitions and upgrades."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import signal
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from scripts.demonstration.cast import DemoFailed, jepanet
from scripts.demonstration.own_folder import claim
from scripts.longevity.played import Played
from scripts.rehearsing import namespaces
from scripts.rehearsing.network import Network, earlier_package, kept_folder
from scripts.rehearsing.plan import Partition, Upgrade, cast, draw_plan
from scripts.rehearsing.report import build_report, failures, print_report
from scripts.rehearsing.watching import Recovery, Watch

from jepanet.chain.contracts.deployment import Deployment
from jepanet.files import write_atomically
from jepanet.interface.terminal.standard_streams import open_standard_streams
from jepanet.operations.local_network.terms import stretch
from jepanet.telemetry import configure_logging

console = Console(width=None if sys.stdout.isatty() else 150)
_LOOK_EVERY = 0.5
_PATIENCE = 600.0
_MOST_STRETCH = 2.5
"""Phases grow with the load of the machine at the start, but no further: every round would last as long."""


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--rounds", default=50, type=click.IntRange(1, 250), help="Rounds to play.")
@click.option("--solvers", default=5, type=click.IntRange(1, 20), help="Solvers.")
@click.option("--coordinators", default=3, type=click.IntRange(1, 7), help="Over half of them must sign.")
@click.option("--seed", default=1, type=click.IntRange(0), help="Seed of links, partitions and upgrades.")
@click.option("--upgrade-from", "commit", default="690ebe9", metavar="COMMIT",
              help="Version that four of the nodes begin with; its contracts must be today's.")  # fmt: skip
@click.option("--upgrades/--no-upgrades", default=True, help="Whether nodes are upgraded in between.")
@click.option("--verify", "checked", default=10, type=click.IntRange(0, 250),
              help="Rounds that an outsider recomputes in the end, spread over all.")  # fmt: skip
@click.option("--minutes", default=0, type=click.IntRange(0),
              help="End with the round in which so many are over, and report; 0: never.")  # fmt: skip
@click.option("--out", "directory", default="rehearsal-out",
              type=click.Path(file_okay=False, path_type=Path),
              help="Folder of chain, nodes and report.")  # fmt: skip
@click.option("--plan", "show", is_flag=True, help="Print the plan of the seed, and do nothing.")
@click.option(
    "--clean", is_flag=True, help="End and remove what a killed rehearsal left (its chain by --out); no more."
)
def main(
    rounds: int, solvers: int, coordinators: int, seed: int, commit: str, upgrades: bool, checked: int,
    minutes: int, directory: Path, show: bool, clean: bool,
) -> None:  # fmt: skip
    """Play ROUNDS between nodes that each have a network of their own, over links that are not good.

    Needs root, for network namespaces. Every way between two nodes takes 20 to 150 ms and loses 0.5 to 2 % of
    the packets; the chain is behind such a link too. In between nodes are cut off for some rounds, and four
    are upgraded from an earlier commit.

    \b
    Examples:
      scripts/rehearsal
      scripts/rehearsal --plan --seed 7
      scripts/rehearsal --rounds 10 --seed 7 --out rehearsal-7
      scripts/rehearsal --rounds 3 --solvers 2 --coordinators 1 --no-upgrades --verify 1
      scripts/rehearsal --clean --out rehearsal-7
    The last line printed, also in summary.json, is one JSON object.
    """
    open_standard_streams()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # with all that is to be done at the end
    configure_logging(level="error")
    roles = cast(solvers, coordinators)
    plan = draw_plan(seed, rounds, [name for name, _ in roles], upgrades=upgrades)
    if show:
        click.echo(plan.to_json())
        return
    try:
        namespaces.require()
        directory = directory.resolve()
        if clean:
            click.echo(json.dumps({"removed": namespaces.clean()}))
            end_chain(directory)
            return
        namespaces.require_none()  # before anything in the folder is touched, which may be that one's
        claim(directory)
        end_chain(directory)
        for stale in ("devnet", "nodes", "backups", "outsider"):
            shutil.rmtree(directory / stale, ignore_errors=True)
        write_atomically(directory / "plan.json", plan.to_json().encode())
        earlier = earlier_package(commit, directory / "earlier") if plan.upgrades else None
        network = Network(directory, plan, roles)
        rehearse(network, earlier, checked, commit, minutes * 60.0 or math.inf)
    except DemoFailed as error:
        console.print(f"[red]rehearsal failed:[/red] {error}", highlight=False)
        sys.exit(1)


def end_chain(directory: Path) -> None:
    """Ends the chain that a killed rehearsal in this folder left: it runs in no namespace of its own."""
    if (directory / "devnet" / "devnet.json").exists():
        try:
            jepanet("devnet", "down", "--dir", directory / "devnet")
        except DemoFailed as error:  # it has ended
            console.print(str(error), style="dim", highlight=False)


def rehearse(network: Network, earlier: Path | None, checked: int, commit: str, limit: float) -> None:
    """The whole rehearsal. Raises DemoFailed with what to look at."""
    network_is_there = False
    try:
        times = min(_MOST_STRETCH, stretch())
        console.print(f"rehearsal in {network.folder}: links, chain, nodes, project …", highlight=False)
        network.lay_links()
        network_is_there = True
        network.set_up(times=times, earlier=earlier)
        watch = Watch(Played(network.rpc, Deployment.load(Path(network.deployment))))
        recoveries = play(network, watch, limit)
        counts = network.order(counts=True)
        console.print("    an outsider recomputes …", style="dim", highlight=False)
        report = asyncio.run(build_report(network, watch, recoveries, counts, checked))
        report |= {
            "seconds": watch.now,
            "upgraded_from": commit if earlier else None,
            "times": round(times, 2),
        }
        text = json.dumps(report, indent=1)
        write_atomically(network.folder / "report.json", (text + "\n").encode())
        print_report(console, report)
        try:
            # Imported here: matplotlib reads its settings then, and refuses a backend it does not know.
            from scripts.rehearsing.picture import draw

            draw(report, network.folder / "rehearsal.png")
        except Exception as error:  # whatever a drawing library raises, the rounds were played
            console.print(f"no picture: {type(error).__name__}: {error}", style="yellow", highlight=False)
        broken = failures(report)
        summary = {**report["rounds"], "seconds": report["seconds"], "failures": broken}
        write_atomically(network.folder / "summary.json", (json.dumps(summary) + "\n").encode())
        click.echo(json.dumps(summary))
        if broken:
            raise DemoFailed("; ".join(broken))
    finally:
        if network_is_there:
            network.close()


def play(network: Network, watch: Watch, limit: float) -> list[Recovery]:
    """Until all rounds have ended, or `limit` seconds are over, with what the plan says in between."""
    plan, recoveries, last = network.plan, list[Recovery](), time.monotonic()
    partitions, upgrades = list(plan.partitions), list(plan.upgrades)
    heal_at: int | None = None
    while watch.played.ended < plan.rounds or not all(item.whole for item in recoveries):
        revive(network, watch)
        if watch.look(network.nodes):
            last = time.monotonic()
            ended = watch.played.ended
            shown = f"{ended} rounds, {watch.played.cancelled} cancelled, {watch.now:.0f} s"
            console.print(f"    {shown}", style="dim", highlight=False)
            if heal_at is not None and ended >= heal_at:
                recoveries += heal(network, watch)
                heal_at = None
            elif partitions and ended >= partitions[0].after and ended < plan.rounds:
                heal_at = ended + cut(network, watch, partitions.pop(0)).rounds
            if upgrades and ended >= upgrades[0].after and ended < plan.rounds:
                upgrade(network, watch, upgrades.pop(0))
        head = watch.played.next_block - 1
        for item in recoveries:
            if not item.whole:
                item.look(network[item.member], head)
        if watch.played.ended >= plan.rounds and heal_at is not None:
            recoveries += heal(network, watch)
            heal_at = None
        if watch.now > limit and heal_at is None and time.monotonic() - last < 1.0:
            break
        if time.monotonic() - last > _PATIENCE:
            if watch.played.ended >= plan.rounds:
                break  # somebody does not come back: the report says who
            raise DemoFailed(f"nothing happened for {_PATIENCE:.0f} s: see {network.folder / 'nodes'}")
        time.sleep(_LOOK_EVERY)
    return recoveries


def revive(network: Network, watch: Watch) -> None:
    """A supervisor's part: a node that ended is started again."""
    for node in network.nodes:
        if node.pid is None:
            watch.say("ended", member=node.name)
            console.print(f"    {node.name} ended: see {node.output}", style="red", highlight=False)
            node.start()


def cut(network: Network, watch: Watch, partition: Partition) -> Partition:
    network.order(cut=list(partition.members), chain=partition.chain)
    watch.say("cut", members=list(partition.members), chain=partition.chain, rounds=partition.rounds,
              peers={name: peers_of(network, name) for name in partition.members})  # fmt: skip
    return partition


def peers_of(network: Network, name: str) -> int:
    return int((network[name].status() or {"peers": 0})["peers"])


def heal(network: Network, watch: Watch) -> list[Recovery]:
    """Ends the cut; what is to be seen of those who come back."""
    network.order(heal=True)
    before = next(event for event in reversed(watch.events) if event["what"] == "cut")
    watch.say("healed", members=before["members"])
    peers = before["peers"]
    assert isinstance(peers, dict)
    return [Recovery(name, count, time.time()) for name, count in peers.items()]


def upgrade(network: Network, watch: Watch, step: Upgrade) -> None:
    """Stops a node, keeps its folder, and starts it as this version."""
    node = network[step.member]
    since = time.monotonic()
    node.stop()
    stopped = time.monotonic() - since
    kept_folder(node.folder, network.folder / "backups" / node.name)
    node.client = None
    up = node.start_timed()
    watch.say("upgraded", member=step.member, stop=round(stopped, 1), start=round(up, 1),
              away=round(time.monotonic() - since, 1))  # fmt: skip


if __name__ == "__main__":
    main(prog_name="scripts/rehearsal")
