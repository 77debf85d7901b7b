"""One peer of hivemind that averages with others, for `round_bytes.py`; JSON lines. Run by an interpreter
that has hivemind; nothing of ours is imported.

Received bytes are those of the messages that carry parts of tensors, as protobuf, counted where hivemind
reads them: parts of others for the piece that this peer averages, and averaged pieces from the others.

With `alone` all peers are in this one process and no network: hivemind's `AllReduceRunner`s hand each other
the same messages, made and read by the same code, as protobuf. That is for machines on which hivemind's
network daemon (a program in Go, for the system its package was built on) does not run: the bytes are the
same, times lack the wire.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from hivemind import DHT, PeerID
from hivemind.averaging import DecentralizedAverager
from hivemind.averaging.allreduce import AllReduceRunner
from hivemind.compression import NoCompression, Uniform8BitQuantization, quantization
from hivemind.proto import averaging_pb2

RECEIVED = multiprocessing.Value("q", 0)
PIECE = 1 << 16


class OlderNumpy:
    """numpy as hivemind knew it: `int()` of a vector with one element is an error by now."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def frombuffer(*args: Any, **options: Any) -> Any:
        array = np.frombuffer(*args, **options)
        return array[0] if options.get("count") == 1 else array


async def counted(stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for message in stream:
        with RECEIVED.get_lock():
            RECEIVED.value += message.ByteSize()
        yield message


class CountedStub:
    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def rpc_aggregate_part(self, parts: AsyncIterator[Any], **options: Any) -> AsyncIterator[Any]:
        return counted(await self._stub.rpc_aggregate_part(parts, **options))


def count_what_arrives() -> None:
    """Before the averager forks its process, which inherits this."""
    accumulate, stub = AllReduceRunner._accumulate_parts_streaming, AllReduceRunner._get_peer_stub
    AllReduceRunner._accumulate_parts_streaming = lambda self, stream, index: accumulate(
        self, counted(stream), index
    )
    AllReduceRunner._get_peer_stub = lambda self, peer: CountedStub(stub(self, peer))


def say(**event: Any) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def tensors_of(settings: dict[str, Any], number: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(number)
    whole, rest = divmod(settings["values"], PIECE)
    return [torch.randn(size, generator=generator) for size in [PIECE] * whole + [rest] * bool(rest)]


def compression_of(settings: dict[str, Any]) -> Any:
    return Uniform8BitQuantization() if settings["bits"] == 8 else NoCompression()


# ------------------------------------------------------------------ with a network


def network(settings: dict[str, Any]) -> None:
    dht = DHT(
        initial_peers=settings["known"], host_maddrs=["/ip4/127.0.0.1/tcp/0"], start=True, use_ipfs=False
    )
    say(addresses=[str(address) for address in dht.get_visible_maddrs()])
    averager = DecentralizedAverager(
        tensors_of(settings, settings["number"]),
        dht,
        start=True,
        prefix="round",
        target_group_size=settings["peers"],
        min_group_size=settings["peers"],
        min_matchmaking_time=2.0,
        compression=compression_of(settings),
    )
    for line in sys.stdin:
        if json.loads(line) != "round":
            break
        before, began = RECEIVED.value, time.perf_counter()
        group = averager.step(timeout=90, gather={"peer": settings["number"]})
        say(received=RECEIVED.value - before, seconds=time.perf_counter() - began, group=len(group or ()))
    averager.shutdown()
    dht.shutdown()


# ------------------------------------------------------------------ without


class Direct(AllReduceRunner):
    """Reaches the others of its group by calling them; a message is encoded and decoded all the same."""

    group: dict[PeerID, Direct]

    def _get_peer_stub(self, peer: PeerID) -> Any:
        return Door(self, self.group[peer])


class Door:
    """As hivemind's stub of a peer."""

    def __init__(self, caller: Direct, called: Direct) -> None:
        self._caller, self._called = caller, called

    async def rpc_aggregate_part(self, parts: AsyncIterator[Any]) -> AsyncIterator[Any]:
        context = Context(self._caller.peer_id)
        return passed(self._called.rpc_aggregate_part(passed(parts), context))


class Context:
    """As hivemind's P2P and its contexts: who one is, and who asks."""

    def __init__(self, peer: PeerID) -> None:
        self.peer_id = self.remote_id = peer


async def passed(stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for message in stream:
        data = message.SerializeToString()
        RECEIVED.value += len(data)
        yield averaging_pb2.AveragingData.FromString(data)


async def averaged_alone(settings: dict[str, Any], tensors: list[list[torch.Tensor]]) -> None:
    # hivemind decodes in the loop's threads and waits there for others: all peers need theirs at once.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(8 * settings["peers"] ** 2))
    peers = tuple(PeerID(bytes([number]) * 32) for number in range(settings["peers"]))
    group: dict[PeerID, Direct] = {}
    for number, peer in enumerate(peers):
        runner = Direct(
            p2p=Context(peer),
            servicer_type=AllReduceRunner,
            prefix=None,
            group_id=b"group",
            tensors=tensors[number],
            ordered_peer_ids=peers,
            peer_fractions=(1 / len(peers),) * len(peers),
            compression=compression_of(settings),
        )
        runner.group = group
        group[peer] = runner

    async def run(runner: Direct) -> None:
        async for _ in runner.run():
            pass

    await asyncio.gather(*map(run, group.values()))


def alone(settings: dict[str, Any]) -> None:
    tensors = [tensors_of(settings, number) for number in range(settings["peers"])]
    for line in sys.stdin:
        if json.loads(line) != "round":
            break
        before, began = RECEIVED.value, time.perf_counter()
        asyncio.run(averaged_alone(settings, tensors))
        say(received=RECEIVED.value - before, seconds=time.perf_counter() - began, group=settings["peers"])


def main(settings: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    quantization.np = OlderNumpy()
    if settings["alone"]:
        alone(settings)
    else:
        count_what_arrives()
        network(settings)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
