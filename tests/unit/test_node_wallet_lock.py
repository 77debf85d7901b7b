"""One wallet is held by one node, whichever folders the nodes have."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from jepanet.chain.keys.wallet_files import create_wallet, password_of
from jepanet.errors import Exit, Fatal
from jepanet.interface.arguments.node import start
from jepanet.node.wallet_lock import wallet_lock
from jepanet.types import Address

pytestmark = pytest.mark.unit

WALLET = Address("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
OTHER = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
NO_LOCKS_HERE = Path("/proc")
"""A folder in which nobody can make a file, root included."""
DEPLOYMENT = {
    "schema": "jepanet/deployment/2",
    "chain_id": 31337,
    "confirmations": 2,
    "block": {"number": 1, "hash": "0x" + "11" * 32, "timestamp": 5},
    "contracts": dict.fromkeys(("token", "rounds", "lens"), OTHER),
}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def refused(keystores: Path, address: Address = WALLET, chain_id: int = 1) -> Fatal:
    with pytest.raises(Fatal) as caught, wallet_lock(keystores, address, chain_id):
        pass
    return caught.value


def test_a_wallet_is_held_once_and_released(tmp_path: Path) -> None:
    for _ in range(2):
        with wallet_lock(tmp_path, WALLET, 1):
            error = refused(tmp_path)
            assert error.code is Exit.ALREADY_RUNNING
            assert WALLET in error.message
            assert error.remedy


def test_other_wallets_and_other_chains_are_free(tmp_path: Path) -> None:
    with wallet_lock(tmp_path, WALLET, 1), wallet_lock(tmp_path, OTHER, 1), wallet_lock(tmp_path, WALLET, 2):
        pass


def test_a_copy_of_the_keystore_is_the_same_wallet(tmp_path: Path) -> None:
    with wallet_lock(tmp_path / "a", WALLET, 1):
        assert refused(tmp_path / "b").code is Exit.ALREADY_RUNNING


def test_another_user_s_state_folder_does_not_free_a_shared_keystore(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wallet_lock(tmp_path, WALLET, 1):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
        assert refused(tmp_path).code is Exit.ALREADY_RUNNING


def test_a_read_only_keystore_folder_is_locked_elsewhere(state: Path) -> None:
    with wallet_lock(NO_LOCKS_HERE, WALLET, 1):
        assert refused(NO_LOCKS_HERE).code is Exit.ALREADY_RUNNING
        assert [path.name for path in (state / "jepanet/wallets").iterdir()] == [f"{WALLET}-1.lock"]


def test_a_home_that_cannot_be_written_leaves_the_lock_beside_the_keystore(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(NO_LOCKS_HERE))
    with wallet_lock(tmp_path, WALLET, 1):
        assert refused(tmp_path).code is Exit.ALREADY_RUNNING
    error = refused(NO_LOCKS_HERE)
    assert error.code is Exit.CONFIG
    assert "XDG_STATE_HOME" in (error.remedy or "")


def test_a_second_node_with_other_folders_is_refused(tmp_path: Path) -> None:
    made = create_wallet(tmp_path / "wallet", password_of("x"), scrypt_n=16)
    (tmp_path / "password").write_text("x")
    (tmp_path / "password").chmod(0o600)
    (tmp_path / "deployment.json").write_text(json.dumps(DEPLOYMENT))
    (tmp_path / "node.toml").write_text("""
[node]
data_dir = "second"
roles = ["solver"]
[wallet]
directory = "wallet"
password_file = "password"
[chain]
endpoints = ["http://127.0.0.1:9"]
deployment = "deployment.json"
[p2p]
allow_isolated = true
""")
    with wallet_lock(tmp_path / "wallet", made.address, 31337), pytest.raises(Fatal) as caught:
        asyncio.run(start(tmp_path / "node.toml"))
    assert caught.value.code is Exit.ALREADY_RUNNING
    assert made.address in caught.value.message
    assert not (tmp_path / "second").exists()
