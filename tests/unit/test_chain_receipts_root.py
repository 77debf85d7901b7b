"""Receipts against the root of their header: a block of four types of transactions (as anvil answered it)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from jepanet.chain.endpoints.answers import Malformed, Receipt, parse_receipt
from jepanet.chain.endpoints.asked_headers import asked_header
from jepanet.chain.following.bloom import bloom_of
from jepanet.chain.following.receipts_root import receipts_root

pytestmark = pytest.mark.unit

VECTOR: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "receipts.json").read_text(encoding="utf-8")
)
HEADER = asked_header("latest", VECTOR["block"])
RECEIPTS = [parse_receipt(item) for item in VECTOR["receipts"]]


def changed_log(**fields: Any) -> Callable[[Receipt], Receipt]:
    return lambda receipt: replace(receipt, logs=(replace(receipt.logs[0], **fields), *receipt.logs[1:]))


def test_the_receipts_of_a_block_give_the_root_of_its_header() -> None:
    assert {(receipt.kind, receipt.succeeded) for receipt in RECEIPTS} == {
        (0, True), (1, True), (2, True), (2, False),
    }  # fmt: skip
    assert receipts_root(RECEIPTS) == HEADER.receipts_root
    empty = "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
    assert receipts_root([]).hex() == empty


@pytest.mark.parametrize(
    "change",
    [
        lambda receipt: replace(receipt, kind=1 - receipt.kind),
        lambda receipt: replace(receipt, succeeded=not receipt.succeeded),
        lambda receipt: replace(receipt, gas_so_far=receipt.gas_so_far + 1),
        lambda receipt: replace(receipt, logs=receipt.logs[:-1]),
        lambda receipt: replace(receipt, logs=receipt.logs[::-1]),
        changed_log(data=bytes(32)),
        changed_log(topics=()),
    ],
    ids=["type", "outcome", "gas", "one log fewer", "order", "data", "topics"],
)
def test_attack_a_receipt_that_is_not_the_blocks(change: Callable[[Receipt], Receipt]) -> None:
    altered = change(RECEIPTS[0])
    assert altered != RECEIPTS[0]
    assert receipts_root([altered, *RECEIPTS[1:]]) != HEADER.receipts_root
    assert receipts_root(RECEIPTS[:-1]) != HEADER.receipts_root


def test_a_log_fewer_is_no_news_to_a_bloom() -> None:
    """Why the bloom was not enough: it is the same for one log of three with the same topics."""
    logs = [replace(item, topics=()) for item in RECEIPTS[0].logs]
    assert bloom_of(logs) == bloom_of(logs[:1])


@pytest.mark.parametrize(
    "field", ["logsBloom", "receiptsRoot", "transactionsRoot", "timestamp", "parentHash"]
)
def test_attack_a_header_with_another_field_is_no_answer(field: str) -> None:
    value = VECTOR["block"][field]
    other = value[:-1] + ("0" if value[-1] != "0" else "1")
    with pytest.raises(Malformed, match="does not give the hash"):
        asked_header("latest", VECTOR["block"] | {field: other})


def test_a_header_of_a_fork_to_come_is_taken_without_its_root() -> None:
    """Its hash cannot be computed; a node that stood still would miss its reveal, and lose its bond."""
    later = VECTOR["block"] | {"inclusionListRoot": "0x" + "00" * 32, "hash": "0x" + "ab" * 32}
    assert asked_header("latest", later).receipts_root is None


def test_attack_fields_of_ever_other_names_fill_no_log_and_no_memory() -> None:
    with structlog.testing.capture_logs() as lines:
        for number in range(100):
            asked_header("latest", VECTOR["block"] | {f"field{number}": "0x1", "hash": "0x" + "ab" * 32})
    assert len([line for line in lines if line["event"] == "header.trusted"]) <= 16
