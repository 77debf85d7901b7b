"""An address that a person writes: mixed letter case is a checksum, and one that is wrong is refused wherever
an address can be given, before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jepanet.addresses import checksum_address
from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.keys.wallet_files import create_wallet, list_wallets, password_of
from jepanet.errors import Exit, Fatal
from jepanet.interface.cli import main
from jepanet.settings.config import load_config

pytestmark = pytest.mark.unit

GOOD = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # example of EIP-55
MISTYPED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAec"
WRONG_CASE = "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
WRONG = (MISTYPED, WRONG_CASE, GOOD.swapcase().replace("0X", "0x"))
NODE = """
[node]
data_dir = "data"
roles = ["solver"]
[wallet]
directory = "wallet"
[chain]
endpoints = ["http://127.0.0.1:8545"]
deployment = "deployment.json"
"""


@pytest.mark.parametrize("text", [GOOD, GOOD.lower(), "0x" + GOOD[2:].upper(), GOOD.upper()])
def test_a_right_checksum_and_none_at_all_pass(text: str) -> None:
    assert checksum_address(text) == GOOD


@pytest.mark.parametrize("text", ["0x" + "12" * 20, "0x" + "0" * 40])
def test_an_address_without_letters_has_no_checksum(text: str) -> None:
    assert checksum_address(text) == text


@pytest.mark.parametrize("text", WRONG)
def test_attack_a_mistyped_digit_does_not_name_another_account(text: str) -> None:
    with pytest.raises(ValueError, match="checksum"):
        checksum_address(text)


def node_file(folder: Path, more: str = "") -> Path:
    path = folder / "node.toml"
    path.write_text(NODE + more)
    return path


@pytest.mark.parametrize("text", WRONG)
@pytest.mark.parametrize("key", ["wallet.address", "proposer.aggregators"])
@pytest.mark.parametrize("way", ["file", "environment"])
def test_a_configuration_with_a_wrong_checksum_is_refused(
    tmp_path: Path, text: str, key: str, way: str
) -> None:
    section, name = key.split(".")
    environment = {f"JEPANET_{section}_{name}".upper(): text} if way == "environment" else {}
    path = node_file(tmp_path)
    if way == "file":
        value = f'["{GOOD}", "{text}"]' if name == "aggregators" else f'"{text}"'
        path.write_text(NODE.replace("[wallet]", f"[wallet]\n{name} = {value}") if section == "wallet"
                        else f"{NODE}[{section}]\n{name} = {value}\n")  # fmt: skip
    with pytest.raises(Fatal, match="checksum") as caught:
        load_config(path, environment)
    assert caught.value.code is Exit.CONFIG
    assert key in caught.value.message
    assert caught.value.remedy


def test_a_configuration_keeps_addresses_in_their_checksummed_form(tmp_path: Path) -> None:
    environment = {
        "JEPANET_WALLET_ADDRESS": GOOD.lower(),
        "JEPANET_PROPOSER_AGGREGATORS": f"{GOOD.lower()}, 0x{GOOD[2:].upper()}",
    }
    config = load_config(node_file(tmp_path), environment)
    assert config.wallet.address == GOOD
    assert config.proposer.aggregators == (GOOD, GOOD)


@pytest.mark.parametrize("text", ["0x12", "nobody", ""])
def test_what_is_no_address_is_named_with_its_key(tmp_path: Path, text: str) -> None:
    with pytest.raises(Fatal, match="not an address") as caught:
        load_config(node_file(tmp_path, f'[proposer]\naggregators = ["{text}"]\n'), {})
    assert "proposer.aggregators" in caught.value.message


def deployment_file(folder: Path, lens: str) -> Path:
    names = ("token", "rounds", "lens")
    path = folder / "deployment.json"
    path.write_text(json.dumps({
        "schema": "jepanet/deployment/2", "chain_id": 31337, "confirmations": 2,
        "block": {"number": 1, "hash": "0x" + "11" * 32, "timestamp": 5},
        "contracts": {**dict.fromkeys(names, GOOD), "lens": lens},
    }))  # fmt: skip
    return path


@pytest.mark.parametrize("text", WRONG)
def test_a_deployment_file_with_a_wrong_checksum_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Fatal, match=r"contracts\.lens.*checksum") as caught:
        Deployment.load(deployment_file(tmp_path, text))
    assert caught.value.code is Exit.CONFIG


@pytest.mark.parametrize("text", [GOOD.lower(), "0x" + GOOD[2:].upper()])
def test_a_deployment_file_without_checksums_is_read(tmp_path: Path, text: str) -> None:
    assert Deployment.load(deployment_file(tmp_path, text)).lens == GOOD


def test_a_keystore_whose_address_has_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "wallet"
    made = create_wallet(folder, password_of("x"), scrypt_n=2)
    document = json.loads(made.path.read_text())
    document["address"] = MISTYPED
    made.path.write_text(json.dumps(document))
    with pytest.raises(Fatal, match="checksum"):
        list_wallets(folder)


@pytest.mark.parametrize("text", WRONG)
@pytest.mark.parametrize(
    "command",
    [
        ("verifiers", "create", GOOD, "{}", "--threshold", "2", "--config", "{config}"),
        ("project", "create", "--dataset", "{folder}", "--verifier", "{}", "--threshold", "1", "--config",
         "{config}"),
        ("verify", "1", "--config", "{config}", "--retrain", "{}"),
        ("audit", "1", "--config", "{config}", "--solver", "{}"),
        ("devnet", "fund", "{}", "--tokens", "1", "--dir", "{folder}"),
    ],
)  # fmt: skip
def test_attack_a_command_refuses_a_wrong_checksum_before_it_does_anything(
    tmp_path: Path, text: str, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    config = node_file(tmp_path)
    arguments = [item.format(text, config=config, folder=tmp_path) for item in command]
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == Exit.USAGE
    shown = capsys.readouterr().err
    assert text in shown
    assert "checksum" in shown
    assert "what to do" in shown
