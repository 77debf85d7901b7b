"""Wallet files: Web3 Secret Storage v3 (scrypt, AES-128-CTR), one per account, readable by its owner alone.

Encrypting and decrypting take a second or two of CPU on purpose: call them in a thread from a running loop.
"""

from __future__ import annotations

import getpass
import json
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_keyfile.exceptions import EthKeyfileValueError

from jepanet.chain.signing import SignedTransaction, Wallet, recover_typed
from jepanet.errors import Exit, Fatal
from jepanet.files import write_new
from jepanet.protocol.fields import checksum_address
from jepanet.telemetry import Secret
from jepanet.types import Address

__all__ = [
    "SCRYPT_N",
    "SignedTransaction",
    "Wallet",
    "WalletFile",
    "create_wallet",
    "import_key",
    "import_keystore",
    "list_wallets",
    "load_wallet",
    "read_password",
    "recover_typed",
]

SCRYPT_N = 2**18
"""scrypt cost of new files (r = 8, p = 1): 256 MiB and about a second."""
_MAX_FILE = 1 << 16
_MAX_SCRYPT_COST = 2**20 * 8
_MAX_PBKDF2_ROUNDS = 10_000_000
_ERR_MEMORY = 2
"""PyCryptodome's number (src/errors.h)."""


@dataclass(frozen=True, slots=True)
class WalletFile:
    """A wallet on disk, still locked."""

    address: Address
    path: Path


def create_wallet(directory: Path, password: Secret[str], *, scrypt_n: int = SCRYPT_N) -> WalletFile:
    """Makes a new account and stores it. Raises: Fatal (Exit.WALLET) as `import_key`."""
    return _store(directory, Wallet.from_key(Secret(bytes(Account.create().key))), password, scrypt_n)


def import_key(
    directory: Path, key: Secret[str], password: Secret[str], *, scrypt_n: int = SCRYPT_N
) -> WalletFile:
    """Stores a private key given as 64 hex digits, with or without 0x.

    Raises:
        Fatal: no key, an empty password, the account is already there, or the directory is open to others.
    """
    text = key.reveal().strip().removeprefix("0x")
    try:
        raw = bytes.fromhex(text) if len(text) == 64 else b""
    except ValueError:
        raw = b""
    return _store(directory, Wallet.from_key(Secret(raw)), password, scrypt_n)


def import_keystore(
    directory: Path, source: Path, password: Secret[str], *, scrypt_n: int = SCRYPT_N
) -> WalletFile:
    """Copies a v3 keystore file made elsewhere, encrypted anew under the same password.

    Raises:
        Fatal: as `import_key`; `source` is no keystore, is readable by others, or the password is wrong.
    """
    return _store(directory, _unlock(source, password), password, scrypt_n)


def list_wallets(directory: Path) -> tuple[WalletFile, ...]:
    """The wallets of a directory, by address; none if it does not exist.

    Raises:
        Fatal: a .json file in it is no keystore.
    """
    if not directory.is_dir():
        return ()
    return tuple(
        sorted((_describe(path) for path in directory.glob("*.json")), key=lambda file: file.address)
    )


def load_wallet(directory: Path, password: Secret[str], address: Address | None = None) -> Wallet:
    """Unlocks the wallet of `address`, or the only one there is.

    Raises:
        Fatal: none or several match, the password is wrong, or the file is readable by others (Exit.WALLET).
    """
    return _unlock(find_wallet(directory, address).path, password)


def find_wallet(directory: Path, address: Address | None = None) -> WalletFile:
    """The wallet file of `address`, or the only one there is. Raises: Fatal when none or several match."""
    files = list_wallets(directory)
    if address is not None:
        files = tuple(file for file in files if file.address.lower() == address.lower())
    if len(files) == 1:
        return files[0]
    if files:
        listed = ", ".join(file.address for file in files)
        raise Fatal(
            f"{directory} holds several wallets: {listed}", remedy="name one by its address", code=Exit.WALLET
        )
    raise Fatal(
        f"{directory} holds no wallet" + (f" of {address}" if address else ""),
        remedy="create or import one: jepanet wallet new | import",
        code=Exit.WALLET,
    )


def read_password(
    file: Path | None, *, confirm: bool = False, prompt: str = "Wallet password"
) -> Secret[str]:
    """The password from a file's first line (mode 0600), or asked for at the terminal.

    Raises:
        Fatal: no terminal and no file, an empty password, two entries that differ, or a file others can read.
    """
    if file is not None:
        refuse_shared(file)
        # At most one line: an editor's newline at the end is not part of the password.
        text = _read(file).decode("utf-8", "replace").split("\n", 1)[0].removesuffix("\r")
    elif sys.stdin.isatty():
        text = getpass.getpass(f"{prompt}: ")
        if confirm and getpass.getpass("Again: ") != text:
            raise Fatal("the two passwords differ", remedy="try again", code=Exit.WALLET)
    else:
        raise Fatal(
            "the wallet is locked and there is no terminal to ask for its password",
            remedy="name a password file (mode 0600)",
            code=Exit.WALLET,
        )
    if not text:
        raise Fatal("the wallet password is empty", remedy="choose one", code=Exit.WALLET)
    return Secret(text)


def refuse_shared(path: Path) -> None:
    """Refuses a secret file that its group or everybody may read or change.

    Raises:
        Fatal: it is shared, missing or not a file (Exit.WALLET).
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise Fatal(
            f"cannot read {path}: {error.strerror}",
            remedy="correct the path, or the permissions of the file",
            code=Exit.WALLET,
        ) from error
    if not stat.S_ISREG(mode):
        raise Fatal(f"{path} is not a file", code=Exit.WALLET)
    if mode & 0o077:
        raise Fatal(
            f"{path} is open to other users (mode {stat.S_IMODE(mode):04o})",
            remedy=f"chmod 600 {path}",
            code=Exit.WALLET,
        )


def _store(directory: Path, wallet: Wallet, password: Secret[str], scrypt_n: int) -> WalletFile:
    if not password.reveal():
        raise Fatal("the wallet password is empty", remedy="choose one", code=Exit.WALLET)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_mode & 0o077:
        raise Fatal(f"{directory} is open to other users", remedy=f"chmod 700 {directory}", code=Exit.WALLET)
    path = directory / f"{wallet.address}.json"
    try:
        document = Account.encrypt(wallet.key.reveal(), password.reveal(), kdf="scrypt", iterations=scrypt_n)
    except (MemoryError, ValueError) as error:
        raise (_no_memory(path) if _lacks_memory(error) else error) from error
    try:
        write_new(path, json.dumps(document).encode("ascii"), code=Exit.WALLET)
    except FileExistsError:
        raise Fatal(
            f"{path} already exists", remedy="move it away first if it must be replaced", code=Exit.WALLET
        ) from None
    return WalletFile(wallet.address, path)


def _unlock(path: Path, password: Secret[str]) -> Wallet:
    refuse_shared(path)
    document = _parse(path)
    _refuse_costly(path, document["crypto"])
    try:
        key = Account.decrypt(dict(document), password.reveal())
    except Exception as error:
        raise _why_locked(path, error) from error
    wallet = Wallet.from_key(Secret(bytes(key)))
    named = document.get("address")
    if named is not None and _address(path, named) != wallet.address:
        raise Fatal(f"{path} names {named} but holds the key of {wallet.address}", code=Exit.WALLET)
    return wallet


def _why_locked(path: Path, error: Exception) -> Fatal:
    """What decrypting failed for. A MAC that does not match is the one sign of a wrong password."""
    if _lacks_memory(error):
        return _no_memory(path)
    if isinstance(error, EthKeyfileValueError) and "MAC mismatch" in str(error):
        # One byte changed in the file looks the same: the MAC covers the ciphertext.
        return Fatal(
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


def _describe(path: Path) -> WalletFile:
    return WalletFile(_address(path, _parse(path).get("address")), path)


def _parse(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(_read(path))
    except ValueError as error:
        raise _no_keystore(path) from error
    lowered = (
        {str(key).lower(): value for key, value in document.items()} if isinstance(document, dict) else {}
    )
    if lowered.get("version") != 3 or not isinstance(lowered.get("crypto"), dict):
        raise _no_keystore(path)
    return lowered


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise Fatal(f"cannot read {path}: {error.strerror}", code=Exit.WALLET) from error
    if len(data) > _MAX_FILE:
        raise Fatal(f"{path} is larger than {_MAX_FILE} bytes", code=Exit.WALLET)
    return data


def _address(path: Path, value: Any) -> Address:
    try:
        return checksum_address(f"0x{str(value).removeprefix('0x')}")
    except ValueError as error:
        raise Fatal(
            f"{path} is not a version 3 keystore file: its address {error}",
            remedy="restore the file from a backup, or move it elsewhere",
            code=Exit.WALLET,
        ) from error


def _refuse_costly(path: Path, crypto: Mapping[str, Any]) -> None:
    """A file made by somebody else names its own cost; without a limit it could take all memory."""
    parameters = {str(key).lower(): value for key, value in crypto.items()}.get("kdfparams")
    if not isinstance(parameters, dict):
        raise _no_keystore(path)
    n, r, p, c = (parameters.get(name, 1) for name in ("n", "r", "p", "c"))
    if not all(isinstance(value, int) and value > 0 for value in (n, r, p, c)):
        raise _no_keystore(path)
    if n * r * p > _MAX_SCRYPT_COST or c > _MAX_PBKDF2_ROUNDS:
        raise Fatal(f"{path} demands an unreasonable amount of work to open", code=Exit.WALLET)


def _no_keystore(path: Path) -> Fatal:
    return Fatal(f"{path} is not a version 3 keystore file", remedy="move it elsewhere", code=Exit.WALLET)
