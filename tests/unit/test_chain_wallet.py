"""Wallet files and signatures: what is refused, and that nothing secret shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from eth_keys.constants import SECPK1_N

from jepanet.chain.devchain.anvil import public_test_accounts
from jepanet.chain.keys.wallet_files import (
    Wallet,
    create_wallet,
    import_key,
    import_keystore,
    list_wallets,
    load_wallet,
    password_of,
    read_password,
    recover_typed,
)
from jepanet.errors import Exit, Fatal, Rejected
from jepanet.telemetry import Secret
from jepanet.types import Address

pytestmark = pytest.mark.unit

N = 2**8
PASSWORD = password_of("correct horse")
PUBLIC = public_test_accounts(1)[0]
TYPED: dict[str, Any] = {
    "types": {
        "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "chainId", "type": "uint256"}],
        "Note": [{"name": "text", "type": "string"}, {"name": "number", "type": "int64"}],
    },
    "primaryType": "Note",
    "domain": {"name": "jepanet", "chainId": 1},
    "message": {"text": "hello", "number": -3},
}


def test_signing_uses_libsecp256k1() -> None:
    from eth_keys import keys
    from eth_keys.backends import CoinCurveECCBackend

    assert isinstance(keys.PrivateKey(PUBLIC.key.reveal()).backend, CoinCurveECCBackend)


def test_create_list_load(tmp_path: Path) -> None:
    folder = tmp_path / "wallets"
    assert list_wallets(folder) == ()
    made = create_wallet(folder, PASSWORD, scrypt_n=N)
    assert list_wallets(folder) == (made,)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == [made.path.name]
    wallet = load_wallet(folder, PASSWORD)
    assert wallet.address == made.address
    assert load_wallet(folder, PASSWORD, Address(made.address.lower())) == wallet


def test_import_by_hex_and_by_file(tmp_path: Path) -> None:
    by_hex = import_key(tmp_path / "a", Secret("0x" + PUBLIC.key.reveal().hex()), PASSWORD, scrypt_n=N)
    assert by_hex.address == PUBLIC.address
    by_file = import_keystore(tmp_path / "b", by_hex.path, PASSWORD, scrypt_n=N)
    assert by_file.address == PUBLIC.address
    assert load_wallet(tmp_path / "b", PASSWORD).key == PUBLIC.key


def test_an_existing_wallet_is_never_overwritten(tmp_path: Path) -> None:
    key = Secret(PUBLIC.key.reveal().hex())
    made = import_key(tmp_path / "w", key, PASSWORD, scrypt_n=N)
    before = made.path.read_bytes()
    with pytest.raises(Fatal, match="already exists") as caught:
        import_key(tmp_path / "w", key, password_of("another"), scrypt_n=N)
    assert caught.value.code is Exit.WALLET
    assert made.path.read_bytes() == before
    assert len(list((tmp_path / "w").iterdir())) == 1


def test_wrong_password_says_so(tmp_path: Path) -> None:
    create_wallet(tmp_path / "w", PASSWORD, scrypt_n=N)
    with pytest.raises(Fatal, match="the password does not open") as caught:
        load_wallet(tmp_path / "w", password_of("wrong"))
    assert caught.value.code is Exit.WALLET


@pytest.mark.parametrize("failure", [MemoryError(), ValueError("Error 2 while running scrypt")])
def test_too_little_memory_is_not_a_wrong_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    create_wallet(tmp_path / "w", PASSWORD, scrypt_n=N)

    def refused(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr("eth_keyfile.keyfile.scrypt", refused)
    for attempt in (
        lambda: load_wallet(tmp_path / "w", PASSWORD),
        lambda: create_wallet(tmp_path / "v", PASSWORD, scrypt_n=N),
    ):
        with pytest.raises(Fatal, match="too little memory") as caught:
            attempt()
        assert caught.value.code is Exit.OUT_OF_MEMORY
        assert "password" not in (caught.value.remedy or "")
    assert list((tmp_path / "v").iterdir()) == []


@pytest.mark.subprocess
def test_scrypt_under_a_real_limit_names_the_memory(tmp_path: Path) -> None:
    create_wallet(tmp_path / "w", PASSWORD, scrypt_n=2**17)  # 128 MiB
    script = """
import resource, sys
from pathlib import Path
import psutil
from jepanet.chain.keys.wallet_files import load_wallet, password_of
from jepanet.errors import Fatal
limit = psutil.Process().memory_info().vms + (32 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
try:
    load_wallet(Path(sys.argv[1]), password_of("correct horse"))
except Fatal as error:
    print(int(error.code), error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "w")], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith("25 there is too little memory"), done.stdout + done.stderr


def test_a_keystore_no_password_opens_is_not_called_a_wrong_password(tmp_path: Path) -> None:
    made = create_wallet(tmp_path / "w", PASSWORD, scrypt_n=N)
    document = json.loads(made.path.read_text())
    for broken in ({"kdf": "argon"}, {"ciphertext": "zz"}, {"mac": 7}):
        made.path.write_text(json.dumps({**document, "crypto": {**document["crypto"], **broken}}))
        with pytest.raises(Fatal) as caught:
            load_wallet(tmp_path / "w", PASSWORD)
        assert "does not open" not in str(caught.value), broken
        assert caught.value.code is Exit.WALLET
        assert caught.value.remedy


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o622])
def test_files_open_to_others_are_refused(tmp_path: Path, mode: int) -> None:
    made = create_wallet(tmp_path / "w", PASSWORD, scrypt_n=N)
    made.path.chmod(mode)
    with pytest.raises(Fatal, match=f"chmod 600 {made.path}"):
        load_wallet(tmp_path / "w", PASSWORD)
    file = tmp_path / "password"
    file.write_text("secret\n")
    file.chmod(mode)
    with pytest.raises(Fatal, match=f"chmod 600 {file}"):
        read_password(file)


def test_a_directory_open_to_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir(mode=0o755)
    (tmp_path / "w").chmod(0o755)
    with pytest.raises(Fatal, match="chmod 700"):
        create_wallet(tmp_path / "w", PASSWORD, scrypt_n=N)


def test_password_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "password"
    file.write_text("päss word\nsecond line\n")
    file.chmod(0o600)
    assert read_password(file).chosen().reveal() == "päss word"
    file.write_text("\n")
    with pytest.raises(Fatal, match="empty"):
        read_password(file)
    with pytest.raises(Fatal, match="cannot read") as missing:
        read_password(tmp_path / "missing")
    assert missing.value.remedy
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(Fatal, match="no terminal"):
        read_password(None)


def test_no_wallet_and_several_wallets(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="jepanet wallet new"):
        load_wallet(tmp_path / "w", PASSWORD)
    first, second = (create_wallet(tmp_path / "w", PASSWORD, scrypt_n=N) for _ in range(2))
    with pytest.raises(Fatal, match="several wallets") as caught:
        load_wallet(tmp_path / "w", PASSWORD)
    assert first.address in str(caught.value)
    assert load_wallet(tmp_path / "w", PASSWORD, second.address).address == second.address


@pytest.mark.parametrize("text", ["", "0x12", "zz" * 32, "00" * 32, f"{SECPK1_N:064x}"])
def test_bad_keys_are_refused_without_showing_them(tmp_path: Path, text: str) -> None:
    with pytest.raises(Fatal, match="not a private key") as caught:
        import_key(tmp_path / "w", Secret(text), PASSWORD, scrypt_n=N)
    assert not text or text not in str(caught.value)
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"version": 4, "crypto": {}}',
        b'{"version": 3, "crypto": 1}',
        b"{" * 70_000,
    ],
)
def test_files_that_are_no_keystores_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(Fatal) as caught:
        import_keystore(tmp_path / "w", path, PASSWORD, scrypt_n=N)
    assert caught.value.code is Exit.WALLET


def test_a_keystore_that_would_eat_all_memory_is_refused(tmp_path: Path) -> None:
    made = create_wallet(tmp_path / "w", PASSWORD, scrypt_n=N)
    document = json.loads(made.path.read_text())
    document["crypto"]["kdfparams"]["n"] = 2**30
    made.path.write_text(json.dumps(document))
    with pytest.raises(Fatal, match="unreasonable"):
        load_wallet(tmp_path / "w", PASSWORD)


def test_a_keystore_that_lies_about_its_address_is_refused(tmp_path: Path) -> None:
    made = create_wallet(tmp_path / "w", PASSWORD, scrypt_n=N)
    document = json.loads(made.path.read_text())
    document["address"] = PUBLIC.address.removeprefix("0x").lower()
    made.path.write_text(json.dumps(document))
    with pytest.raises(Fatal, match="holds the key of"):
        load_wallet(tmp_path / "w", PASSWORD)


def test_nothing_secret_is_printed() -> None:
    wallet = Wallet.from_key(PUBLIC.key)
    assert PUBLIC.key.reveal().hex() not in f"{wallet!r} {wallet} {PASSWORD!r}"
    assert PASSWORD.given.reveal() not in f"{PASSWORD} {PASSWORD!r}"


# ------------------------------------------------------------------ signatures


def test_sign_and_recover() -> None:
    wallet = Wallet.from_key(PUBLIC.key)
    signature = wallet.sign_typed(TYPED)
    assert len(signature) == 65
    assert signature[64] in (27, 28)
    assert signature == wallet.sign_typed(TYPED)
    assert recover_typed(TYPED, signature) == wallet.address
    other = {**TYPED, "domain": {"name": "jepanet", "chainId": 2}}
    assert recover_typed(other, signature) != wallet.address


def test_the_malleable_twin_is_refused() -> None:
    signature = Wallet.from_key(PUBLIC.key).sign_typed(TYPED)
    s = SECPK1_N - int.from_bytes(signature[32:64], "big")
    twin = signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])
    with pytest.raises(Rejected, match="lower half") as caught:
        recover_typed(TYPED, twin)
    assert caught.value.reason == "bad-signature"


@pytest.mark.parametrize("v", [0, 1, 2, 26, 29, 255])
def test_other_values_of_v_are_refused(v: int) -> None:
    signature = Wallet.from_key(PUBLIC.key).sign_typed(TYPED)
    with pytest.raises(Rejected):
        recover_typed(TYPED, signature[:64] + bytes([v]))


@pytest.mark.parametrize("length", [0, 64, 66, 130])
def test_other_lengths_are_refused(length: int) -> None:
    with pytest.raises(Rejected):
        recover_typed(TYPED, bytes(length))


def test_signatures_no_key_made_are_refused() -> None:
    for r, s in ((0, 1), (SECPK1_N, 1), (2**256 - 1, 1), (1, 0), (5, 1)):
        with pytest.raises(Rejected):
            recover_typed(TYPED, r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27]))
