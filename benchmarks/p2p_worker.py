"""A node, a bare TCP server and a client as one process, for `blobs.py` and `gossip.py`; JSON lines."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from jepanet.p2p.host import Admission, Gossip, P2PConfig, P2PNode
from jepanet.telemetry import Secret, configure_logging

_PIECE = 1 << 20


class Shelf:
    """Every file of a directory is public under the digest that is its name."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def open_public(self, digest: bytes) -> Path | None:
        path = self._path / digest.hex()
        return path if path.is_file() else None


def say(**event: Any) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


async def serve_bare(path: str) -> str:
    """The yardstick: a file over plain TCP, neither encrypted nor hashed."""

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = (await reader.readline()).decode().strip()
        with (Path(path) / name).open("rb") as file:
            while piece := file.read(_PIECE):
                writer.write(piece)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(send, "127.0.0.1", 0, limit=_PIECE)
    return str(server.sockets[0].getsockname()[1])


async def fetch_bare(port: int, name: str, target: Path) -> float:
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_PIECE)
    writer.write(name.encode() + b"\n")
    with target.open("wb") as file:
        while piece := await reader.read(_PIECE):
            file.write(piece)
    writer.close()
    return time.perf_counter() - started


async def main(settings: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    shelf = settings.pop("shelf")
    settings["node_key"] = Secret(bytes.fromhex(settings["node_key"]))
    settings["directory"] = Path(settings["directory"])

    async def accept(gossip: Gossip) -> Admission:
        return Admission.ACCEPT

    node = P2PNode(P2PConfig(bootstrap=(), **settings), Shelf(shelf), accept)
    await node.start()
    heard: list[tuple[str, float]] = []

    async def listen() -> None:
        async for gossip in node.messages():
            at = time.time()
            heard.append((gossip.payload[:32].decode(), at))

    listener = asyncio.create_task(listen())
    say(id=node.peer_id, address=node.addresses[0], bare=await serve_bare(shelf))

    async def perform(command: dict[str, Any]) -> Any:
        match command.pop("do"):
            case "connect":
                await node.connect(command["address"])
            case "publish":
                sent = []
                for number in range(command["count"]):
                    name = f"{command['name']} {number}"
                    sent.append((name, time.time()))
                    await node.publish(name.encode().ljust(32) + bytes(command["size"] - 32))
                    await asyncio.sleep(command["pause"])
                return sent
            case "heard":
                return [(name.strip(), when) for name, when in heard]
            case "peers":
                return sum(peer.gossiping for peer in await node.peers())
            case "fetch":
                started = time.perf_counter()
                await node.fetch(
                    bytes.fromhex(command["digest"]),
                    max_bytes=1 << 40,
                    directory=Path(command["directory"]),
                    providers=command["providers"],
                )
                return time.perf_counter() - started
            case "bare":
                return await fetch_bare(command["port"], command["name"], Path(command["target"]))
        return None

    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        say(answer=await perform(json.loads(line)))
    await node.stop()
    await listener


if __name__ == "__main__":
    configure_logging(level="warning")
    asyncio.run(main(json.loads(sys.argv[1])))
