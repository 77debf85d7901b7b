"""One keystore file: Web3 Secret Storage v3 (scrypt, AES-128-CTR), made, opened, or refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from eth_account import Account
from eth_keyfile.exceptions import EthKeyfileValueError

from jepanet.addresses import checksum_address
from jepanet.chain.keys.password import Password
from jepanet.chain.keys.secret_files import MAX_SECRET_BYTES, read_secret_text
from jepanet.chain.keys.wallet import Wallet
from jepanet.errors import Exit, Fatal
from jepanet.telemetry import Secret, get_logger
from jepanet.texts import load_json, read_text
from jepanet.types import Address

SCRYPT_N = 2**18
"""scrypt cost of new files (r = 8, p = 1): 256 MiB and about a second."""
_MAX_SCRYPT_COST = 2**20 * 8
_MAX_PBKDF2_ROUNDS = 10_000_000
_ERR_MEMORY = 2
"""PyCryptodome's number (src/errors.h)."""
_KEYSTORE = "keystore"

_log = get_logger("wallet")


class _WrongPassword(Fatal):
    """The file is whole as far as can be seen, and this text does not open it."""


def make_keystore(path: Path, wallet: Wallet, password: Password, scrypt_n: int) -> bytes:
    """The content of a keystore that will lie at `path`.

    Raises:
        Fatal: the password makes no keystore (Exit.WALLET), or too little memory (Exit.OUT_OF_MEMORY).
    """
    text = password.chosen().reveal()
    try:
        document = Account.encrypt(wallet.key.reveal(), text, kdf="scrypt", iterations=scrypt_n)
    except (MemoryError, ValueError) as error:
        raise (_no_memory(path) if _lacks_memory(error) else error) from error
    return json.dumps(document).encode("ascii")


def check_opens(path: Path, data: bytes, wallet: Wallet, password: Password) -> None:
    """Raises: Fatal when `data`, meant for `path`, does not give `wallet` under `password`."""
    document = _parse(path, data.decode("ascii"))
    if Wallet.from_key(Secret(_decrypt(path, document, password))) != wallet:
        raise Fatal(f"what would replace {path} holds another key", remedy="report it", code=Exit.WALLET)


def open_keystore(path: Path, password: Password) -> Wallet:
    """The wallet in a keystore file.

    Raises:
        Fatal: no keystore, open to other users, a wrong password (all Exit.WALLET), or too little memory for
            its key derivation (Exit.OUT_OF_MEMORY).
    """
    document = _parse(path, read_secret_text(path, _KEYSTORE))
    _refuse_costly(path, cast("Mapping[str, object]", document["crypto"]))
    wallet = Wallet.from_key(Secret(_decrypt(path, document, password)))
    named = document.get("address")
    if named is not None and _address(path, named) != wallet.address:
        raise Fatal(
            f"{path} names {named} but holds the key of {wallet.address}",
            remedy="somebody altered it: restore it from a backup",
            code=Exit.WALLET,
        )
    return wallet


def _why_locked(path: Path, error: Exception) -> Fatal:
    """What decrypting failed for. A MAC that does not match is the one sign of a wrong password."""
    if _lacks_memory(error):
        return _no_memory(path)
    if isinstance(error, EthKeyfileValueError) and "MAC mismatch" in str(error):
        # One byte changed in the file looks the same: the MAC covers the ciphertext.
        return _WrongPassword(
            f"the password does not open {path}",
            remedy="check the password; if it is right the file is damaged: restore it from a backup",
            code=Exit.WALLET,
        )
    return Fatal(
        f"{path} cannot be decrypted, whatever the password ({type(error).__name__})",
        remedy="the file is damaged or of another kind: restore it from a backup, or import the key anew",
        code=Exit.WALLET,
    )


def _lacks_memory(error: Exception) -> bool:
    """PyCryptodome reports an allocation that scrypt was refused as a plain ValueError, by number."""
    return isinstance(error, MemoryError) or (
        isinstance(error, ValueError) and str(error).startswith(f"Error {_ERR_MEMORY} while running scrypt")
    )


def _no_memory(path: Path) -> Fatal:
    return Fatal(
        f"there is too little memory to derive the key of {path}; the password was not tried",
        remedy="free memory (a keystore of the usual strength takes 256 MiB) or lift the limit "
        "(ulimit -v, the container's), then try again",
        code=Exit.OUT_OF_MEMORY,
    )


def _decrypt(path: Path, document: Mapping[str, object], password: Password) -> bytes:
    """The key, under whichever reading of the password opens the file."""
    wrong: Fatal | None = password.refusal
    for reading in password.readings():
        try:
            key = _key_of(path, document, reading.text)
        except _WrongPassword as error:
            wrong = wrong or error
            continue
        if reading.former:
            _log.error(
                "password.outdated",
                keystore=str(path),
                cause="version 0.1 made it from a password that is not UTF-8: many others open it",
                remedy=f"encrypt it anew: jepanet wallet password --dir {path.parent}; the next version "
                "opens it no longer",
            )
        return key
    assert wrong is not None, "a password has a reading or a refusal"
    raise wrong


def _key_of(path: Path, document: Mapping[str, object], password: Secret[str]) -> bytes:
    try:
        return bytes(Account.decrypt(dict(document), password.reveal()))
    except Exception as error:
        raise _why_locked(path, error) from error


def address_in(path: Path) -> Address:
    """The address a keystore file names; it stays locked. Raises: Fatal (Exit.WALLET) for another file."""
    text = read_text(path, _KEYSTORE, code=Exit.WALLET, max_bytes=MAX_SECRET_BYTES)
    return _address(path, _parse(path, text).get("address"))


def _parse(path: Path, text: str) -> Mapping[str, object]:
    document = load_json(text, _KEYSTORE, path, code=Exit.WALLET)
    lowered = (
        {str(key).lower(): value for key, value in document.items()} if isinstance(document, dict) else {}
    )
    if lowered.get("version") != 3 or not isinstance(lowered.get("crypto"), dict):
        raise _no_keystore(path)
    return lowered


def _address(path: Path, value: object) -> Address:
    try:
        return checksum_address(f"0x{str(value).removeprefix('0x')}")
    except ValueError as error:
        raise Fatal(
            f"{path} is not a version 3 keystore file: its address {error}",
            remedy="restore the file from a backup, or move it elsewhere",
            code=Exit.WALLET,
        ) from error


def _refuse_costly(path: Path, crypto: Mapping[str, object]) -> None:
    """A file made by somebody else names its own cost; without a limit it could take all memory."""
    parameters = {str(key).lower(): value for key, value in crypto.items()}.get("kdfparams")
    if not isinstance(parameters, dict):
        raise _no_keystore(path)
    n, r, p, c = (parameters.get(name, 1) for name in ("n", "r", "p", "c"))
    if not all(isinstance(value, int) and value > 0 for value in (n, r, p, c)):
        raise _no_keystore(path)
    if n * r * p > _MAX_SCRYPT_COST or c > _MAX_PBKDF2_ROUNDS:
        raise Fatal(
            f"{path} demands an unreasonable amount of work to open",
            remedy="encrypt it again with the program that made it, at its usual cost",
            code=Exit.WALLET,
        )


def _no_keystore(path: Path) -> Fatal:
    return Fatal(f"{path} is not a version 3 keystore file", remedy="move it elsewhere", code=Exit.WALLET)
