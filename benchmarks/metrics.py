"""What does it cost a node that Prometheus scrapes it, beside an answer to `node.status`?

One process serves both at one port, this one asks, in turns. The cost is the server's CPU time; a share of a
core follows for a scrape every 15 seconds, as docs/alerts.md has it. The page is made as a node makes it,
of real stores with 64 transactions, four endpoints and 50 peers, without a chain; rounds are many or few. An
answer to `node.status` is made once a second and kept, a page of metrics is made anew for each scrape.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rpc import CONNECTIONS, ask  # the tests' folder is on the path from here on

REQUESTS = 400
REPEATS = 5
EVERY_SECONDS = 15.0
ROUNDS = (24, 240)
RESULT = Path(__file__).resolve().parent / "results" / "metrics.json"


async def serve(orders: Connection, folder: Path, rounds: int) -> None:
    """Serves; says where, then its CPU seconds whenever it is asked."""
    from jepanet.chain.endpoints.endpoint import Endpoint
    from jepanet.metrics.chain import ChainReading
    from jepanet.node.observing import metrics_page
    from jepanet.protocol.state import OffChain, Own
    from jepanet.rpc.method import Scope
    from jepanet.rpc.transport.bearer import open_tokens, token_file
    from jepanet.rpc.transport.server import listening
    from jepanet.settings.paths import Paths
    from jepanet.settings.rpc_section import RpcSection
    from jepanet.storage.kept_intents import JournalIntents
    from jepanet.traffic import Traffic
    from jepanet.types import BlockRef, RoundId
    from round_samples import digest
    from rpc_node import APeer, Asking, a_node, a_round, an_intent

    node = a_node(folder)
    numbers = [RoundId(number) for number in range(1, rounds + 1)]
    node.state = replace(
        node.state,
        rounds={number: a_round(number, None, digest("spec")) for number in numbers},
        own=dict.fromkeys(numbers, Own()),
        off_chain=dict.fromkeys(numbers, OffChain()),
    )
    for number in range(64):
        JournalIntents(node.journal).put(an_intent(number))
    node.network.connected = [APeer(f"16Uiu2HAm{number:044}") for number in range(50)]
    traffic, chain = Traffic(), ChainReading(BlockRef(20, bytes(32), 990), 4.0, False, False, False, 17, True)
    endpoints = [
        Endpoint(f"https://rpc-{number}.example.org", timeout=5.0, max_response=1 << 20, traffic=traffic)
        for number in range(4)
    ]

    async def page() -> bytes:
        return await metrics_page(
            config=node.config, paths=Paths(folder), state=node.state, journal=node.journal, blobs=node.blobs,
            chain=chain, endpoints=endpoints, account=None,
            network=node.network,  # type: ignore[arg-type]  # it has peers and bans
            traffic=traffic, workers=(),
        )  # fmt: skip

    asking = Asking(node)
    async with listening(
        RpcSection(port=0), asking.dispatcher, open_tokens(folder), health=asking.probes.health,
        ready=asking.probes.ready, metrics=page,
    ) as server:  # fmt: skip
        token = token_file(folder, Scope.READ).read_text().strip()
        orders.send((server.port, token, len(await page())))
        while await asyncio.to_thread(orders.recv) == "time":
            orders.send(time.process_time())


def run_server(orders: Connection, folder: Path, rounds: int) -> None:
    asyncio.run(serve(orders, folder, rounds))


async def scrape(port: int, count: int) -> list[float]:
    """Gets the page `count` times over one connection, as Prometheus does; milliseconds of each."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took = []
    for _ in range(count):
        started = time.perf_counter()
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b" 200 " not in answer:
            raise RuntimeError(f"not answered: {answer!r}")
        await reader.readexactly(int(answer.split(b"content-length: ")[1].split(b"\r\n")[0]))
        took.append(1e3 * (time.perf_counter() - started))
    writer.close()
    return took


def measured(rounds: int) -> dict[str, float]:
    """Of a node that remembers so many rounds."""
    context = multiprocessing.get_context("spawn")
    orders, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as name:
        server = context.Process(target=run_server, args=(theirs, Path(name), rounds))
        server.start()
        port, token, size = orders.recv()

        def spent() -> float:
            orders.send("time")
            return float(orders.recv())

        def of(scrapes: bool, count: int) -> tuple[float, list[float]]:
            before = spent()
            took = asyncio.run(scrape(port, count) if scrapes else ask(port, token, count))
            return 1e3 * (spent() - before) / len(took), took

        for scrapes in (True, False):
            of(scrapes, CONNECTIONS * 10)
        runs = [(of(True, REQUESTS), of(False, REQUESTS)) for _ in range(REPEATS)]
        orders.send("end")
        server.join()
    took = sorted(item for pair in runs for item in pair[0][1])
    cost = statistics.median(pair[0][0] for pair in runs)
    return {
        "rounds": rounds,
        "bytes": size,
        "cpu_ms": cost,
        "status_cpu_ms": statistics.median(pair[1][0] for pair in runs),
        "ratio": statistics.median(pair[0][0] / pair[1][0] for pair in runs),
        "p50_ms": took[len(took) // 2],
        "p99_ms": took[int(len(took) * 0.99)],
        "share_of_a_core": cost / (1e3 * EVERY_SECONDS),
    }


def main() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    found = [measured(rounds) for rounds in ROUNDS]
    table = Table(
        "rounds", "bytes", "CPU ms a scrape", "of node.status", "ratio", "p50 ms", "p99 ms", "of a core",
        title=f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores; a scrape every {EVERY_SECONDS:g} s",
    )  # fmt: skip
    for row in found:
        table.add_row(
            f"{row['rounds']:g}", f"{row['bytes']:,}", f"{row['cpu_ms']:.2f}", f"{row['status_cpu_ms']:.2f}",
            f"{row['ratio']:.1f}", f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}",
            f"{100 * row['share_of_a_core']:.3f} %",
        )  # fmt: skip
    Console().print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"load": os.getloadavg()[0], "rows": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
