"""How many requests for `node.status` does one core answer a second, beside a bare aiohttp handler?

One process serves, this one asks over keep-alive connections; both servers in turns, in one run. The bare one
reads the body and sends the same bytes, made beforehand: what HTTP alone costs. Requests are counted by a
second of the server's CPU time, which two busy cores change less than a second of the clock; latencies are by
the clock. The node is the tests' one: real stores, 24 rounds, no chain and no peers, as a node at rest.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from aiohttp import web
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

CONNECTIONS = 8
REQUESTS = 4000
REPEATS = 5
TARGET = 1500
TARGET_P99_MS = 50
BODY = b'{"jsonrpc":"2.0","method":"node.status","id":1}'
RESULT = HERE / "results" / "rpc.json"


async def serve(orders: Connection, folder: Path) -> None:
    """Both servers in this process; says where they are, then its CPU seconds whenever it is asked."""
    from jepanet.rpc.method import Scope
    from jepanet.rpc.transport.bearer import open_tokens, token_file
    from jepanet.rpc.transport.server import listening
    from jepanet.settings.rpc_section import RpcSection
    from rpc_node import Asking, a_node

    asking = Asking(a_node(folder))
    answer = (await asking.dispatcher.answer(BODY, Scope.READ.includes) or "").encode()

    async def bare(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=answer, content_type="application/json")

    application = web.Application()
    application.router.add_post("/", bare)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    probes = asking.probes
    async with listening(
        RpcSection(port=0), asking.dispatcher, open_tokens(folder), health=probes.health, ready=probes.ready
    ) as server:
        token = token_file(folder, Scope.READ).read_text().strip()
        orders.send((server.port, int(runner.addresses[0][1]), token, len(answer)))
        while await asyncio.to_thread(orders.recv) == "time":
            orders.send(time.process_time())
    await runner.cleanup()


def run_server(orders: Connection, folder: Path) -> None:
    asyncio.run(serve(orders, folder))


async def ask(port: int, token: str, count: int, *, pause: float = 0.0) -> list[float]:
    """Sends `count` requests over `CONNECTIONS` connections, with `pause` seconds after each answer, one
    connection after the other; milliseconds of each."""
    head = (
        f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    ).encode()
    took: list[float] = []

    async def one(number: int) -> None:
        await asyncio.sleep(pause * number / CONNECTIONS)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(count // CONNECTIONS):
            started = time.perf_counter()
            writer.write(head + BODY)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            if b" 200 " not in answer:
                raise RuntimeError(f"not answered: {answer!r}")
            length = int(answer.split(b"content-length: ")[1].split(b"\r\n")[0])
            if b'"result"' not in await reader.readexactly(length):
                raise RuntimeError("answered with an error")
            took.append(1e3 * (time.perf_counter() - started))
            await asyncio.sleep(pause)
        writer.close()

    await asyncio.gather(*map(one, range(CONNECTIONS)))
    return took


def main() -> None:
    context = multiprocessing.get_context("spawn")
    orders, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as name:
        server = context.Process(target=run_server, args=(theirs, Path(name)))
        server.start()
        ours, bare, token, size = orders.recv()

        def measured(port: int) -> tuple[float, list[float]]:
            """Requests a CPU second of the server, and latencies."""
            orders.send("time")
            before = orders.recv()
            took = asyncio.run(ask(port, token, REQUESTS))
            orders.send("time")
            return len(took) / (orders.recv() - before), took

        for port in (ours, bare):
            asyncio.run(ask(port, token, CONNECTIONS * 20))
        runs = [(measured(ours), measured(bare)) for _ in range(REPEATS)]
        orders.send("end")
        server.join()

    table = Table("server", "requests a CPU second", "p50 ms", "p99 ms", title=f"{size:,} bytes an answer")
    figures: dict[str, dict[str, float]] = {}
    for place, what in enumerate(("node.status", "bare aiohttp handler")):
        rate = statistics.median(pair[place][0] for pair in runs)
        took = sorted(item for pair in runs for item in pair[place][1])
        p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
        figures[what] = {"per_cpu_second": rate, "p50_ms": p50, "p99_ms": p99}
        table.add_row(what, f"{rate:,.0f}", f"{p50:.2f}", f"{p99:.2f}")
    ratio = statistics.median(pair[0][0] / pair[1][0] for pair in runs)
    Console().print(table)
    Console().print(f"{ratio:.2f} of the bare handler's requests; targets {TARGET:,} and {TARGET_P99_MS} ms")
    RESULT.parent.mkdir(exist_ok=True)
    figures["targets"] = {"per_cpu_second": TARGET, "p99_ms": TARGET_P99_MS, "ratio": ratio}
    RESULT.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
