"""Nodes, node processes and attackers for the tests of the p2p room."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair as create_ed25519
from libp2p.crypto.keys import KeyPair
from libp2p.crypto.secp256k1 import create_new_key_pair as create_secp256k1
from libp2p.crypto.x25519 import create_new_key_pair as create_x25519
from libp2p.custom_types import TProtocol
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import PUBSUB_SIGNING_PREFIX
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux
from libp2p.utils import encode_varint_prefixed
from multiaddr import Multiaddr

from jepanet.p2p.bridge import TrioThread
from jepanet.p2p.host import Admission, Gossip, P2PConfig, P2PNode
from jepanet.telemetry import Secret

TOPIC = "jepanet/test"
MESHSUB = "/meshsub/1.1.0"
BLOB = "/jepanet/blob/1"
LOCAL = "/ip4/127.0.0.1/tcp/0"


class Files:
    """A blob source: what is in `public` is public."""

    def __init__(self) -> None:
        self.public: dict[bytes, Path] = {}
        self.asked: list[bytes] = []

    def open_public(self, digest: bytes) -> Path | None:
        self.asked.append(digest)
        return self.public.get(digest)

    def add(self, path: Path, content: bytes) -> bytes:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        digest = hashlib.sha256(content).digest()
        self.public[digest] = path
        return digest


@dataclass
class Member:
    """A node with its inbox read into a list."""

    node: P2PNode
    files: Files
    config: P2PConfig
    heard: list[Gossip] = field(default_factory=list)
    validated: list[Gossip] = field(default_factory=list)
    reader: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        return self.node.addresses[0]

    @property
    def id(self) -> str:
        return self.node.peer_id

    async def start(self) -> Member:
        await self.node.start()

        async def read() -> None:
            async for gossip in self.node.messages():
                self.heard.append(gossip)

        self.reader = asyncio.create_task(read())
        return self

    async def stop(self) -> None:
        await self.node.stop()
        if self.reader is not None:
            await self.reader

    async def peer_ids(self) -> set[str]:
        return {peer.peer_id for peer in await self.node.peers()}

    def alive(self) -> bool:
        return not self.node.failure.done()


class Group:
    """Makes members and stops them all at the end."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.members: list[Member] = []

    def make(
        self,
        *,
        key: bytes | None = None,
        directory: Path | None = None,
        validate: Callable[[Gossip], Awaitable[Admission]] | None = None,
        **settings: Any,
    ) -> Member:
        files = Files()
        defaults: dict[str, Any] = {"listen": LOCAL, "bootstrap": (), "topic": TOPIC, "stall_timeout": 2.0}
        config = P2PConfig(
            node_key=Secret(key or secrets.token_bytes(32)),
            directory=directory or self.root / f"node{len(self.members)}",
            **(defaults | settings),
        )
        member: Member

        async def by_prefix(gossip: Gossip) -> Admission:
            member.validated.append(gossip)
            if gossip.payload.startswith(b"bad"):
                return Admission.REJECT
            return Admission.IGNORE if gossip.payload.startswith(b"dull") else Admission.ACCEPT

        member = Member(P2PNode(config, files, validate or by_prefix), files, config)
        self.members.append(member)
        return member

    async def start(self, **settings: Any) -> Member:
        return await self.make(**settings).start()

    async def mesh(self, count: int, **settings: Any) -> list[Member]:
        """`count` members, each connected to each."""
        members = [await self.start(**settings) for _ in range(count)]
        for index, member in enumerate(members):
            for other in members[:index]:
                await member.node.connect(other.address)
        for member in members:
            await gossiping(member, count - 1)
        return members

    async def stop(self) -> None:
        for member in self.members:
            with contextlib.suppress(AttributeError):  # never started
                await member.stop()


@pytest.fixture
async def group(tmp_path: Path) -> AsyncIterator[Group]:
    made = Group(tmp_path)
    yield made
    await made.stop()


async def until(condition: Callable[[], Any], seconds: float = 20.0, what: str = "") -> Any:
    """Waits until `condition()` (maybe async) is true, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        await asyncio.sleep(0.05)


async def gossiping(member: Member, count: int) -> None:
    """Waits until `count` peers are subscribed and have had a heartbeat to enter the mesh."""

    async def enough() -> bool:
        return sum(peer.gossiping for peer in await member.node.peers()) >= count

    await until(enough, what=f"{count} gossiping peers")
    await asyncio.sleep(0.3)


async def delivers(sender: Member, receiver: Member, payload: bytes | None = None) -> None:
    """Publishes until it is heard: the two can gossip with each other."""
    payload = payload or b"probe " + secrets.token_hex(8).encode()

    async def heard() -> bool:
        await sender.node.publish(payload)
        await asyncio.sleep(0.3)
        return any(gossip.payload == payload for gossip in receiver.heard)

    await until(heard, what="delivery")


def random_bytes(size: int) -> bytes:
    return os.urandom(size)


# --- attackers -------------------------------------------------------------------------------------------


def noise_only(keys: KeyPair) -> dict[TProtocol, Any]:
    return {NOISE: NoiseTransport(keys, noise_privkey=create_x25519().private_key)}


class Stranger:
    """A stock libp2p host that does what the test says, in a trio thread of its own."""

    def __init__(self, *, ed25519: bool = False, security: Any = None, muxer: Any = Yamux) -> None:
        self.keys = create_ed25519() if ed25519 else create_secp256k1(secrets.token_bytes(32))
        self.thread = TrioThread("stranger")
        self.handlers: dict[str, Callable[[Any], Awaitable[None]]] = {}
        self.security = security(self.keys) if security else noise_only(self.keys)
        self.muxer = muxer
        self.host: Any = None
        self.id = ""
        self.address = ""

    async def __aenter__(self) -> Stranger:
        async def program(ready: Callable[[], None]) -> None:
            self.host = new_host(
                key_pair=self.keys,
                sec_opt=self.security,
                muxer_opt={TProtocol(YAMUX): self.muxer},
                listen_addrs=[Multiaddr(LOCAL)],
            )
            for protocol, handler in self.handlers.items():
                self.host.set_stream_handler(TProtocol(protocol), handler)
            async with self.host.run([Multiaddr(LOCAL)]):
                self.id = str(self.host.get_id())
                self.address = str(self.host.get_addrs()[0])
                ready()
                await trio.sleep_forever()

        await self.thread.start(program, 20)
        return self

    async def __aexit__(self, *_: object) -> None:
        async def leave() -> None:
            with trio.move_on_after(3):
                for peer in self.host.get_connected_peers():
                    await self.host.disconnect(peer)

        with contextlib.suppress(Exception):
            await self.do(leave)
        await self.thread.stop(10)

    async def do(self, function: Callable[[], Awaitable[Any]]) -> Any:
        return await self.thread.call(function)

    async def connect(self, address: str) -> None:
        info = info_from_p2p_addr(Multiaddr(address))

        async def dial() -> None:
            with trio.fail_after(10):
                await self.host.connect(info)

        await self.do(dial)

    async def send(self, member: Member, protocol: str, data: bytes, *, hold: float = 0.3) -> None:
        """Opens a stream, writes `data` and holds the stream a little."""
        peer = info_from_p2p_addr(Multiaddr(member.address)).peer_id

        async def run() -> None:
            stream = await self.host.new_stream(peer, [TProtocol(protocol)])
            await stream.write(data)
            await trio.sleep(hold)

        await self.do(run)

    async def connected_to(self, member: Member) -> bool:
        peer = info_from_p2p_addr(Multiaddr(member.address)).peer_id

        async def look() -> bool:
            return any(not item.is_closed for item in self.host.get_network().get_connections(peer))

        return bool(await self.do(look))

    def message(self, payload: bytes, *, number: int = 1, topic: str = TOPIC, sign: bool = True) -> Any:
        """A gossip message of this stranger's."""
        message = rpc_pb2.Message(
            data=payload,
            topicIDs=[topic],
            from_id=self.host.get_id().to_bytes(),
            seqno=number.to_bytes(8, "big"),
        )
        if sign:
            signed = PUBSUB_SIGNING_PREFIX.encode() + message.SerializeToString()
            message.signature = self.keys.private_key.sign(signed)
            message.key = self.keys.public_key.serialize()
        return message


def packet(*messages: Any) -> bytes:
    """The bytes of one gossip packet."""
    return bytes(encode_varint_prefixed(rpc_pb2.RPC(publish=list(messages)).SerializeToString()))


# --- node processes --------------------------------------------------------------------------------------


class Process:
    """A node in a process of its own (`p2p_process.py`), spoken to in JSON lines."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.heard: list[str] = []
        self.answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.progress: list[int] = []
        self.id = ""
        self.address = ""

    async def start(self) -> Process:
        script = Path(__file__).with_name("p2p_process.py")
        self.child = await asyncio.create_subprocess_exec(
            *(sys.executable, str(script), json.dumps(self.settings)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 24,
        )
        self.reader = asyncio.create_task(self._read())
        started = await asyncio.wait_for(self.answers.get(), 60)
        self.id, self.address = started["id"], started["address"]
        return self

    async def _read(self) -> None:
        assert self.child.stdout is not None
        while line := await self.child.stdout.readline():
            event = json.loads(line)
            if "heard" in event:
                self.heard.append(event["heard"])
            elif "progress" in event:
                self.progress.append(event["progress"])
            else:
                self.answers.put_nowait(event)

    def tell(self, **command: Any) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write(json.dumps(command).encode() + b"\n")

    async def ask(self, within: float = 60.0, **command: Any) -> dict[str, Any]:
        self.tell(**command)
        return await asyncio.wait_for(self.answers.get(), within)

    async def kill(self) -> None:
        """kill -9."""
        with contextlib.suppress(ProcessLookupError):
            self.child.send_signal(signal.SIGKILL)
        await self.child.wait()
        await self.reader

    async def stop(self) -> int:
        assert self.child.stdin is not None
        self.child.stdin.close()
        try:
            code = await asyncio.wait_for(self.child.wait(), 20)
        except TimeoutError:
            await self.kill()
            raise
        await self.reader
        return code


@pytest.fixture
async def processes() -> AsyncIterator[Callable[..., Awaitable[Process]]]:
    made: list[Process] = []

    async def start(**settings: Any) -> Process:
        process = Process(settings)
        made.append(process)
        return await process.start()

    yield start
    for process in made:
        await process.kill()
