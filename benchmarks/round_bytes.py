"""How many bytes does a round move, and to whom, by every codec and route, beside hivemind and Flower?

Real rounds on real nodes: anvil, one process a node, libp2p between them, training of a recipe whose weights
take 5.43 MB (`dense`) and whose rounds are short. One proposer, one coordinator, one aggregator, N solvers.
The first round is not measured: whoever is new has to fetch a whole model. Bytes are those that nodes log of
every transfer (chunks, manifests and headers, also of transfers that failed), summed over everything that a
round made: its deltas, and its model, or the update and the remainder that lead to it, whenever they are
fetched.

A row is a codec of the deltas and a route by which the model is meant to travel:

    A    the spec declares no update rule: the next model is derived from the accepted deltas
    B    the spec codes the update, by the codec of the deltas

Nodes take what is smaller, so a row also says which way they went. Targets: by route B with int8 all nodes
together receive at most (0.75 N + 0.25) x dense x 1.05; by route A with topk3 and three solvers a solver
receives at most 0.03 x dense. Shards, gossip and the chain's answers have no target.

`--hivemind PYTHON` and `--flower PYTHON` name interpreters that have these installed; each then averages as
many float32 values among as many participants.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "scenario"), str(ROOT / "tests")]

from byte_ledger import Made, Readings, by_role, made_by, mean, received, ways  # noqa: E402
from network import Network  # noqa: E402
from other_networks import Exchange, flower, hivemind, installed  # noqa: E402
from solver_exchange import Replay, Spent  # noqa: E402

from jepanet.federation.deltas.codecs import CODECS  # noqa: E402
from jepanet.learning.presets import preset  # noqa: E402
from jepanet.learning.recipe import Recipe  # noqa: E402
from jepanet.learning.recipe_reader import read_recipe  # noqa: E402
from jepanet.operations.datasets import build_dataset  # noqa: E402
from jepanet.telemetry import configure_logging  # noqa: E402
from jepanet.tensors import canonical_json  # noqa: E402

RESULT = Path(__file__).parent / "results" / "round_bytes.json"
SIZES = {
    "training_sites": 8, "episodes": 6, "frames": 10, "public_episodes": 8, "probe_frames": 64,
    "evaluation_shards": 96, "evaluation_episodes": 8, "hidden_sites": 2, "image": 32,
}  # fmt: skip
WIDTHS = {"image": 32, "latent": 64, "channels": [8, 16, 32], "hidden": 512, "predictor": 1024}
NURSERY = Path(__file__).with_name("publishing_nursery.py")
OPEN_GATES = {
    "harm_sigmas": 100, "healthy_variance": 0, "rank_ratio": 0.01, "sigreg_log": 10, "variance_cap": 100,
    "variance_ceiling": 100, "variance_floor": 0.001,
}  # fmt: skip
STEPS = 4
ROLES = ("solver", "coordinator", "aggregator", "proposer")
MODELS = ("model", "update", "remainder", "delta")
BESIDE = ("shard", "document", "gossip", "rpc")
SLACK = 1.05
PATIENCE = 1200.0
"""Seconds for one round: eleven nodes on two cores that others use take minutes."""


@dataclass(frozen=True, slots=True)
class Row:
    """One configuration with N solvers; bytes a round, the mean over `rounds`."""

    solvers: int
    codec: str
    route: str
    rounds: int
    went: dict[str, int]
    """How many nodes came by the model in which way."""
    by_role: dict[str, float]
    """Bytes of models, updates, remainders and deltas that one node of a role received, the mean over its
    nodes."""
    by_kind: dict[str, float]
    total: float
    most_of_a_solver: int
    beside: dict[str, float]
    """Bytes of all nodes together that have no target."""
    spent: Spent | None
    target: str
    allowed: float | None
    got: float | None

    @property
    def met(self) -> bool | None:
        return None if self.allowed is None or self.got is None else self.got <= self.allowed


def recipe() -> Recipe:
    """As the tests' tiny recipe, but wide: megabytes of weights, milliseconds a step."""
    tree = json.loads(preset("tworoom-tiny").to_bytes())
    tree["name"] = "wide"
    tree["model"] |= WIDTHS
    # What is measured is the exchange, not what it is worth: every delta is merged, every merge published.
    tree["gates"] |= OPEN_GATES
    return read_recipe(canonical_json(tree))


@contextmanager
def network_of(folder: Path, solvers: int) -> Iterator[Network]:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jepanet-benchmarks"
    dataset = cache / f"round-bytes-{SIZES['training_sites']}-{SIZES['evaluation_shards']}"
    build_dataset(
        "tworoom",
        dataset,
        b"bytes of a round" * 2,
        dict(SIZES),
        workers=1,
        evaluation_seed=None,
        progress=None,
    )
    named = folder / "recipe.json"
    named.parent.mkdir(parents=True)
    named.write_bytes(recipe().to_bytes())
    network = Network.build(
        folder / "network", dataset, solvers=solvers, recipe=str(named), apart=True, nursery=NURSERY
    )
    try:
        network.fund([network.hub.address], tokens=100_000)
        network.run_nodes()
        yield network
    finally:
        network.close()


def play(network: Network, solvers: int, codec: str, route: str) -> Made:
    """One whole round."""
    number = network.play(
        commits=solvers,
        codec=codec,
        update_codec=codec if route == "B" else "",
        inner_steps=STEPS,
        max_delta_mb=16,
        price="0.000001",
    )
    network.wait_finished(number, within=PATIENCE)
    return made_by(network, number)


def measure(
    folder: Path, solvers: int, codecs: Sequence[str], chosen: Sequence[str], rounds: int, tell: Console
) -> tuple[dict[str, float], list[Row]]:
    """First-time bytes by role, and a row for every codec and route."""
    played: list[tuple[str, str, list[Made], dict[str, float]]] = []
    with network_of(folder, solvers) as network:
        first = play(network, solvers, "int8", "A")
        for route in chosen:
            for codec in codecs:
                made, beside = [], dict.fromkeys(BESIDE, 0.0)
                for _ in range(rounds):
                    readings = Readings(network)
                    readings.begin()
                    began = time.monotonic()
                    one = play(network, solvers, codec, route)
                    passed = readings.passed()
                    tell.print(
                        f"N = {solvers}, {codec}, route {route}: round {one.number} took "
                        f"{time.monotonic() - began:.0f} s" + ("" if one.published else ", not merged")
                    )
                    if one.published:
                        made.append(one)
                        for key in beside:
                            beside[key] += sum(found[key] for found in passed.values()) / rounds
                played.append((codec, route, made, beside))
        # What leads to the last model is fetched when one more round opens.
        number = network.play(commits=solvers, codec="int8", inner_steps=STEPS, max_delta_mb=16)
        network.wait("every node to have the last model", lambda: prepared(network, number), within=PATIENCE)
        for node in network.nodes.values():
            node.stop()
        start = by_role(network, {name: sum(kinds.values()) for name, kinds in
                                  received(network, {first.base: "model"}).items()})  # fmt: skip
        replay = Replay(folder / "replay")
        try:
            rows = [row_of(network, solvers, *item, replay) for item in played]
        finally:
            replay.close()
    return {role: mean(start[role]) for role in ROLES}, rows


def prepared(network: Network, number: int) -> bool:
    working = [node for node in network.nodes.values() if node.roles != ("proposer",)]
    statuses = [node.status() for node in working]
    return all(
        status is not None and any(item["round"] == number and item["prepared"] for item in status["rounds"])
        for status in statuses
    )


def row_of(
    network: Network,
    solvers: int,
    codec: str,
    route: str,
    made: list[Made],
    beside: dict[str, float],
    replay: Replay,
) -> Row:
    empty = Row(solvers, codec, route, len(made), {}, {}, {}, 0.0, 0, beside, None, "", None, None)
    if not made:
        return replace(empty, target="not merged")
    count = len(made)
    nodes: dict[str, int] = dict.fromkeys(network.nodes, 0)
    kinds: dict[str, float] = dict.fromkeys(MODELS, 0.0)
    went: dict[str, int] = {}
    for one in made:
        for name, found in received(network, one.kinds()).items():
            nodes[name] += sum(found.values())
            for kind, size in found.items():
                kinds[kind] += size / count
        for way, times in ways(network, one.model).items():
            went[way] = went.get(way, 0) + times
    roles = by_role(network, nodes)
    total, most = sum(nodes.values()) / count, max(roles["solver"]) // count
    row = replace(
        empty, went=went, total=total, most_of_a_solver=most, by_kind=kinds,
        by_role={role: mean(roles[role]) / count for role in ROLES},
        spent=replay.solver(network, "solver-1", made[-1]),
    )  # fmt: skip
    dense = 4 * recipe().parameters()
    if (codec, route) == ("int8", "B"):
        return replace(row, target="all nodes", allowed=(0.75 * solvers + 0.25) * dense * SLACK, got=total)
    if (codec, route, solvers) == ("topk3", "A", 3):
        return replace(row, target="a solver", allowed=0.03 * dense, got=float(most))
    return row


# ------------------------------------------------------------------ showing


def show(rows: Sequence[Row], first: dict[int, dict[str, float]], dense: int, tell: Console) -> None:
    table = Table(
        title=f"received a round, in multiples of dense ({dense / 1e6:.2f} MB); beside it kB of all nodes"
    )
    columns = ("N", "codec", "route", "went", *ROLES, "all", "of which delta")
    beside = tuple(f"{kind} kB" for kind in BESIDE)
    for column in (*columns, *beside, "solver: wall s", "CPU s", "target"):
        table.add_column(column, justify="right")
    for row in rows:
        spent = row.spent
        cells = [f"{row.by_role[role] / dense:.4f}" for role in ROLES] if row.by_role else ["-"] * len(ROLES)
        went = ", ".join(f"{count} {way}" for way, count in row.went.items())
        table.add_row(
            str(row.solvers), row.codec, row.route, went, *cells,
            f"{row.total / dense:.3f}", f"{row.by_kind.get('delta', 0) / dense:.3f}",
            *(f"{row.beside[key] / 1e3:.0f}" for key in BESIDE),
            "-" if spent is None else f"{spent.fetch_wall + spent.derive_wall:.2f}",
            "-" if spent is None else f"{spent.fetch_cpu + spent.derive_cpu:.2f}",
            verdict(row, dense),
        )  # fmt: skip
    tell.print(table)
    for solvers, roles in first.items():
        shown = ", ".join(f"{role} {size / dense:.3f}" for role, size in roles.items())
        tell.print(f"first model, fetched once by a newcomer, N = {solvers}: {shown} x dense")


def verdict(row: Row, dense: int) -> str:
    if row.allowed is None or row.got is None:
        return row.target
    said = "met" if row.met else "MISSED"
    return f"{said}: {row.target} {row.got / dense:.4f}, at most {row.allowed / dense:.4f}"


def others(
    values: int,
    solvers: Sequence[int],
    hivemind_python: Path | None,
    flower_python: Path | None,
    tell: Console,
) -> dict[str, Any]:
    """hivemind and Flower, where they are installed."""
    found: dict[str, Any] = {}
    dense = 4 * values
    table = Table(
        "others", "N", "a participant", "all", "wall s", "CPU s a participant", title="in multiples of dense"
    )
    for name, python, module in (
        ("hivemind", hivemind_python, "hivemind"),
        ("hivemind, 8 bits", hivemind_python, "hivemind"),
        ("Flower", flower_python, "flwr"),
    ):
        if python is None or not installed(python, module):
            found[name] = "not installed"
            table.add_row(name, "-", "not installed", "-", "-", "-")
            continue
        for count in solvers:
            bits = 8 if name.endswith("bits") else 32
            one: Exchange = (
                flower(python, values, count) if module == "flwr" else hivemind(python, values, count, bits)
            )
            found.setdefault(name, {})[str(count)] = asdict(one)
            note = "" if one.networked else " (in one process: its daemon does not run here)"
            table.add_row(
                name + note, str(count), f"{one.participant / dense:.3f}", f"{one.total / dense:.3f}",
                f"{one.wall:.2f}", f"{one.cpu / count:.2f}",
            )  # fmt: skip
    tell.print(table)
    return found


@click.command()
@click.option("--codecs", default=",".join(CODECS), show_default=True, help="Of the deltas, and of updates.")
@click.option("--solvers", default="3,8", show_default=True, help="Numbers of solvers, one network each.")
@click.option("--routes", default="A,B", show_default=True, help="A, B or both.")
@click.option("--rounds", default=1, show_default=True, help="Measured rounds a codec and route.")
@click.option(
    "--out", default=RESULT, show_default=True, type=click.Path(dir_okay=False, path_type=Path), help="JSON."
)
@click.option("--quick", is_flag=True, help="int8 and topk3 with three solvers alone.")
@click.option(
    "--hivemind", "hivemind_python", type=click.Path(path_type=Path), help="Interpreter that has hivemind."
)
@click.option("--flower", "flower_python", type=click.Path(path_type=Path), help="Interpreter that has flwr.")
def main(
    codecs: str,
    solvers: str,
    routes: str,
    rounds: int,
    out: Path,
    quick: bool,
    hivemind_python: Path | None,
    flower_python: Path | None,
) -> None:
    """Print and store the bytes of a round by role, codec and route."""
    configure_logging(level="error")
    tell = Console(width=220)
    chosen = ["int8", "topk3"] if quick else codecs.split(",")
    counts = [3] if quick else [int(count) for count in solvers.split(",")]
    unknown = sorted(set(chosen) - set(CODECS))
    if unknown:
        raise click.BadParameter(f"no codec is called {', '.join(unknown)}", param_hint="--codecs")
    values, began = recipe().parameters(), time.monotonic()
    rows: list[Row] = []
    first: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        for count in counts:
            first[count], found = measure(
                Path(name) / str(count), count, chosen, routes.split(","), rounds, tell
            )
            rows += found
    show(rows, first, 4 * values, tell)
    beside = others(values, counts, hivemind_python, flower_python, tell)
    tell.print(f"{time.monotonic() - began:.0f} s in all")
    out.parent.mkdir(exist_ok=True)
    result = {
        "dense_bytes": 4 * values, "seconds": time.monotonic() - began, "load": os.getloadavg()[0],
        "first_model": first, "others": beside, "rows": [{**asdict(row), "met": row.met} for row in rows],
    }  # fmt: skip
    out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
