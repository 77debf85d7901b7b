"""`chain`: which one the node follows, how far it is, and reading a part of it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from jepanet.errors import Rejected
from jepanet.operations.shown_config import endpoint_names
from jepanet.operations.views.node import ChainStatus, Rescan
from jepanet.records.marks import SAFE_INTEGER, Range
from jepanet.rpc.codes import Code, Refused
from jepanet.rpc.handles.recent import RecentStatus
from jepanet.rpc.handles.running import RunningNode, Stretch
from jepanet.rpc.method import Method, NoParams, Scope


@dataclass(frozen=True, slots=True)
class RescanParams:
    first: Annotated[int, Range(0, SAFE_INTEGER), "the first block to read again"]


def methods(node: RunningNode, recent: RecentStatus) -> tuple[Method, ...]:
    """Those of this namespace."""

    async def status(_: NoParams) -> ChainStatus:
        deployment, configured = node.deployment, node.config.chain.confirmations
        under_way = node.rereading.progress
        return ChainStatus(
            chain_id=deployment.chain_id,
            token=deployment.token,
            rounds=deployment.rounds,
            lens=deployment.lens,
            first_block=deployment.block_number,
            confirmations=deployment.confirmations if configured is None else configured,
            endpoints=endpoint_names(node.config.chain.endpoints),
            position=(await recent.get()).chain,
            rescan=None if under_way is None else _shown(under_way),
        )

    async def rescan(given: RescanParams) -> Rescan:
        under_way = node.rereading.progress
        if under_way is not None:
            at = f"block {under_way.at} of {under_way.until}"
            raise Refused(Code.UNDER_WAY, f"blocks from {under_way.first} on are being read again: {at}")
        try:
            return _shown(node.rereading.begin(given.first))
        except Rejected:
            stored = node.rereading.stored
            blocks = "none yet" if stored is None else f"{stored[0]} to {stored[1]}"
            raise Refused(Code.INVALID_PARAMS, f"`first` is not among the stored blocks: {blocks}") from None

    return (
        Method(
            "chain.status",
            "The chain, its contracts, and how far the node has read it",
            NoParams,
            ChainStatus,
            status,
        ),
        Method(
            "chain.rescan",
            "Reads everything from a block on again, each block proven; duties wait until that is done",
            RescanParams,
            Rescan,
            rescan,
            Scope.OPERATE,
        ),
    )


def _shown(stretch: Stretch) -> Rescan:
    return Rescan(stretch.first, stretch.at, stretch.until)
