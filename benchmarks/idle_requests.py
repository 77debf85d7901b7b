"""How many requests does an idle node send to the endpoint of its chain?

A solver's node on a local chain that mines a block every few seconds, behind a proxy that counts every call,
each of a batch by itself; nothing happens in its rounds. Once with the WebSocket of the chain, which is not
counted, since the node only listens there, once without, and once with two endpoints, of which the busier
one counts. The yardstick is what is allowed: two requests a block, and one every five seconds. Counted from
a while after the start.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import click
from rich.console import Console
from rich.table import Table
from startup import JEPANET, Measured, configured, jepanet

from jepanet.chain.devchain.anvil import free_port

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
from chain_proxy.server import ChainProxy  # noqa: E402

SETTLES, SECONDS = 60.0, 96.0
A_BLOCK, EVERY = 2.0, 5.0
RESULT = HERE / "results" / "idle_requests.json"


async def asked_directly(url: str, method: str, *params: object) -> Any:
    body = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
    async with aiohttp.ClientSession() as client, client.post(url, json=body) as answer:
        return (await answer.json())["result"]


async def height(url: str) -> int:
    return int(await asked_directly(url, "eth_blockNumber"), 16)


async def counted(chain: dict[str, Any], *, websocket: bool, endpoints: int) -> dict[str, Any]:
    """Calls by method, of the endpoint that had the most, and blocks, of `SECONDS` seconds."""
    async with AsyncExitStack() as opened:
        proxies = [await opened.enter_async_context(ChainProxy(chain["rpc"])) for _ in range(endpoints)]
        with tempfile.TemporaryDirectory() as name:
            path = configured(Path(name), {**chain, "rpc": '", "'.join(proxy.url for proxy in proxies)})
            if not websocket:
                lines = path.read_text().splitlines()
                path.write_text("\n".join(line for line in lines if not line.startswith("websocket")) + "\n")
            command = [*JEPANET, "node", "run", "--config", str(path)]
            node = await asyncio.to_thread(Measured, command, "node.started")
            try:
                await asyncio.sleep(SETTLES)
                for proxy in proxies:
                    proxy.asked.clear()
                before = await height(chain["rpc"])
                await asyncio.sleep(SECONDS)
                counts = [dict(proxy.asked) for proxy in proxies]
                blocks = await height(chain["rpc"]) - before
            finally:
                await asyncio.to_thread(node.stop)
    asked = max(counts, key=lambda item: sum(item.values()))
    return {"endpoints": endpoints, "websocket": websocket, "asked": asked, "blocks": blocks}


@click.command()
@click.option("--block-time", "times", multiple=True, type=int, default=(12, 2), show_default=True)
def main(times: tuple[int, ...]) -> None:
    """Counts with blocks every so many seconds."""
    table = Table("block s", "endpoints", "WebSocket", "requests", "allowed", "of it", "by method")
    found = []
    for seconds in times:
        with tempfile.TemporaryDirectory() as name:
            devnet = Path(name) / "devnet"
            chain = jepanet("devnet", "up", "--dir", devnet, "--port", str(free_port()))
            try:
                # Only now: what is deployed takes many blocks.
                asyncio.run(asked_directly(chain["rpc"], "evm_setIntervalMining", seconds))
                runs = [
                    asyncio.run(counted(chain, websocket=websocket, endpoints=endpoints))
                    for websocket, endpoints in ((True, 1), (False, 1), (True, 2))
                ]
            finally:
                jepanet("devnet", "down", "--dir", devnet)
        for run in runs:
            total, allowed = sum(run["asked"].values()), A_BLOCK * run["blocks"] + SECONDS / EVERY
            found.append(run | {"block_seconds": seconds, "requests": total, "allowed": allowed})
            methods = ", ".join(f"{method} {times}" for method, times in sorted(run["asked"].items()))
            told = (str(total), f"{allowed:.0f}", f"{total / allowed:.2f}", methods)
            table.add_row(str(seconds), str(run["endpoints"]), "yes" if run["websocket"] else "no", *told)
    Console(width=160).print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
