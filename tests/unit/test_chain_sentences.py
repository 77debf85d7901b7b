"""Every refusal a contract can give has words: no error name, no wei, no number for a phase, and a remedy."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak
from eth_utils.abi import collapse_if_tuple

from jepanet.chain.contracts.bound import error_decoder
from jepanet.chain.contracts.reverts import STANDARD, Revert
from jepanet.chain.contracts.sentences import SENTENCES
from jepanet.tokens import exact, tokens

pytestmark = pytest.mark.unit

ABI = Path(__file__).resolve().parents[2] / "abi"
ACCOUNT = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
AMOUNT = 7 * 10**18
COUNTS = re.compile(
    r"(Id|position|count|members|given|length|index|code|bits|Nonce|duration|until|At|deadline)$"
)
"""Arguments of integer type that are no amounts of tokens."""
COUNTED = {
    ("NotEnoughAttestations", "needed"),
    ("BadDuration", "minimum"),
    ("HoldTooLong", "longest"),
    ("BeaconTooEarly", "blockNumber"),
    ("WrongHeader", "blockNumber"),
}
"""(error, argument) of further ones, whose names are amounts elsewhere."""


def errors() -> dict[str, list[tuple[str, str]]]:
    """Every custom error of the exported ABIs and every standard one: name -> (type, name) of arguments."""
    found = {}
    for path in sorted(ABI.glob("*.json")):
        for entry in json.loads(path.read_text())["abi"]:
            if entry["type"] == "error":
                found[entry["name"]] = [(collapse_if_tuple(i), i["name"]) for i in entry["inputs"]]
    for text in STANDARD:
        name, inside = text.removesuffix(")").split("(", 1)
        pairs = [tuple(item.split(" ")) for item in inside.split(",")] if inside else []
        found[name] = [(kind, label) for kind, label in pairs]
    return found


ERRORS = errors()


def sample(error: str, kind: str, name: str) -> Any:
    if kind == "address":
        return ACCOUNT
    if kind in ("bytes4", "bytes32"):
        return b"\xab" * int(kind.removeprefix("bytes"))
    if kind == "string":
        return "words"
    small = kind not in ("uint256", "uint128", "uint96") or (error, name) in COUNTED
    return 3 if small or COUNTS.search(name) else AMOUNT


def reverted(name: str) -> Revert:
    pairs = ERRORS[name]
    types = [kind for kind, _ in pairs]
    selector = keccak(f"{name}({','.join(types)})".encode())[:4]
    values = [sample(name, kind, label) for kind, label in pairs]
    return error_decoder().decode(selector + encode(types, values))


def test_the_contracts_have_errors_to_speak_of() -> None:
    assert len(ERRORS) > 60
    assert {"BadThreshold", "WrongPhase", "InsufficientStake", "ERC20InsufficientBalance"} <= set(ERRORS)


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_of_every_abi_has_a_sentence_and_a_remedy(name: str) -> None:
    assert name in SENTENCES, f"{name} would reach people raw: give it words in chain/contracts/sentences.py"
    refused = reverted(name).rejected("TrainingRounds.deposit")
    assert refused.reason == name, "records and documentation go by the name"
    assert refused.remedy
    assert name not in refused.message
    assert str(AMOUNT) not in f"{refused.message} {refused.remedy}", "amounts are in tokens"
    assert " wei" not in f"{refused.message} {refused.remedy}"
    assert "=" not in refused.message, "arguments stand in the sentence, not in a list"


def test_no_words_are_left_over_for_an_error_that_no_longer_exists() -> None:
    ours = {"reverted", "unknown-error", "out-of-gas"}
    assert set(SENTENCES) - ours == set(ERRORS)


def test_phases_amounts_and_times_are_said_in_words() -> None:
    phase = error_decoder().decode(
        keccak(b"WrongPhase(uint256,uint8)")[:4] + encode(["uint256", "uint8"], [4, 8])
    )
    assert "round 4" in phase.rejected("x").message
    assert "settled" in phase.rejected("x").message
    poor = error_decoder().decode(
        keccak(b"InsufficientStake(address,uint256,uint256)")[:4]
        + encode(["address", "uint256", "uint256"], [ACCOUNT, 10**18 - 1, 25 * 10**17])
    )
    assert "0.999999999999999999" in poor.rejected("x").message, "exact: rounded it might look like enough"
    assert "2.5 tokens" in poor.rejected("x").message
    early = error_decoder().decode(
        keccak(b"ClaimsOpen(uint256,uint64)")[:4] + encode(["uint256", "uint64"], [4, 1_700_000_000])
    )
    assert "2023-11-14 22:13:20 UTC" in early.rejected("x").message


@pytest.mark.parametrize("phase", [11, 255])
def test_a_phase_this_version_does_not_know_is_still_said(phase: int) -> None:
    revert = Revert("WrongPhase", {"roundId": 1, "phase": phase})
    assert str(phase) in revert.rejected("x").message


@pytest.mark.parametrize("until", [2**64 - 1, 2**63])
def test_a_time_beyond_every_calendar_is_still_said(until: int) -> None:
    assert str(until) in Revert("ClaimsOpen", {"roundId": 1, "until": until}).rejected("x").message


@pytest.mark.parametrize(
    "revert",
    [
        Revert("unknown-error", {"data": b"\x01\x02\x03\x04"}),
        Revert("reverted", {}),
        Revert("out-of-gas", {"gas": 21_000}),
        Revert("NeverHeardOf", {"amount": 1}),
        Revert("InsufficientStake", {"data": b"\x00" * 64}),
    ],
    ids=lambda revert: revert.name,
)
def test_what_cannot_be_decoded_is_refused_with_a_remedy_all_the_same(revert: Revert) -> None:
    refused = revert.rejected("TrainingRounds.deposit")
    assert "TrainingRounds.deposit" in refused.message
    assert refused.remedy


def test_attack_a_contracts_own_words_do_not_reach_the_terminal_as_they_are() -> None:
    refused = Revert("Error", {"reason": "\x1b[2J" + "x" * 10_000}).rejected("x")
    assert "\x1b" not in refused.message
    assert len(refused.message) < 400


def test_tokens_of_wei() -> None:
    assert [tokens(n) for n in (0, 1, 10**18, 1_234 * 10**18 + 5 * 10**17)] == ["0", "0", "1", "1,234.5"]
    assert exact(1) == "0.000000000000000001"
    assert tokens("2500000000000000000") == "2.5"
    assert tokens(-25 * 10**17) == "-2.5"
