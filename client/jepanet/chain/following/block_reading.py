"""Blocks with their decoded logs, read so that forks cannot mix and no log is lost to a lagging endpoint.

That a query named no log proves nothing: one address may lead to several machines, and the one that answers
may lag behind the head that another one named. Two readers:

- `proven_blocks` reads every header. What its bloom does not deny is read from the receipts of all its
  transactions, and these are held against the root that the header names. Headers are held against their
  hash when they are read, so that nothing about a block is believed but its hash and its place.
- `range_blocks` asks `eth_getLogs`, for long distances below `finalized`. A log that any endpoint names and
  that fits a header is evidence; that none names more is not, so the contracts' counters are compared after
  such a stretch (`counters`).

A hash fixes all its ancestors: the same newest block before and after means one fork in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TypeVar

from jepanet.chain.endpoints.answers import Header, Malformed, PlacedLog, RawLog
from jepanet.chain.endpoints.requests import ChainReader, Moved
from jepanet.chain.following.bloom import Blooms
from jepanet.chain.following.query_span import Span
from jepanet.chain.following.receipts_root import receipts_root
from jepanet.errors import Fatal, Transient
from jepanet.telemetry import get_logger
from jepanet.types import Address, BlockRef

log = get_logger("chain")

Read = TypeVar("Read")
Decode = Callable[[RawLog, BlockRef], Read | None]
"""Decodes a log; None drops it. Raises: Fatal when the log has a known signature but other contents."""
Blocks = list[tuple[Header, tuple[Read, ...]]]
"""Headers, ascending, each with the decoded logs of the watched contracts, in order."""


async def proven_blocks(
    reader: ChainReader,
    addresses: Sequence[Address],
    position: BlockRef,
    last: int,
    head: Header,
    blooms: Blooms,
    decode: Decode[Read],
) -> Blocks[Read]:
    """Every block from position+1 to `last`, each linked to its parent, the first to `position`.

    `head` is a header just read. Where it is the only block, and its bloom denies every log, nothing more is
    asked for: the one header is of one fork, and names its parent and its bloom itself.

    Raises:
        Moved: the blocks do not link, receipts are missing or of another fork, a log is garbled, or the
            newest block changed meanwhile.
    """
    first = position.number + 1
    headers = [head] if first == last == head.ref.number else await _headers(reader, range(first, last + 1))
    parent = position.hash
    for header in headers:
        if header.parent != parent:
            raise Moved(f"block {header.ref.number} does not continue the block before it")
        parent = header.ref.hash
    watched = frozenset(addresses)
    found: Blocks[Read] = []
    asked = headers != [head]
    for header in headers:
        facts: tuple[Read, ...] = ()
        if blooms.may_hold(header):
            asked, logs = True, await block_logs(reader, header, watched, blooms)
            facts = decoded(header.ref, logs, decode)
            blooms.count(header, found=bool(logs))
        found.append((header, facts))
    if asked:
        await _expect(reader, headers[-1].ref)
    return found


async def block_logs(
    reader: ChainReader, header: Header, watched: frozenset[Address], blooms: Blooms
) -> tuple[RawLog, ...]:
    """The logs of `watched` in a block, from the receipts of all its transactions.

    Raises:
        Moved: the receipts are incomplete, of another fork, or do not give the header's bloom or root.
    """
    receipts = await reader.block_receipts(header)
    logs = sorted((item for receipt in receipts for item in receipt.logs), key=lambda item: item.index)
    if any(one.index == two.index for one, two in pairwise(logs)):
        raise Malformed(f"the receipts of block {header.ref.number} hold one log twice")
    if header.receipts_root is None:
        if not blooms.accepts(header, logs):
            raise Moved(f"the receipts of block {header.ref.number} do not give its logs bloom")
    # Milliseconds for a full block: not on the loop that answers peers.
    elif await asyncio.to_thread(receipts_root, receipts) != header.receipts_root:
        raise Moved(f"the receipts of block {header.ref.number} do not give the root that its header names")
    return tuple(item for item in logs if item.address in watched)


def decoded(block: BlockRef, logs: Iterable[RawLog], decode: Decode[Read]) -> tuple[Read, ...]:
    """The logs of a block, decoded, in order.

    Raises:
        Moved: `decode` cannot read one. An endpoint may have garbled it (a bloom covers addresses and topics,
            not data), so it is asked for again instead of ending the node.
    """
    try:
        read = [decode(item, block) for item in logs]
    except Fatal as error:
        log.error("event.garbled", block=block.number, why=error.message, remedy=error.remedy)
        raise Moved(error.message) from error
    return tuple(item for item in read if item is not None)


async def range_blocks(
    readers: Sequence[ChainReader],
    addresses: Sequence[Address],
    position: BlockRef,
    last: int,
    span: Span,
    blooms: Blooms,
    decode: Decode[Read],
) -> Blocks[Read]:
    """Of the blocks from position+1 to `last`: those with logs, and `last`. For use below `finalized`.

    Logs that `decode` drops count too. The first reader answers; the others' logs are added where they name
    more. Where they name another log at the same place, the block's receipts decide.

    Raises:
        Moved: as `proven_blocks` (links are checked at both ends only), or the first reader cannot answer a
            range this wide; `span` has shrunk then.
    """
    reader, first = readers[0], position.number + 1
    ends = await _headers(reader, sorted({first, last}))
    if ends[0].parent != position.hash:
        raise Moved(f"block {first} does not continue block {position.number}")
    blocks = last - first + 1
    try:
        logs = await reader.logs(addresses, first, last)
    except Transient as error:
        if not span.failed(blocks):
            raise
        raise Moved(f"the node did not answer {blocks} blocks at once: {error}") from error
    span.answered(blocks, len(logs))
    extra: list[PlacedLog] = []
    disputed: set[tuple[int, bytes]] = set()
    for other in readers[1:]:
        more, contradicted = await _more(other, addresses, first, last, [*logs, *extra])
        extra += more
        disputed |= contradicted
    known = {header.ref.number: header for header in ends}
    numbers = sorted({placed.number for placed in (*logs, *extra)} - known.keys())
    if numbers and not first <= numbers[0] <= numbers[-1] <= last:
        raise Malformed("eth_getLogs answered logs outside the range asked for")
    for header in await _headers(reader, numbers):
        known[header.ref.number] = header
    # Another endpoint may be on another fork: only what fits the first one's headers is evidence.
    logs = logs + [placed for placed in extra if placed.block_hash == known[placed.number].ref.hash]
    for number, block_hash in sorted(disputed):
        header = known[number]
        if header.ref.hash == block_hash:
            proven = await block_logs(reader, header, frozenset(addresses), blooms)
            logs = [placed for placed in logs if placed.number != number]
            logs += [PlacedLog(number, block_hash, item) for item in proven]
    await _expect(reader, ends[-1].ref)
    wanted = sorted({placed.number for placed in logs} | {last})
    return _join([known[number] for number in wanted], logs, addresses, decode)


async def _more(
    other: ChainReader, addresses: Sequence[Address], first: int, last: int, logs: Sequence[PlacedLog]
) -> tuple[list[PlacedLog], set[tuple[int, bytes]]]:
    """What another endpoint names in this range and `logs` does not; and the blocks (number, hash) in which
    it names another log at the same place. One that cannot say adds nothing."""
    have = {(placed.block_hash, placed.log.index): placed for placed in logs}
    try:
        named = await other.logs(addresses, first, last)
    except Transient:
        return [], set()
    more: list[PlacedLog] = []
    contradicted: set[tuple[int, bytes]] = set()
    for placed in named:
        known = have.get((placed.block_hash, placed.log.index))
        if known is None and first <= placed.number <= last:
            more.append(placed)
        elif known is not None and known != placed:
            contradicted.add((known.number, known.block_hash))
    return more, contradicted


async def _headers(reader: ChainReader, numbers: Iterable[int]) -> list[Header]:
    wanted = list(numbers)
    found = await asyncio.gather(*(reader.header(number) for number in wanted))
    headers = []
    for number, header in zip(wanted, found, strict=True):
        if header is None:
            raise Moved(f"the node no longer has block {number}")
        headers.append(header)
    return headers


async def _expect(reader: ChainReader, ref: BlockRef) -> None:
    header = await reader.header(ref.number)
    if header is None or header.ref.hash != ref.hash:
        raise Moved(f"block {ref.number} was replaced while its logs were read")


def _join(
    headers: list[Header], logs: Iterable[PlacedLog], addresses: Sequence[Address], decode: Decode[Read]
) -> Blocks[Read]:
    watched = frozenset(addresses)
    by_number: dict[int, list[RawLog]] = {header.ref.number: [] for header in headers}
    hashes = {header.ref.number: header.ref.hash for header in headers}
    for placed in logs:
        if placed.log.address not in watched or placed.number not in hashes:
            raise Malformed("eth_getLogs answered logs that were not asked for")
        if placed.block_hash != hashes[placed.number]:
            raise Moved(f"a log of block {placed.number} is of another fork")
        by_number[placed.number].append(placed.log)
    result: Blocks[Read] = []
    for header in headers:
        ordered = sorted(by_number[header.ref.number], key=lambda item: item.index)
        if any(one.index == two.index for one, two in pairwise(ordered)):
            raise Malformed(f"eth_getLogs answered a log of block {header.ref.number} twice")
        result.append((header, decoded(header.ref, ordered, decode)))
    return result
