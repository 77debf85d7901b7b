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
    """Every endpoint in the order in which they were given. They are of another mind where they name
    different blocks `depth` blocks below the lowest head of those that have the deployment's block. Never
    raises for what an endpoint does.
    """
    readers = rpc.by_endpoint()
    heads = await asyncio.gather(*(_head(reader, deployment) for _, reader in readers))
    known = [head.ref.number for head in heads if isinstance(head, Header)]
    number = max(deployment.block_number, min(known) - depth) if known else 0
    followed = rpc.preferred
    asked = [
        reader if isinstance(head, Header) else None for (_, reader), head in zip(readers, heads, strict=True)
    ]
    blocks = await asyncio.gather(*(_block(reader, number) for reader in asked))
    found = []
    for place, (name, _) in enumerate(readers):
        head, block = heads[place], blocks[place]
        standing = _standing(head, max(known, default=0), block, blocks[followed])
        seen = head.ref.number if isinstance(head, Header) else None
        told = EndpointStanding(name, standing, seen, place == followed)
        if standing == "disagrees" and block is not None:
            told = replace(told, number=number, block="0x" + block.hex())
        found.append(told)
    return tuple(found)


def _standing(head: Header | str, highest: int, block: bytes | None, believed: bytes | None) -> str:
    if isinstance(head, str):
        return head
    if block is not None and believed is not None and block != believed:
        return "disagrees"
    return "behind" if highest - head.ref.number > _BEHIND else "well"


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


async def _block(reader: ChainReader | None, number: int) -> bytes | None:
    if reader is None:
        return None
    try:
        async with asyncio.timeout(_TAKES):
            header = await reader.header(number)
    except (JepanetError, TimeoutError):
        return None
    return None if header is None else header.ref.hash
