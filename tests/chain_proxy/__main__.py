"""The proxy as a process: `python -m chain_proxy URL --mode '{"mode": "LogsLag", "blocks": 3}'`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from chain_proxy import ChainProxy, Mode


async def serve(options: argparse.Namespace) -> None:
    """Prints its URL, then serves. A line on standard input is a JSON list of modes to switch to."""
    async with ChainProxy(options.node, seed=options.seed, port=options.port) as proxy:
        proxy.set(*(Mode.from_json(json.loads(text)) for text in options.mode))
        print(proxy.url, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            proxy.set(*map(Mode.from_json, json.loads(line)))
            print(json.dumps({"asked": proxy.asked, "met": proxy.met}), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=serve.__doc__, epilog=f"modes: {', '.join(Mode.kinds)}")
    parser.add_argument("node", help="URL of the chain node behind it")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mode", action="append", default=[], help="a mode as JSON, repeatable")
    asyncio.run(serve(parser.parse_args()))
