"""Values in answers of nodes are checked one by one; refusals are understood; deployment files parsed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jepanet.chain.contracts.deployment import SCHEMA, Deployment
from jepanet.chain.endpoints.answers import (
    Malformed,
    octets,
    parse_address,
    parse_header,
    parse_log,
    parse_receipt,
    quantity,
)
from jepanet.chain.endpoints.refusals import Refusal, classify, is_revert
from jepanet.chain.endpoints.requests import RpcError, block_parameter, state_parameter
from jepanet.errors import Exit, Fatal
from jepanet.types import Address

pytestmark = pytest.mark.unit

HASH = "0x" + "ab" * 32
ADDRESS = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
HEADER = {
    "number": "0x10",
    "hash": HASH,
    "parentHash": "0x" + "cd" * 32,
    "timestamp": "0x5",
    "gasLimit": "0x1c9c380",
    "baseFeePerGas": "0x7",
    "logsBloom": "0x" + "00" * 255 + "01",
    "transactions": [HASH],
}
LOG: dict[str, Any] = {
    "address": ADDRESS,
    "topics": [HASH],
    "data": "0x0102",
    "blockNumber": "0x10",
    "blockHash": HASH,
    "transactionHash": HASH,
    "logIndex": "0x3",
    "removed": False,
}
RECEIPT: dict[str, Any] = {
    "transactionHash": HASH,
    "blockNumber": "0x10",
    "blockHash": HASH,
    "status": "0x1",
    "gasUsed": "0x5208",
    "effectiveGasPrice": "0x9",
    "contractAddress": None,
    "logs": [LOG],
}


def test_well_formed_answers() -> None:
    header = parse_header(HEADER)
    assert (header.ref.number, header.ref.timestamp, header.base_fee) == (16, 5, 7)
    assert (header.bloom, header.transactions) == (1, (bytes.fromhex(HASH[2:]),))
    assert parse_header({**HEADER, "baseFeePerGas": None}).base_fee is None
    assert parse_header({**HEADER, "logsBloom": None}).bloom is None
    placed = parse_log(LOG)
    assert (placed.number, placed.log.index, placed.log.data) == (16, 3, b"\x01\x02")
    assert placed.log.address == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    receipt = parse_receipt(RECEIPT)
    assert receipt.succeeded
    assert receipt.contract is None
    assert receipt.logs == (placed.log,)
    assert parse_receipt({**RECEIPT, "status": "0x0", "contractAddress": ADDRESS}).contract is not None


def test_a_block_that_names_no_transactions_must_be_empty_by_its_header() -> None:
    nothing = {**HEADER, "transactions": [], "logsBloom": "0x" + "00" * 256}
    empty = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
    assert parse_header(nothing).transactions == ()
    assert parse_header({**nothing, "transactionsRoot": empty}).transactions == ()
    for lie in ({"transactionsRoot": HASH}, {"logsBloom": HEADER["logsBloom"]}, {"transactionsRoot": "0x12"}):
        with pytest.raises(Malformed):
            parse_header({**nothing, **lie})


@pytest.mark.parametrize(
    "value", [None, 5, 1.5, True, "", "0x", "12", "0xzz", "0x" + "1" * 65, [], {}, "0x-1"]
)
def test_bad_quantities(value: Any) -> None:
    with pytest.raises(Malformed):
        quantity(value)


@pytest.mark.parametrize("value", [None, 5, "", "12", "0x1", "0xzz", [], "0x" + "00" * 33])
def test_bad_bytes(value: Any) -> None:
    with pytest.raises(Malformed):
        octets(value, 32)


def test_bytes_over_the_limit_are_refused_before_they_are_decoded() -> None:
    with pytest.raises(Malformed):
        octets("0x" + "00" * 100, limit=99)
    assert octets("0x" + "00" * 99, limit=99) == bytes(99)


@pytest.mark.parametrize("document", [HEADER, LOG, RECEIPT], ids=["header", "log", "receipt"])
def test_every_missing_or_mistyped_member_is_noticed(document: dict[str, Any]) -> None:
    parse: Any = {id(HEADER): parse_header, id(LOG): parse_log, id(RECEIPT): parse_receipt}[id(document)]
    for name in document:
        if name in ("baseFeePerGas", "removed", "contractAddress"):
            continue
        for bad in ("nonsense", 7, {}) if name == "logsBloom" else (None, "nonsense", 7, {}):
            with pytest.raises(Malformed):
                parse({**document, name: bad})
        if name == "logsBloom":
            continue  # some chains have none
        with pytest.raises(Malformed):
            parse({key: value for key, value in document.items() if key != name})
    for other in (None, 5, "text", []):
        with pytest.raises(Malformed):
            parse(other)


def test_a_log_has_at_most_four_topics() -> None:
    with pytest.raises(Malformed):
        parse_log({**LOG, "topics": [HASH] * 5})


def test_addresses_are_remembered_without_bound() -> None:
    for number in range(2000):
        assert int(parse_address(f"0x{number:040x}"), 16) == number


def test_block_parameters() -> None:
    assert block_parameter(255) == "0xff"
    assert block_parameter("latest") == "latest"
    assert block_parameter(b"\xab" * 32) == HASH
    assert state_parameter(b"\xab" * 32) == {"blockHash": HASH}
    assert state_parameter(1) == "0x1"


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("already known", Refusal.KNOWN),
        ("transaction already imported", Refusal.KNOWN),
        ("AlreadyKnown", Refusal.KNOWN),
        ("nonce too low: next nonce 5, tx nonce 4", Refusal.NONCE_TOO_LOW),
        ("Nonce is too low", Refusal.NONCE_TOO_LOW),
        ("OldNonce, Current nonce: 5", Refusal.NONCE_TOO_LOW),
        ("replacement transaction underpriced", Refusal.NONCE_HELD),
        ("insufficient funds for gas * price + value", Refusal.FUNDS),
        ("Insufficient funds for gas * price + value", Refusal.FUNDS),
        ("transaction underpriced: tip needed 1", Refusal.FEE),
        ("max fee per gas less than block base fee", Refusal.FEE),
        ("exceeds block gas limit", Refusal.OTHER),
        ("", Refusal.OTHER),
    ],
)
def test_words_of_clients(words: str, meaning: Refusal) -> None:
    assert classify(RpcError("eth_sendRawTransaction", -32000, words, None)) is meaning


def test_reverts_are_told_from_other_refusals() -> None:
    assert is_revert(RpcError("eth_call", 3, "execution reverted", b"\x01"))
    assert is_revert(RpcError("eth_call", -32000, "VM Exception: revert", None))
    assert not is_revert(RpcError("eth_call", -32000, "header not found", None))


# ------------------------------------------------------------------ deployment files

DEPLOYMENT = Deployment(
    chain_id=1,
    block_number=5,
    block_hash=b"\x05" * 32,
    block_timestamp=99,
    token=Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
    rounds=Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
    lens=Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
    confirmations=3,
)


def test_a_deployment_file_round_trips(tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    DEPLOYMENT.save(path)
    assert Deployment.load(path) == DEPLOYMENT
    assert json.loads(path.read_text())["schema"] == SCHEMA
    assert [entry.name for entry in tmp_path.iterdir()] == ["deployment.json"]
    assert DEPLOYMENT.anchor.timestamp == 99


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "jepanet/deployment/1"},
        {"chain_id": "1"},
        {"chain_id": True},
        {"chain_id": -1},
        {"confirmations": 1.5},
        {"block": None},
        {"block": {"number": 1, "hash": "0x12", "timestamp": 1}},
        {"block": {"number": 1, "hash": "zz" * 32, "timestamp": 1}},
        {"contracts": {}},
        {"contracts": {"token": DEPLOYMENT.token.replace("f39", "f38")}},
    ],
)
def test_other_files_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "deployment.json"
    DEPLOYMENT.save(path)
    document = json.loads(path.read_text())
    for name, value in change.items():
        document[name] = {**document[name], **value} if name == "contracts" and value else value
    path.write_text(json.dumps(document))
    with pytest.raises(Fatal) as caught:
        Deployment.load(path)
    assert caught.value.code is Exit.CONFIG


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff", b"[" * 60_000, b" " * 70_000])
def test_rubbish_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "deployment.json"
    path.write_bytes(content)
    with pytest.raises(Fatal) as caught:
        Deployment.load(path)
    assert caught.value.code is Exit.CONFIG
    with pytest.raises(Fatal, match="there is no deployment file"):
        Deployment.load(tmp_path / "missing.json")
