"""A node as a process: settings as JSON in the one argument, commands as JSON lines, events likewise."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import psutil

from jepanet.errors import JepanetError
from jepanet.p2p.host import Admission, Gossip, P2PConfig, P2PNode
from jepanet.telemetry import Secret, configure_logging


class Directory:
    """Every file of a directory is public under the digest that is its name."""

    def __init__(self, path: str | None) -> None:
        self.path = Path(path) if path else None

    def open_public(self, digest: bytes) -> Path | None:
        path = self.path / digest.hex() if self.path else None
        return path if path is not None and path.is_file() else None


def say(**event: Any) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


async def main(settings: dict[str, Any]) -> None:
    blobs = Directory(settings.pop("blobs", None))
    settings["node_key"] = Secret(bytes.fromhex(settings["node_key"]))
    settings["directory"] = Path(settings["directory"])
    settings["bootstrap"] = tuple(settings.get("bootstrap", ()))

    async def validate(gossip: Gossip) -> Admission:
        return Admission.REJECT if gossip.payload.startswith(b"bad") else Admission.ACCEPT

    node = P2PNode(P2PConfig(**settings), blobs, validate)
    await node.start()
    say(id=node.peer_id, address=node.addresses[0])

    async def listen() -> None:
        async for gossip in node.messages():
            say(heard=gossip.payload.decode("latin-1"))

    async def obey(command: dict[str, Any]) -> None:
        try:
            say(answer=await perform(command))
        except JepanetError as error:
            say(error=type(error).__name__, message=str(error))

    async def perform(command: dict[str, Any]) -> Any:
        match command.pop("do"):
            case "connect":
                await node.connect(command["address"])
            case "publish":
                await node.publish(command["payload"].encode())
            case "peers":
                return [peer.peer_id for peer in await node.peers() if peer.gossiping]
            case "memory":
                return psutil.Process().memory_info().rss
            case "fetch":
                path = await node.fetch(
                    bytes.fromhex(command["digest"]),
                    max_bytes=command["max_bytes"],
                    directory=Path(command["directory"]),
                    providers=command.get("providers", ()),
                    on_progress=lambda done, total: say(progress=done),
                )
                return str(path)
        return None

    listener = asyncio.create_task(listen())
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    tasks = set()
    while line := await reader.readline():
        task = asyncio.create_task(obey(json.loads(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await node.stop()
    await listener


if __name__ == "__main__":
    configure_logging(level="error")
    asyncio.run(main(json.loads(sys.argv[1])))
