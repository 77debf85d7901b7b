"""A node at a glance: one look at everything that matters to its operator now."""

from __future__ import annotations

import asyncio
from typing import Final

from jepanet.operations.auditing.happenings import OVER
from jepanet.operations.diagnosis.worries import worries
from jepanet.operations.views.funds import Account
from jepanet.operations.views.overview import OpenRound, Overview
from jepanet.operations.views.rounds import RoundSummary
from jepanet.rpc.calling.client import NodeClient
from jepanet.rpc.calling.declined import Declined
from jepanet.rpc.codes import Code

_NEWEST: Final = 20
_OPEN: Final = 4
_PATIENCE: Final = 1.5
"""Seconds for an endpoint of the node to tell what its wallet holds."""


async def look_over(node: NodeClient) -> Overview:
    """Raises: as the methods."""
    (status, health, listed), (rewards, training, transfers, account) = await asyncio.gather(
        asyncio.gather(node.node_status(), node.node_health(), node.rounds_list(limit=_NEWEST)),
        asyncio.gather(
            node.rewards_list(limit=_NEWEST), node.training_get(), node.blobs_transfers(), _account(node)
        ),
    )
    open_ = [item for item in listed.items if item.phase not in OVER][:_OPEN]
    return Overview(
        status=status,
        health=health,
        account=account,
        rounds=tuple(await asyncio.gather(*(_scheduled(node, item) for item in open_))),
        rewards=rewards.items,
        training=training.running,
        transfers=transfers.items,
        worries=worries(status, health, account, rewards.items, training.running),
    )


async def _scheduled(node: NodeClient, summary: RoundSummary) -> OpenRound:
    return OpenRound(summary, await node.rounds_schedule(summary.round))


async def _account(node: NodeClient) -> Account | None:
    """None where no endpoint answers, or not soon: the rest is worth a look all the same."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await node.wallet_account()
    except TimeoutError:
        return None
    except Declined as declined:
        if declined.known is Code.UNAVAILABLE:
            return None
        raise
