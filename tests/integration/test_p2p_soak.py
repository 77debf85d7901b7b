"""Minutes of gossip, transfers, restarts and vandals: everybody stays, nothing grows."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import secrets
import time
from pathlib import Path

import psutil
import pytest
from libp2p.utils import encode_varint_prefixed
from p2p_fixtures import BLOB, MESHSUB, Group, Member, Stranger, delivers, gossiping
from p2p_fixtures import group as group

from jepanet.errors import JepanetError

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1800)]

SECONDS = 120.0


async def test_a_network_under_stress_loses_nothing(group: Group, tmp_path: Path) -> None:
    chance = random.Random(7)
    members = await group.mesh(5, redial_seconds=0.3)
    content = secrets.token_bytes(5 << 20)
    digests = [member.files.add(tmp_path / f"blob{index}", content) for index, member in enumerate(members)]
    ends = time.monotonic() + SECONDS
    fetched = 0

    async def chatter() -> None:
        while time.monotonic() < ends:
            with contextlib.suppress(JepanetError):
                await chance.choice(members).node.publish(secrets.token_bytes(500))
            await asyncio.sleep(0.1)

    async def download() -> None:
        nonlocal fetched
        while time.monotonic() < ends:
            directory = tmp_path / secrets.token_hex(4)
            with contextlib.suppress(JepanetError):
                path = await chance.choice(members).node.fetch(
                    digests[0], max_bytes=1 << 30, directory=directory
                )
                assert path.read_bytes() == content
                fetched += 1
                path.unlink()
            await asyncio.sleep(0.5)

    async def restart() -> None:
        while time.monotonic() < ends:
            await asyncio.sleep(8)
            index = chance.randrange(len(members))
            old = members[index]
            await old.stop()
            group.members.remove(old)
            new: Member = group.make(
                key=old.config.node_key.reveal(),
                directory=old.config.directory,
                listen=old.address.split("/p2p/")[0],
                redial_seconds=0.3,
            )
            new.files.public = old.files.public
            members[index] = await new.start()

    async def vandalise() -> None:
        while time.monotonic() < ends:
            victim = chance.choice(members)
            with contextlib.suppress(Exception):
                async with Stranger() as stranger:
                    await stranger.connect(victim.address)
                    protocol = chance.choice((MESHSUB, BLOB, "/ipfs/ping/1.0.0"))
                    await stranger.send(victim, protocol, encode_varint_prefixed(os.urandom(100)))
            await asyncio.sleep(1)

    async def watch() -> list[tuple[int, int]]:
        process, seen = psutil.Process(), []
        while time.monotonic() < ends:
            await asyncio.sleep(SECONDS / 8)
            gc.collect()
            seen.append((process.memory_info().rss, process.num_fds()))
        return seen

    *_, seen = await asyncio.gather(chatter(), download(), restart(), vandalise(), watch())
    print(f"{fetched} downloads; RSS and descriptors: {[(rss >> 20, fds) for rss, fds in seen]}")
    assert fetched > SECONDS / 20
    assert all(member.alive() for member in members)
    for member in members:
        await gossiping(member, 4)
        assert not set(member.node.bans()) & {other.id for other in members}
    await delivers(members[0], members[4])
    # The first quarter fills caches; after it, neither memory nor descriptors may follow time.
    settled = seen[len(seen) // 4 :]
    assert settled[-1][0] - settled[0][0] < 120 << 20
    assert settled[-1][1] - settled[0][1] < 60
