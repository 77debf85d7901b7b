"""A round as a node tells of it: one look, that takes what cannot change from the look before."""

from __future__ import annotations

from jepanet.operations.auditing.happenings import OVER
from jepanet.operations.views.activity import TrainingNow
from jepanet.operations.views.rounds import Reward, RoundFigures
from jepanet.operations.views.watching import Measurements, SeenRound
from jepanet.rpc.calling.client import NodeClient, every
from jepanet.rpc.calling.declined import Declined
from jepanet.rpc.codes import Code


async def look(node: NodeClient, number: int, before: SeenRound | None = None) -> SeenRound:
    """All that the node tells of a round now. `before`: the last look at it.

    Raises: as the methods: Declined (`NOT_FOUND`): the node does not follow that round.
    """
    figures = await node.rounds_get(number)
    receipts = () if before is None else before.receipts
    if figures.sheet_read and not receipts:
        listed = [item async for item in every(node.receipts_list, round=number)]
        receipts = tuple([await node.receipts_get(number, item.solver) for item in listed])
    return SeenRound(
        figures,
        await node.rounds_schedule(number),
        tuple([item async for item in every(node.rounds_commitments, round=number)]),
        await _measurements(node, number, () if before is None else before.measurements),
        receipts,
        await _reward(node, figures),
    )


async def training_now(node: NodeClient) -> TrainingNow | None:
    """What the node's worker does; None while it does nothing, and of a node that does not tell."""
    try:
        return (await node.training_get()).running
    except Declined as declined:
        if declined.known is not Code.METHOD_NOT_FOUND:
            raise
        return None


async def next_round(node: NodeClient, after: int | None) -> int | None:
    """The first round after number `after`; where that is None the newest one that is not over. None where
    there is no such round yet."""
    found: int | None = None
    async for item in every(node.rounds_list):
        if after is None:
            if item.phase not in OVER:
                return item.round
        elif item.round > after:
            found = item.round
        else:
            break
    return found


async def _measurements(
    node: NodeClient, number: int, known: tuple[Measurements, ...]
) -> tuple[Measurements, ...]:
    """Those that were there, and what has arrived since and can be read here."""
    found = {item.coordinator: item for item in known}
    async for item in every(node.scores_list, round=number):
        if item.coordinator in found or not item.stored:
            continue
        try:
            rows = [row async for row in every(node.scores_get, round=number, coordinator=item.coordinator)]
        except Declined as declined:
            if declined.known is not Code.UNAVAILABLE:  # collected meanwhile, or none of this round
                raise
            continue
        found[item.coordinator] = Measurements(item.coordinator, tuple(rows))
    return tuple(found.values())


async def _reward(node: NodeClient, figures: RoundFigures) -> Reward | None:
    """What the round grants the node's own wallet."""
    if figures.summary.improvement is None:
        return None
    number = figures.summary.round
    async for item in every(node.rewards_list):
        if item.round <= number:
            return item if item.round == number else None
    return None
