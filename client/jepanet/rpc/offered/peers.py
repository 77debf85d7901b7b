"""`peers`: who is connected, who is banned; connecting and banning."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Final

from jepanet.errors import Rejected, Transient
from jepanet.operations.projects.attendance import parts_of
from jepanet.operations.views.node import BannedPeer, ConnectedPeer
from jepanet.records.marks import Form
from jepanet.rpc.codes import Code, Refused
from jepanet.rpc.handles.running import RunningNode
from jepanet.rpc.method import Method, Scope
from jepanet.rpc.offered.paging import Page, PageParams, page_of
from jepanet.telemetry import get_logger

log = get_logger("rpc")

_BY_HAND: Final = "banned by the operator"
_DIALS: Final = 25.0
"""Seconds: a little longer than the node tries to reach somebody."""
PeerId = Annotated[str, Form(r"[1-9A-HJ-NP-Za-km-z]{32,128}", "a peer id"), "the peer id"]


@dataclass(frozen=True, slots=True)
class ConnectParams:
    address: Annotated[
        str, Form(r"/[ -~]{1,511}", "an address /ip4/HOST/tcp/PORT/p2p/PEER"), "/ip4/HOST/tcp/PORT/p2p/PEER"
    ]


@dataclass(frozen=True, slots=True)
class BanParams:
    peer: PeerId


def methods(node: RunningNode) -> tuple[Method, ...]:
    """Those of this namespace."""

    async def connected() -> list[ConnectedPeer]:
        found = await node.network.peers()
        spoke = {word.peer: (wallet, word.at) for wallet, word in node.heard.words().items()}
        parts = parts_of(node.state) if spoke else {}
        shown = []
        for item in found:
            wallet, heard = spoke.get(item.peer_id, (None, None))
            shown.append(
                ConnectedPeer(
                    item.peer_id,
                    item.address,
                    item.outbound,
                    item.gossiping,
                    _in_ms(item.latency),
                    wallet,
                    () if wallet is None else parts.get(wallet, ()),
                    heard,
                )
            )
        return shown

    async def listed(given: PageParams) -> Page[ConnectedPeer]:
        found = sorted(await connected(), key=lambda item: _place(item.peer))
        return page_of(found, lambda item: _place(item.peer), given.limit, given.cursor)

    async def banned(given: PageParams) -> Page[BannedPeer]:
        found = sorted(_bans(node), key=lambda item: _place(item.peer))
        return page_of(found, lambda item: _place(item.peer), given.limit, given.cursor)

    async def connect(given: ConnectParams) -> ConnectedPeer:
        try:
            await node.network.connect(given.address)
        except Rejected as error:
            log.info("connect.refused", address=given.address, why=str(error))
            raise Refused(
                Code.INVALID_PARAMS,
                "`address` is none of a peer, or of this node or of one that is banned",
            ) from None
        except Transient as error:
            log.info("connect.failed", address=given.address, why=str(error))
            raise Refused(Code.UNAVAILABLE, "nobody of this id answers at this address") from None
        wanted = given.address.rpartition("/")[2]
        for item in await connected():
            if item.peer == wanted:
                return item
        raise Refused(Code.UNAVAILABLE, "it answered, and closed the connection again")

    async def ban(given: BanParams) -> BannedPeer:
        try:
            await node.network.ban(given.peer, _BY_HAND)
        except Rejected:
            raise Refused(Code.INVALID_PARAMS, "`peer` is no peer id") from None
        for item in _bans(node):
            if item.peer == given.peer:
                return item
        raise Refused(Code.UNAVAILABLE, "the ban is not in force")

    return (
        Method("peers.list", "Peers that are connected", PageParams, Page[ConnectedPeer], listed),
        Method(
            "peers.banned",
            "Peers that are refused, why and for how long",
            PageParams,
            Page[BannedPeer],
            banned,
        ),
        Method(
            "peers.connect",
            "Connects to a peer and remembers its address",
            ConnectParams,
            ConnectedPeer,
            connect,
            Scope.OPERATE,
            _DIALS,
        ),
        Method(
            "peers.ban",
            "Closes a peer's connections and refuses it for an hour, doubled with each ban",
            BanParams,
            BannedPeer,
            ban,
            Scope.OPERATE,
        ),
    )


def _bans(node: RunningNode) -> list[BannedPeer]:
    now = time.monotonic()
    return [
        BannedPeer(peer, item.reason, max(0, math.ceil(item.until - now)), item.times)
        for peer, item in node.network.bans().items()
    ]


def _in_ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)


def _place(peer: str) -> int:
    """Where a peer stands in lists: a number that its id alone decides."""
    return int.from_bytes(sha256(peer.encode()).digest()[:6])
