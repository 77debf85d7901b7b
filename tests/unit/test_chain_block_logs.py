"""What is believed of a block's logs: which blocks may be passed over, and which logs are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jepanet.chain.contracts.bound import named
from jepanet.chain.endpoints.answers import Header, Malformed, RawLog
from jepanet.chain.endpoints.requests import ChainReader, Moved
from jepanet.chain.following.block_reading import block_logs, decoded, proven_blocks
from jepanet.chain.following.bloom import Blooms, bloom_of
from jepanet.chain.following.logs_to_facts import decode, topics
from jepanet.chain.following.receipts_root import receipts_root
from jepanet.types import Address, BlockRef, CancelCause, Phase, Standing

pytestmark = pytest.mark.unit

OURS = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
LOG = RawLog(OURS, (b"\1" * 32,), b"", 0, b"\2" * 32)
HELD = Header(BlockRef(7, b"\7" * 32, 70), b"\6" * 32, 1, 30_000_000, bloom_of([LOG]), (LOG.tx_hash,))
EMPTIED = replace(HELD, transactions=())
"""The same block as a machine answers it that has the header and not the body yet."""


def test_a_block_said_to_be_empty_is_read_where_its_bloom_names_a_watched_address() -> None:
    blooms = Blooms([OURS])
    assert blooms.may_hold(EMPTIED)
    assert not blooms.accepts(EMPTIED, ()), "asked again: no logs do not give this bloom"
    assert blooms.accepts(HELD, [LOG]) and blooms.proven
    assert blooms.may_hold(EMPTIED) and not blooms.accepts(EMPTIED, ())


def test_empty_blocks_and_blocks_of_others_cost_nothing() -> None:
    blooms = Blooms([OURS])
    nothing = replace(EMPTIED, bloom=0)
    assert not blooms.may_hold(nothing)
    assert blooms.may_hold(replace(HELD, bloom=0)), "no bloom is believed before one was proven"
    assert blooms.accepts(HELD, [LOG])
    assert not blooms.may_hold(replace(HELD, bloom=0)) and not blooms.may_hold(nothing)


def test_the_bloom_of_a_header_that_gives_its_hash_is_believed_from_the_first_block_on() -> None:
    blooms, root = Blooms([OURS]), b"\5" * 32
    assert blooms.may_hold(replace(HELD, receipts_root=root))
    assert not blooms.may_hold(replace(HELD, bloom=0, receipts_root=root))
    # An endpoint that once had others taken for useless changes nothing about it.
    blooms.useless = True
    assert blooms.may_hold(replace(HELD, receipts_root=root))
    assert not blooms.may_hold(replace(HELD, bloom=0, receipts_root=root))


async def test_attack_receipts_that_give_the_bloom_and_not_the_root() -> None:
    """The data of a log is in no bloom: an amount, a digest, a name of one's choice."""
    blooms, watched = Blooms([OURS]), frozenset([OURS])
    node = Node(LOG)
    told = await node.block_receipts(HELD)
    held = replace(HELD, receipts_root=receipts_root(told))
    assert await block_logs(node, held, watched, blooms) == (LOG,)
    for _ in range(4):  # however often it is said
        with pytest.raises(Moved, match="root"):
            await block_logs(Node(replace(LOG, data=b"another")), held, watched, blooms)


class Node(ChainReader):
    """Answers the receipts of one block, and its header."""

    def __init__(self, log: RawLog) -> None:
        self._log = log
        self.asked: list[str] = []

    async def header(self, block: Any) -> Header:
        self.asked.append("header")
        return HELD

    async def ask(self, method: str, params: Any, parse: Any) -> Any:
        self.asked.append(method)
        entry = {
            "address": self._log.address, "topics": ["0x" + item.hex() for item in self._log.topics],
            "data": "0x" + self._log.data.hex(), "logIndex": "0x0", "blockNumber": "0x7",
            "transactionHash": "0x" + self._log.tx_hash.hex(), "blockHash": "0x" + HELD.ref.hash.hex(),
        }  # fmt: skip
        return parse(
            [{**entry, "status": "0x1", "gasUsed": "0x1", "effectiveGasPrice": "0x1", "logs": [entry]}]
        )


@pytest.mark.parametrize(
    ("head", "asked"),
    [(replace(EMPTIED, bloom=0), []), (HELD, ["eth_getBlockReceipts", "header"])],
    ids=["quiet", "with an event"],
)
async def test_a_newest_block_is_asked_for_again_only_where_more_was_asked(
    head: Header, asked: list[str]
) -> None:
    """Two requests may be answered from two forks; one cannot."""
    node, before = Node(LOG), BlockRef(6, head.parent, 60)
    read = await proven_blocks(node, [OURS], before, 7, head, Blooms([OURS]), lambda log, _: log)
    assert read == [(head, (LOG,) if asked else ())]
    assert node.asked == asked


async def test_a_garbled_log_is_asked_for_again_and_never_stored() -> None:
    """A bloom does not cover data; decoded later, from the journal, it would end the node at every start."""
    garbled = replace(LOG, topics=topics()[:1], data=b"not an event")
    header = replace(HELD, bloom=bloom_of([garbled]))
    logs = await block_logs(Node(garbled), header, frozenset([OURS]), Blooms([OURS]))
    with pytest.raises(Moved, match="does not match its ABI"):
        decoded(header.ref, logs, decode)
    assert await block_logs(Node(LOG), HELD, frozenset([OURS]), Blooms([OURS])) == (LOG,)
    assert decoded(HELD.ref, [LOG], decode) == (), "an event that is no fact is dropped"


@pytest.mark.parametrize("kind", [Phase, Standing, CancelCause])
def test_a_number_that_names_nothing_is_no_answer(kind: type[Phase | Standing | CancelCause]) -> None:
    """As an unexpected error it would have ended the duty after three tries."""
    assert named(kind, 0) is kind.NONE
    with pytest.raises(Malformed, match="200"):
        named(kind, 200)
