"""How late is the follower, and how fast does it catch up?

Latency: one sender, three observers of the same events in the same run: a bare WebSocket log subscription
(the yardstick: as early as can be, but it loses events), the follower woken by new heads, and polling.
Measured from handing the transaction to the node until the observer holds the decoded log; on 1 s blocks most
of it is waiting for the block, the same for all.

Catching up: events per second through the follower, against one plain eth_getLogs over the whole range with
its JSON parsed and nothing checked.

    python benchmarks/follower.py [--events N] [--backfill N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from eth_abi.abi import encode
from eth_hash.auto import keccak
from rich.console import Console
from rich.table import Table

from jepanet.chain.devchain.anvil import AnvilProcess, free_port, public_test_accounts
from jepanet.chain.endpoints.answers import RawLog
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.following.follower import Follower
from jepanet.telemetry import configure_logging
from jepanet.types import Address, BlockRef

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "integration"))
from chain_pinger import PINGER_BYTECODE  # noqa: E402

CHAIN_ID = 31337
POLL = 0.25
RUNS = 3
_PING = keccak(b"ping(uint256,uint256)")[:4]


class Emitter:
    """Sends through an account anvil unlocks, so that no signing is measured."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._account = public_test_accounts(1)[0].address
        self.address = Address("")

    async def deploy(self) -> BlockRef:
        transaction = {"from": self._account, "data": "0x" + PINGER_BYTECODE.hex()}
        tx_hash = await self._rpc.request("eth_sendTransaction", [transaction])
        receipt = None
        while receipt is None:
            receipt = await self._rpc.receipt(bytes.fromhex(tx_hash[2:]))
            await asyncio.sleep(0.05)
        assert receipt.contract is not None
        self.address = receipt.contract
        header = await self._rpc.header(receipt.block_number)
        assert header is not None
        return header.ref

    async def ping(self, number: int, times: int = 1) -> None:
        data = _PING + encode(["uint256", "uint256"], [number, times])
        transaction = {
            "from": self._account,
            "to": self.address,
            "data": "0x" + data.hex(),
            "gas": hex(25_000_000),
        }
        await self._rpc.request("eth_sendTransaction", [transaction])


Seen = dict[int, float]


def undecoded(log: RawLog, block: BlockRef) -> RawLog:
    """The emitter's events are no facts of the protocol; decoding them is not what is measured."""
    return log


async def subscribe(url: str, address: Address, seen: Seen) -> None:
    """The bare subscription."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        request = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "eth_subscribe",
            "params": ["logs", {"address": address}],
        }
        await socket.send_str(json.dumps(request))
        async for message in socket:
            event = json.loads(message.data)
            if event.get("method") == "eth_subscription":
                seen.setdefault(int(event["params"]["result"]["topics"][1], 16), time.perf_counter())


async def follow(follower: Follower[RawLog], seen: Seen) -> None:
    async for step in follower.steps():
        now = time.perf_counter()
        for block in step.blocks:
            for log in block.facts:
                seen.setdefault(int.from_bytes(log.topics[1], "big"), now)


async def latency(block_time: float | None, events: int) -> dict[str, dict[str, float]]:
    """p50 and p95 in milliseconds of each observer."""
    async with AnvilProcess(port=free_port(), chain_id=CHAIN_ID, block_time=block_time) as anvil:
        rpc = Rpc([anvil.url], CHAIN_ID)
        emitter = Emitter(rpc)
        anchor = await emitter.deploy()
        hinted = Follower(rpc, [emitter.address], anchor, undecoded, hint=anvil.ws_url, poll=5.0)
        polled = Follower(rpc, [emitter.address], anchor, undecoded, poll=POLL)
        observers: dict[str, tuple[Seen, Callable[[Seen], Awaitable[None]]]] = {
            "subscription": ({}, lambda seen: subscribe(anvil.ws_url, emitter.address, seen)),
            "follower, new-heads hint": ({}, lambda seen: follow(hinted, seen)),
            f"follower, poll {POLL:g} s": ({}, lambda seen: follow(polled, seen)),
        }
        tasks = [asyncio.ensure_future(run(seen)) for seen, run in observers.values()]
        await asyncio.sleep(1.0)
        sent: Seen = {}
        for number in range(events):
            sent[number] = time.perf_counter()
            await emitter.ping(number)
            # Off the beat of blocks and polls.
            await asyncio.sleep(0.09 + 0.0137 * (number % 17))
        await asyncio.sleep(2.5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await rpc.close()
        return {
            name: percentiles([seen[number] - sent[number] for number in sent])
            for name, (seen, _) in observers.items()
        }


def percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "p50_ms": statistics.median(ordered) * 1000,
        "p95_ms": ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] * 1000,
    }


async def backfill(events: int) -> dict[str, float]:
    """Medians of events per second over a chain with 20 events in every block."""
    per_block = 20
    async with AnvilProcess(port=free_port(), chain_id=CHAIN_ID) as anvil:
        rpc = Rpc([anvil.url], CHAIN_ID, timeout=60)
        emitter = Emitter(rpc)
        anchor = await emitter.deploy()
        for start in range(0, events, per_block):
            await emitter.ping(start, per_block)
        while int((await rpc.request("txpool_status", []))["pending"], 16):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await rpc.request("anvil_mine", [hex(200)])
        head = (await rpc.head()).ref
        plain, followed = [], []
        for _ in range(RUNS):
            began = time.perf_counter()
            query = {"address": emitter.address, "fromBlock": hex(anchor.number), "toBlock": hex(head.number)}
            assert len(await rpc.request("eth_getLogs", [query])) == events
            plain.append(events / (time.perf_counter() - began))
            began = time.perf_counter()
            seen: Seen = {}
            follower = Follower(rpc, [emitter.address], anchor, undecoded)
            async for step in follower.steps():
                for block in step.blocks:
                    seen.update((int.from_bytes(log.topics[1], "big"), 0.0) for log in block.facts)
                if follower.position.number >= head.number:
                    break
            assert len(seen) == events
            followed.append(events / (time.perf_counter() - began))
        await rpc.close()
        return {
            "events": events,
            "plain_events_per_s": statistics.median(plain),
            "follower_events_per_s": statistics.median(followed),
            "ratio": statistics.median(followed) / statistics.median(plain),
        }


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--events", type=int, default=100)
    arguments.add_argument("--backfill", type=int, default=20_000)
    options = arguments.parse_args()
    configure_logging(level="error")
    results: dict[str, Any] = {
        "latency": {
            "instant": await latency(None, options.events),
            "blocks_1s": await latency(1.0, options.events),
        },
        "backfill": await backfill(options.backfill),
    }
    table = Table(
        "observer", "instant p50", "p95", "ratio", "1 s blocks p50", "p95", "ratio", title="Latency, ms"
    )
    instant, slow = results["latency"]["instant"], results["latency"]["blocks_1s"]
    for name in instant:
        cells = [name]
        for measured in (instant, slow):
            measured[name]["ratio_p50"] = measured[name]["p50_ms"] / measured["subscription"]["p50_ms"]
            own = measured[name]
            cells += [f"{own['p50_ms']:.0f}", f"{own['p95_ms']:.0f}", f"{own['ratio_p50']:.2f}"]
        table.add_row(*cells)
    console = Console()
    console.print(table)
    caught = results["backfill"]
    table = Table("events", "plain getLogs, events/s", "follower, events/s", "ratio", title="Catching up")
    table.add_row(
        f"{caught['events']}",
        f"{caught['plain_events_per_s']:.0f}",
        f"{caught['follower_events_per_s']:.0f}",
        f"{caught['ratio']:.2f}",
    )
    console.print(table)
    target = HERE / "results" / "follower.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
