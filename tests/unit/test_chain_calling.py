"""The data of calls, beside what web3 makes of the same values."""

from __future__ import annotations

import random
from typing import Any

import pytest
from eth_abi.exceptions import EncodingError
from web3 import Web3

from jepanet.addresses import checksum_address
from jepanet.chain.contracts.abi import CONTRACTS, load_abi
from jepanet.chain.contracts.calling import Function

pytestmark = pytest.mark.unit


def drawn(draw: random.Random, item: dict[str, Any]) -> Any:
    """A value of a type of the ABI."""
    kind = item["type"]
    if kind.endswith("[]"):
        return [drawn(draw, {**item, "type": kind[:-2]}) for _ in range(draw.randint(0, 3))]
    if kind == "tuple":
        return tuple(drawn(draw, each) for each in item["components"])
    if kind == "address":
        return checksum_address("0x" + draw.randbytes(20).hex())
    if kind in ("string", "bytes"):
        return "é" * draw.randint(0, 40) if kind == "string" else draw.randbytes(draw.randint(0, 99))
    if kind == "bool":
        return draw.random() < 0.5
    if kind.startswith("bytes"):
        return draw.randbytes(int(kind[5:]))
    sign = draw.choice((1, -1)) if kind.startswith("int") else 1
    return sign * draw.getrandbits(int(kind.removeprefix("u")[3:]) - kind.startswith("int"))


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_call_has_the_bytes_that_web3_gives_it(name: str) -> None:
    entries, draw = load_abi(name).entries, random.Random(name)
    contract = Web3().eth.contract(address=Web3.to_checksum_address("0x" + "11" * 20), abi=list(entries))
    functions = [entry for entry in entries if entry["type"] == "function"]
    assert len({entry["name"] for entry in functions}) == len(functions), "none shares its name"
    for entry in functions:
        for _ in range(4):
            values = [drawn(draw, item) for item in entry["inputs"]]
            mine = "0x" + Function.of(entry).call(values).hex()
            assert mine == contract.encode_abi(entry["name"], args=values), entry["name"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bytes32", b"short"),
        ("bytes32", bytes(33)),
        ("bytes32[]", [bytes(32), b"short"]),
        ("tuple", (b"short",)),
        ("uint8", 256),
        ("uint256", -1),
        ("address", "0x1234"),
        ("bool", 1),
    ],
)
def test_attack_what_would_be_filled_up_or_cut_is_refused(kind: str, value: object) -> None:
    item = {"name": "x", "type": kind, "components": [{"name": "y", "type": "bytes29"}]}
    function = Function.of({"name": "f", "type": "function", "inputs": [item], "outputs": []})
    with pytest.raises((ValueError, EncodingError)):
        function.call([value])
    with pytest.raises((ValueError, EncodingError)):
        function.call([value, value])
