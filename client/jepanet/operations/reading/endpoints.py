"""Several endpoints side by side: which one is followed, which are behind, silent, or of another mind."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.endpoints.answers import Header
from jepanet.chain.endpoints.failover import ChainReader, Rpc
from jepanet.errors import Exit, JepanetError
from jepanet.operations.views.observing import EndpointStanding

_TAKES: Final = 5.0
"""Seconds for one answer."""
_BEHIND: Final = 20
"""Blocks: as many as make an endpoint be asked after the others, whatever their times."""


async def compare_endpoints(rpc: Rpc, deployment: Deployment, depth: int) -> tuple[EndpointStanding, ...]:
    """Every endpoint in the order in which they were given. One is of another mind where it names another
    block than the followed one `depth` blocks below the lower head of the two: each is compared by itself, so
    that one that is stuck, or claims to be far ahead, hides nothing of the others. Never raises for what an
    endpoint does.
    """
    readers = rpc.by_endpoint()
    heads = await asyncio.gather(*(_head(reader, deployment) for _, reader in readers))
    followed = rpc.preferred
    believed, first = heads[followed], deployment.block_number
    highest = max((head.ref.number for head in heads if isinstance(head, Header)), default=0)

    async def told_of(place: int) -> EndpointStanding:
        name, reader = readers[place]
        head = heads[place]
        if isinstance(head, str):
            return EndpointStanding(name, head, None, place == followed)
        told = EndpointStanding(name, "well", head.ref.number, place == followed)
        if place != followed and isinstance(believed, Header):
            number = max(first, min(head.ref.number, believed.ref.number) - depth)
            mine, other = await asyncio.gather(_block(reader, number), _block(readers[followed][1], number))
            if mine is not None and other is not None and mine != other:
                return replace(told, standing="disagrees", number=number, block="0x" + mine.hex())
        return replace(told, standing="behind") if highest - head.ref.number > _BEHIND else told

    return tuple(await asyncio.gather(*map(told_of, range(len(readers)))))


async def _head(reader: ChainReader, deployment: Deployment) -> Header | str:
    """The head that it names, or what is wrong with it."""
    try:
        async with asyncio.timeout(_TAKES):
            head = await reader.head()
            begun = await reader.header(deployment.block_number)
    except JepanetError as error:
        return "other-chain" if error.code is Exit.WRONG_CHAIN else "silent"
    except TimeoutError:
        return "silent"
    return "other-chain" if begun is not None and begun.ref.hash != deployment.block_hash else head


async def _block(reader: ChainReader, number: int) -> bytes | None:
    try:
        async with asyncio.timeout(_TAKES):
            header = await reader.header(number)
    except (JepanetError, TimeoutError):
        return None
    return None if header is None else header.ref.hash
