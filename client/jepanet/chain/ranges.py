"""Blocks with their logs, read so that two forks cannot mix.

`eth_getLogs` by number answers from whatever fork is canonical at that moment and says nothing about
blocks without logs. Both readers here therefore read the newest block's hash before and after, and compare
every log's block hash with a header: a hash fixes all its ancestors, so the same newest block before and
after means one fork in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import pairwise

from jepanet.chain.rpc import ChainReader
from jepanet.chain.wire import Header, Malformed, PlacedLog, RawLog
from jepanet.errors import Transient
from jepanet.types import Address, BlockRef

Blocks = list[tuple[Header, tuple[RawLog, ...]]]


class Moved(Transient):
    """The chain changed (or the node contradicted itself) between two requests; look again."""


async def near_blocks(
    reader: ChainReader, addresses: Sequence[Address], position: BlockRef, last: int, head: Header
) -> Blocks:
    """Every block from position+1 to `last`, each linked to its parent, the first to `position`.

    `head` is a header just read; it saves a request when it is the only block.

    Raises:
        Moved: the blocks do not link, a log is of another fork, or the newest block changed meanwhile.
    """
    first = position.number + 1
    headers = [head] if first == last == head.ref.number else await _headers(reader, range(first, last + 1))
    parent = position.hash
    for header in headers:
        if header.parent != parent:
            raise Moved(f"block {header.ref.number} does not continue the block before it")
        parent = header.ref.hash
    logs = await reader.logs(addresses, first, last)
    await _expect(reader, headers[-1].ref)
    return _join(headers, logs, addresses)


async def range_blocks(
    reader: ChainReader, addresses: Sequence[Address], position: BlockRef, last: int
) -> Blocks:
    """Of the blocks from position+1 to `last`: those with logs, and `last`. For use below `finalized`.

    Raises:
        Moved: as `near_blocks`; links are checked at both ends only.
    """
    first = position.number + 1
    ends = await _headers(reader, sorted({first, last}))
    if ends[0].parent != position.hash:
        raise Moved(f"block {first} does not continue block {position.number}")
    logs = await reader.logs(addresses, first, last)
    known = {header.ref.number: header for header in ends}
    numbers = sorted({placed.number for placed in logs} - known.keys())
    if numbers and not first <= numbers[0] <= numbers[-1] <= last:
        raise Malformed("eth_getLogs answered logs outside the range asked for")
    for header in await _headers(reader, numbers):
        known[header.ref.number] = header
    await _expect(reader, ends[-1].ref)
    wanted = sorted({placed.number for placed in logs} | {last})
    return _join([known[number] for number in wanted], logs, addresses)


async def _headers(reader: ChainReader, numbers: Iterable[int]) -> list[Header]:
    wanted = list(numbers)
    found = await asyncio.gather(*(reader.header(number) for number in wanted))
    headers = []
    for number, header in zip(wanted, found, strict=True):
        if header is None:
            raise Moved(f"the node no longer has block {number}")
        if header.ref.number != number:
            raise Malformed(f"asked for block {number}, the node answered block {header.ref.number}")
        headers.append(header)
    return headers


async def _expect(reader: ChainReader, ref: BlockRef) -> None:
    header = await reader.header(ref.number)
    if header is None or header.ref.hash != ref.hash:
        raise Moved(f"block {ref.number} was replaced while its logs were read")


def _join(headers: list[Header], logs: Iterable[PlacedLog], addresses: Sequence[Address]) -> Blocks:
    watched = frozenset(addresses)
    by_number: dict[int, list[RawLog]] = {header.ref.number: [] for header in headers}
    hashes = {header.ref.number: header.ref.hash for header in headers}
    for placed in logs:
        if placed.log.address not in watched or placed.number not in hashes:
            raise Malformed("eth_getLogs answered logs that were not asked for")
        if placed.block_hash != hashes[placed.number]:
            raise Moved(f"a log of block {placed.number} is of another fork")
        by_number[placed.number].append(placed.log)
    result: Blocks = []
    for header in headers:
        ordered = sorted(by_number[header.ref.number], key=lambda item: item.index)
        if any(one.index == two.index for one, two in pairwise(ordered)):
            raise Malformed(f"eth_getLogs answered a log of block {header.ref.number} twice")
        result.append((header, tuple(ordered)))
    return result
