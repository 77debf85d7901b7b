"""How long does `node.status` take while the node trains and 200 MB arrive, beside a bare aiohttp handler?

The process that serves has the network of a node in its other thread, as a node has it, and fetches a blob of
200 MB from another process, again and again; a third process trains, as a node's worker does. Meanwhile this
one asks ten times a second on each of eight connections, in turns the node and a bare aiohttp handler in the
same process, which sends the same bytes: what waiting for a turn of the machine costs anybody. Latencies are
by the clock, so that they hold for the machine and its load at the time, which is told too. Nothing is
measured before the first steps and the first blob are through.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import multiprocessing
import os
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from blobs import MB, Worker
from rich.console import Console
from rich.table import Table
from rpc import CONNECTIONS, TARGET_P99_MS, ask, serve

SIZE = 200
SECONDS = 10.0
EVERY = 0.1
REPEATS = 4
RESULT = Path(__file__).resolve().parent / "results" / "rpc_busy.json"
Count = Synchronized  # type: ignore[type-arg]  # of whole numbers, in shared memory


async def serve_while_fetching(
    orders: Connection, folder: Path, source: str, digest: str, fetched: Count
) -> None:
    """Fetches without an end beside serving; `fetched` counts blobs."""
    from jepanet.p2p.host import Admission, Gossip, P2PConfig, P2PNode
    from jepanet.telemetry import Secret

    class NoShelf:
        def open_public(self, _: bytes) -> Path | None:
            return None

    async def accept(_: Gossip) -> Admission:
        return Admission.ACCEPT

    settings = P2PConfig(
        bootstrap=(), listen="/ip4/127.0.0.1/tcp/0", topic="benchmark", directory=folder / "p2p",
        node_key=Secret(secrets.token_bytes(32)),
    )  # fmt: skip
    node = P2PNode(settings, NoShelf(), accept)
    await node.start()

    async def fetch() -> None:
        while True:
            target = folder / "here"
            await node.fetch(bytes.fromhex(digest), max_bytes=1 << 40, directory=target, providers=[source])
            fetched.value += 1
            await asyncio.to_thread(shutil.rmtree, target)

    fetching = asyncio.create_task(fetch())
    await serve(orders, folder)
    assert not fetching.done(), fetching
    fetching.cancel()
    await node.stop()


def run_server(orders: Connection, folder: Path, source: str, digest: str, fetched: Count) -> None:
    asyncio.run(serve_while_fetching(orders, folder, source, digest, fetched))


def run_training(steps: Count) -> None:
    """A model of 32-pixel frames, on one core, until it is ended."""
    from bare_loop import SEED, made_up_shard, recipe_called

    from jepanet.learning.training.loop import train

    recipe = recipe_called("tworoom-small")
    shard, weights = made_up_shard(recipe), recipe.family.initial_weights(SEED)
    while True:
        train(weights, shard, recipe, seed=SEED, steps=20)
        steps.value += 20


def main() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    context = multiprocessing.get_context("spawn")
    ours_end, theirs = context.Pipe()
    fetched, steps = context.Value("q", 0), context.Value("q", 0)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        shelf = root / "shelf"
        shelf.mkdir()
        content = secrets.token_bytes(MB) * SIZE
        digest = hashlib.sha256(content).hexdigest()
        (shelf / digest).write_bytes(content)
        source = Worker(root, "source", shelf)
        training = context.Process(target=run_training, args=(steps,))
        training.start()
        server = context.Process(
            target=run_server, args=(theirs, root / "node", source.address, digest, fetched)
        )
        (root / "node").mkdir()
        server.start()
        ours, bare, token, _ = ours_end.recv()
        while not (fetched.value and steps.value):
            if not (server.is_alive() and training.is_alive()):
                sys.exit("the server or the training has ended")
            time.sleep(0.1)
        before, begun = (fetched.value, steps.value), time.monotonic()
        count = int(SECONDS / EVERY) * CONNECTIONS
        runs = [
            tuple(asyncio.run(ask(port, token, count, pause=EVERY)) for port in (ours, bare))
            for _ in range(REPEATS)
        ]
        lasted = time.monotonic() - begun
        moved, trained = fetched.value - before[0], steps.value - before[1]
        training.kill()
        training.join()
        ours_end.send("end")
        server.join(30)
        server.kill()
        source.stop()

    load = os.getloadavg()[0]
    table = Table(
        "server", "p50 ms", "p99 ms", "longest ms", title=f"load {load:.1f}, {os.cpu_count()} cores"
    )
    figures: dict[str, dict[str, float]] = {}
    for place, what in enumerate(("node.status", "bare aiohttp handler")):
        took = sorted(item for pair in runs for item in pair[place])
        found = {"p50_ms": took[len(took) // 2], "p99_ms": took[int(len(took) * 0.99)], "most_ms": took[-1]}
        figures[what] = found
        table.add_row(what, *(f"{item:.1f}" for item in found.values()))
    ratio = statistics.median(_p99(pair[0]) / _p99(pair[1]) for pair in runs)
    Console().print(table)
    Console().print(
        f"p99 {ratio:.2f} of the bare handler's; target {TARGET_P99_MS} ms. Meanwhile {moved} blobs "
        f"({moved * SIZE / lasted:.0f} MB/s) and {trained / lasted:.1f} steps a second"
    )
    figures["conditions"] = {
        "load": load, "ratio": ratio, "target_p99_ms": TARGET_P99_MS, "mb_per_s": moved * SIZE / lasted,
        "steps_per_s": trained / lasted,
    }  # fmt: skip
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=1) + "\n")


def _p99(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.99)]


if __name__ == "__main__":
    main()
