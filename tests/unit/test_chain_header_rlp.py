"""Headers in RLP: real blocks, one a fork (`tests/vectors/headers.json`, as anvil answered them)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from jepanet.chain.endpoints.answers import Malformed
from jepanet.chain.endpoints.header_rlp import encode_header

pytestmark = pytest.mark.unit

BLOCKS: dict[str, dict[str, object]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "headers.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("fork", BLOCKS)
def test_a_header_gives_the_hash_of_its_block(fork: str) -> None:
    header = encode_header(BLOCKS[fork])
    assert "0x" + keccak(header).hex() == BLOCKS[fork]["hash"]


@pytest.mark.parametrize("fork", BLOCKS)
def test_the_randomness_is_the_fourteenth_item(fork: str) -> None:
    header, at = encode_header(BLOCKS[fork]), 3  # a list of 256 to 65,535 bytes
    for _ in range(13):
        first = header[at]
        if first < 0x80:
            at += 1
        elif first < 0xB8:
            at += 1 + first - 0x80
        else:
            size = first - 0xB7
            at += 1 + size + int.from_bytes(header[at + 1 : at + 1 + size], "big")
    assert header[at] == 0xA0
    assert "0x" + header[at + 1 : at + 33].hex() == BLOCKS[fork]["mixHash"]


def test_a_field_of_a_fork_to_come_is_named() -> None:
    block = BLOCKS["prague"] | {"hash": "0x" + "ab" * 32, "inclusionListRoot": "0x" + "00" * 32}
    with pytest.raises(Malformed, match="does not give the hash") as caught:
        encode_header(block)
    assert "inclusionListRoot" in (caught.value.remedy or "")


def test_what_is_beside_the_header_is_not_called_a_field() -> None:
    with pytest.raises(Malformed) as caught:
        encode_header(BLOCKS["osaka"] | {"timestamp": "0x1"})
    assert "another endpoint" in (caught.value.remedy or "")


@pytest.mark.parametrize(
    "change",
    [
        {"mixHash": "0x00"},
        {"extraData": "0x" + "00" * 20_000},
        {"gasUsed": "12"},
        {"logsBloom": None},
        {"miner": "0x" + "00" * 19},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_field_of_another_form_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        encode_header(BLOCKS["cancun"] | change)


def test_a_block_without_a_field_of_the_merge_is_refused() -> None:
    block = {name: value for name, value in BLOCKS["paris"].items() if name != "mixHash"}
    with pytest.raises(Malformed, match="mixHash"):
        encode_header(block)
