"""What an operator does to the peers of a node, with real hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from p2p_fixtures import Group, until
from p2p_fixtures import group as group

from jepanet.rpc.codes import Code
from rpc_node import Asking, a_node

pytestmark = pytest.mark.integration


async def test_a_peer_is_connected_banned_and_then_refused(group: Group, tmp_path: Path) -> None:
    ours, theirs = await group.start(), await group.start()
    node: Any = a_node(tmp_path)
    node.network = ours.node
    asking = Asking(node)
    assert (await asking.get("peers.list"))["items"] == []
    made = await asking.get("peers.connect", address=theirs.address)
    assert (made["peer"], made["outbound"]) == (theirs.id, True)
    assert [item["peer"] for item in (await asking.get("peers.list"))["items"]] == [theirs.id]
    banned = await asking.get("peers.ban", peer=theirs.id)
    assert banned["reason"] == "banned by the operator" and 3590 < banned["seconds"] <= 3600
    await until(lambda: _gone(asking))
    assert [item["peer"] for item in (await asking.get("peers.banned"))["items"]] == [theirs.id]
    code, detail = await asking.error("peers.connect", address=theirs.address)
    assert code == Code.INVALID_PARAMS and theirs.id not in detail
    assert (await asking.error("peers.connect", address=ours.address))[0] == Code.INVALID_PARAMS
    assert (await asking.error("peers.ban", peer="1" * 52))[0] == Code.INVALID_PARAMS
    await theirs.stop()
    group.members.remove(theirs)
    third = await group.start()
    address = third.address
    await third.stop()
    group.members.remove(third)
    assert (await asking.error("peers.connect", address=address))[0] == Code.UNAVAILABLE
    node.journal.close()
    node.blobs.close()


async def _gone(asking: Asking) -> bool:
    return not (await asking.get("peers.list"))["items"]
