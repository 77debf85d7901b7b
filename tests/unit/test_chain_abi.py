"""Hand-written dataclasses equal the ABI: events, structs, enums, errors."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak
from eth_utils.abi import collapse_if_tuple, event_abi_to_log_topic

from jepanet.chain.contracts.abi import CONTRACTS, library_names, load_abi
from jepanet.chain.contracts.all import Lens, Rounds, Token
from jepanet.chain.contracts.bound import BoundContract, error_decoder
from jepanet.chain.contracts.reverts import ErrorDecoder
from jepanet.chain.contracts.views import (
    Configuration,
    Opening,
    ProjectView,
    Result,
    RoundView,
    SetView,
    StakeAccount,
)
from jepanet.chain.endpoints.answers import RawLog
from jepanet.chain.following.logs_to_facts import decode, snake, topics
from jepanet.errors import Exit, Fatal
from jepanet.protocol.commitment import Leaf
from jepanet.protocol.facts import ChainBlock, ChainFact, RecordedResult, RoundParams
from jepanet.types import Address, BlockRef

pytestmark = pytest.mark.unit

LIBRARIES = library_names()
BLOCK = BlockRef(7, b"\x07" * 32, 1_700_000_000)
ACCOUNT = Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
EVENTS = [kind for kind in get_args(ChainFact) if kind is not ChainBlock]


def entries(kind: str, contracts: tuple[str, ...] = CONTRACTS) -> list[tuple[str, dict[str, Any]]]:
    return [
        (name, dict(entry))
        for name in contracts
        for entry in load_abi(name).entries
        if entry.get("type") == kind
    ]


def struct(contract: str, function: str, *, output: bool) -> list[dict[str, Any]]:
    """Components of the first struct a function takes or returns."""
    for name, entry in entries("function"):
        if name == contract and entry["name"] == function:
            for item in entry["outputs" if output else "inputs"]:
                if item["type"].startswith("tuple"):
                    return list(item["components"])
    raise AssertionError(f"{contract}.{function} has no struct")


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_every_fact_has_the_fields_of_its_event(kind: type) -> None:
    named = [entry for _, entry in entries("event") if entry["name"] == kind.__name__.removeprefix("Chain")]
    assert len(named) == 1, "one contract emits it"
    expected = [snake(item["name"]) for item in named[0]["inputs"]]
    assert [field.name for field in fields(kind)] == [*expected, "block", "log_index"]


@pytest.mark.parametrize(
    ("kind", "contract", "function", "output"),
    [
        (RoundParams, "TrainingRounds", "openRound", False),
        (Leaf, "TrainingRounds", "claim", False),
        (Opening, "TrainingRounds", "revealMany", False),
        (RecordedResult, "TrainingRounds", "settle", False),
        (Configuration, "TrainingRounds", "configuration", True),
        (Result, "RoundLens", "hashResult", False),
        (RecordedResult, "RoundLens", "isRecorded", False),
        (RoundView, "RoundLens", "getRound", True),
        (ProjectView, "RoundLens", "getProject", True),
        (SetView, "RoundLens", "getSet", True),
        (StakeAccount, "RoundLens", "accountOf", True),
    ],
)
def test_structs_have_the_abi_s_fields_in_order(
    kind: type, contract: str, function: str, output: bool
) -> None:
    expected = [snake(item["name"]) for item in struct(contract, function, output=output)]
    assert [field.name for field in fields(kind)] == expected


def _sample(item: dict[str, Any], position: int) -> Any:
    kind = item["type"]
    if item["name"] in ("cause", "kind"):
        return 2  # others are no causes and no kinds
    if kind == "tuple":
        return tuple(_sample(part, index) for index, part in enumerate(item["components"]))
    samples: dict[str, Any] = {
        "address": ACCOUNT,
        "address[]": [ACCOUNT, "0x" + "11" * 20],
        "bytes4": bytes([position + 1]) * 4,
        "bytes32": bytes([position + 1]) * 32,
        "bool": True,
        "int64": -5 - position,
        "string": "words",
    }
    return samples.get(kind, 10 + position)


def _log(entry: dict[str, Any]) -> tuple[RawLog, dict[str, Any]]:
    values = {item["name"]: _sample(item, index) for index, item in enumerate(entry["inputs"])}
    indexed = [item for item in entry["inputs"] if item["indexed"]]
    plain = [item for item in entry["inputs"] if not item["indexed"]]
    return RawLog(
        address=ACCOUNT,
        topics=(
            event_abi_to_log_topic(entry),  # type: ignore[arg-type]
            *(encode([item["type"]], [values[item["name"]]]) for item in indexed),
        ),
        data=encode([collapse_if_tuple(item) for item in plain], [values[item["name"]] for item in plain]),
        index=3,
        tx_hash=bytes(32),
    ), values


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_every_event_decodes(kind: type) -> None:
    (entry,) = (e for _, e in entries("event") if e["name"] == kind.__name__.removeprefix("Chain"))
    log, values = _log(entry)
    decoded = decode(log, BLOCK)
    assert type(decoded) is kind
    assert decoded.block == BLOCK
    assert decoded.log_index == 3  # type: ignore[union-attr]
    for item in entry["inputs"]:
        value = getattr(decoded, snake(item["name"]))
        if item["type"] == "tuple":
            assert value == RoundParams(*values[item["name"]])
        elif item["type"] == "address[]":
            assert [each.lower() for each in value] == [each.lower() for each in values[item["name"]]]
            assert isinstance(value, tuple)
        else:
            assert value == values[item["name"]]
    assert log.topics[0] in topics()


def test_other_events_are_nothing_to_the_protocol() -> None:
    unknown = RawLog(ACCOUNT, (keccak(b"Nothing()"),), b"", 0, bytes(32))
    assert decode(unknown, BLOCK) is None
    assert decode(RawLog(ACCOUNT, (), b"", 0, bytes(32)), BLOCK) is None


@pytest.mark.parametrize("cut", [0, 31])
def test_a_known_event_with_other_contents_is_fatal(cut: int) -> None:
    (entry,) = (e for _, e in entries("event") if e["name"] == "Committed")
    log, _ = _log(entry)
    for bad in (
        RawLog(log.address, log.topics, log.data[:cut], 0, bytes(32)),
        RawLog(log.address, log.topics[:-1], log.data, 0, bytes(32)),
    ):
        with pytest.raises(Fatal) as caught:
            decode(bad, BLOCK)
        assert caught.value.code is Exit.INCOMPATIBLE


@pytest.mark.parametrize("wrapper", [Token, Rounds, Lens])
def test_every_wrapper_names_an_exported_contract(wrapper: type[BoundContract]) -> None:
    assert wrapper.name in CONTRACTS


def test_every_custom_error_decodes_by_name() -> None:
    decoder = error_decoder()
    for _, entry in entries("error", (*CONTRACTS, *LIBRARIES)):
        types = [collapse_if_tuple(item) for item in entry["inputs"]]
        selector = keccak(f"{entry['name']}({','.join(types)})".encode())[:4]
        data = encode(types, [_sample(item, index) for index, item in enumerate(entry["inputs"])])
        revert = decoder.decode(selector + data)
        assert revert.name == entry["name"]
        assert list(revert.arguments) == [item["name"] for item in entry["inputs"]]


def test_errors_of_solidity_and_openzeppelin_decode_without_any_abi() -> None:
    decoder = ErrorDecoder([])
    words = decoder.decode(keccak(b"Error(string)")[:4] + encode(["string"], ["too late"]))
    assert (words.name, str(words)) == ("Error", "too late")
    panic = decoder.decode(keccak(b"Panic(uint256)")[:4] + encode(["uint256"], [0x11]))
    assert "arithmetic overflow" in str(panic)
    selector = keccak(b"ERC20InsufficientBalance(address,uint256,uint256)")[:4]
    poor = decoder.decode(selector + encode(["address", "uint256", "uint256"], [ACCOUNT, 1, 2]))
    assert poor.name == "ERC20InsufficientBalance"
    assert "needed=2" in str(poor)
    assert poor.rejected("Token.transfer").reason == "ERC20InsufficientBalance"


@pytest.mark.parametrize(
    "data", [None, b"", b"\x01\x02", b"\xff" * 4, keccak(b"Error(string)")[:4] + b"\xff" * 40]
)
def test_hostile_revert_data_never_raises(data: bytes | None) -> None:
    assert error_decoder().decode(data).name in ("reverted", "unknown-error", "Error")
    assert str(error_decoder().decode(data))


def test_the_code_of_the_core_is_linked_with_every_library_it_names() -> None:
    core = load_abi("TrainingRounds")
    assert core.libraries == LIBRARIES
    places = {name: Address(f"0x{n:040x}") for n, name in enumerate(LIBRARIES, 1)}
    code = core.bytecode(places)
    assert all(bytes.fromhex(place[2:]) in code for place in places.values())
    assert 2 * len(code) == len(core.code)


@pytest.mark.parametrize("missing", LIBRARIES)
def test_code_that_lacks_a_library_is_not_deployed(missing: str) -> None:
    places = {name: Address("0x" + "11" * 20) for name in LIBRARIES if name != missing}
    with pytest.raises(Fatal) as caught:
        load_abi("TrainingRounds").bytecode(places)
    assert caught.value.code is Exit.INCOMPATIBLE


@pytest.mark.parametrize("name", [*LIBRARIES, "RoundLens", "DevToken"])
def test_what_stands_alone_needs_no_links(name: str) -> None:
    assert load_abi(name).libraries == () and load_abi(name).bytecode()
