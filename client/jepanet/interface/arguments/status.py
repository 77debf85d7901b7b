"""`jepanet status`: what a running node says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.errors import Exit, Fatal
from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import config_option, emit, json_option, pairs, table

if TYPE_CHECKING:
    from jepanet.operations.views.node import NodeStatus, Serving, Work


@click.command("status", cls=StrictCommand)
@config_option
@click.option("--watch", is_flag=True, help="Show a node at a glance, over and over, until Ctrl-C.")
@json_option
def command(config_path: Path, watch: bool, as_json: bool) -> None:
    """Show the node's peers, chain position, rounds, bytes by kind and open duties.

    A node with [rpc] is asked; of another, and where it does not answer, it is what the node last wrote.
    Ends with exit code 28 if the node does not run, 22 if it never ran.

    \b
    Examples:
      jepanet status --config node.toml
      jepanet status --watch --config node.toml
    """
    if watch:
        from jepanet.interface.arguments.top import follow

        follow(config_path, as_json=as_json, whole=False)
        return
    from jepanet.interface.running import newest_status
    from jepanet.settings.config import load_config

    status = newest_status(load_config(config_path))
    emit(status, as_json, _show)
    if not status.running:
        raise Fatal(
            f"the node of {config_path} does not run: its status is {status.age} s old",
            remedy="start it: jepanet node run --config FILE; the end of its log says why it ended",
            code=Exit.NOT_RUNNING,
        )


def _show(value: NodeStatus) -> None:
    pairs(
        "Node",
        {
            "running": value.running,
            "wallet": value.wallet,
            "roles": ", ".join(value.roles),
            "peer id": value.peer,
            "peers": value.peers,
            "chain head / confirmed": f"{value.chain.head} / {value.chain.confirmed}",
            "working on": _work(value.work),
            "JSON-RPC": _rpc(value.rpc),
            "log lines lost": value.log_lines_lost,
            "seconds since written": value.age,
        },
    )
    # On lines of their own and whole: this is what other nodes' operators are given.
    for address in value.addresses:
        click.echo(f"Address for others (p2p.bootstrap, --peer): {address}")
    columns = ("round", "project", "phase", "commits", "reveals", "scored", "results", "refused")
    rows = [
        (
            item.round, item.project, item.phase, item.commits, item.reveals,
            "yes" if item.scored else "no", item.results,
            ", ".join(f"{a}: {b}" for a, b in item.failed),
        )
        for item in value.rounds
    ]  # fmt: skip
    table("Rounds", columns, rows)
    aborted = [
        (item.round, item.training.status, item.training.why)
        for item in value.rounds
        if item.training is not None and item.training.why is not None
    ]
    if aborted:
        table(
            "Trainings that were aborted, so that nothing was committed",
            ("round", "training", "why"),
            aborted,
        )
    flows = [(f"blobs: {kind}", flow) for kind, flow in value.traffic.blobs.items()]
    flows += [("gossip", value.traffic.gossip), *value.traffic.endpoints.items()]
    table(
        "Bytes since the node was started",
        ("what", "received", "sent"),
        [
            (what, f"{flow.received:,}", f"{flow.sent:,}")
            for what, flow in flows
            if flow.received or flow.sent
        ],
    )
    if value.duties:
        duties = [(item.duty, item.attempts, item.error or "") for item in value.duties]
        table("Open duties", ("duty", "attempts", "last error"), duties)


def _rpc(rpc: Serving | None) -> str:
    """Where the node answers, or why it does not."""
    if rpc is None:
        return "off"
    return rpc.url or f"not listening: {rpc.problem}"


def _work(work: Work | None) -> str:
    """The running job, for example "train_delta: step 12 of 40, loss 0.4312, for 31 s"."""
    if work is None:
        return "nothing"
    told = []
    if work.step is not None:
        told.append(f"step {work.step} of {work.steps}")
    if work.loss is not None:
        told.append(f"loss {work.loss:.4g}")
    told.append(f"for {work.seconds} s")
    return f"{work.job}: {', '.join(told)}"
