"""Wallet files: Web3 Secret Storage v3 (scrypt, AES-128-CTR), one per account, readable by its owner alone.

Encrypting and decrypting take a second or two of CPU on purpose: call them in a thread from a running loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eth_account import Account

from jepanet.chain.keys.keystore import SCRYPT_N, address_in, check_opens, make_keystore, open_keystore
from jepanet.chain.keys.password import Password, password_of, read_password
from jepanet.chain.keys.wallet import SignedTransaction, Wallet, recover_typed
from jepanet.errors import Exit, Fatal
from jepanet.files import write_atomically, write_new
from jepanet.telemetry import Secret
from jepanet.types import Address

__all__ = [
    "SCRYPT_N",
    "Password",
    "SignedTransaction",
    "Wallet",
    "WalletFile",
    "change_password",
    "create_wallet",
    "find_wallet",
    "import_key",
    "import_keystore",
    "list_wallets",
    "load_wallet",
    "password_of",
    "read_password",
    "recover_typed",
]


@dataclass(frozen=True, slots=True)
class WalletFile:
    """A wallet on disk, still locked."""

    address: Address
    path: Path


def create_wallet(directory: Path, password: Password, *, scrypt_n: int = SCRYPT_N) -> WalletFile:
    """Makes a new account and stores it. Raises: Fatal (Exit.WALLET) as `import_key`."""
    return _store(directory, Wallet.from_key(Secret(bytes(Account.create().key))), password, scrypt_n)


def import_key(
    directory: Path, key: Secret[str], password: Password, *, scrypt_n: int = SCRYPT_N
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
    directory: Path, source: Path, password: Password, *, scrypt_n: int = SCRYPT_N
) -> WalletFile:
    """Copies a v3 keystore file made elsewhere, encrypted anew under the same password.

    Raises:
        Fatal: as `import_key`; `source` is no keystore, is readable by others, or the password is wrong.
    """
    return _store(directory, open_keystore(source, password), password, scrypt_n)


def list_wallets(directory: Path) -> tuple[WalletFile, ...]:
    """The wallets of a directory, by address; none if it does not exist.

    Raises:
        Fatal: a .json file in it is no keystore.
    """
    if not directory.is_dir():
        return ()
    return tuple(
        sorted(
            (WalletFile(address_in(path), path) for path in directory.glob("*.json")),
            key=lambda file: file.address,
        )
    )


def load_wallet(directory: Path, password: Password, address: Address | None = None) -> Wallet:
    """Unlocks the wallet of `address`, or the only one there is.

    Raises:
        Fatal: none or several match, the password is wrong, or the file is readable by others (Exit.WALLET).
    """
    return open_keystore(find_wallet(directory, address).path, password)


def change_password(
    directory: Path,
    old: Password,
    new: Password,
    address: Address | None = None,
    *,
    scrypt_n: int = SCRYPT_N,
) -> WalletFile:
    """Encrypts a wallet anew; the old file is replaced only once the new content opened under `new`.

    Raises:
        Fatal: as `load_wallet` for `old`, or `new` is empty or not UTF-8 (Exit.WALLET).
    """
    new.chosen()
    file = find_wallet(directory, address)
    wallet = open_keystore(file.path, old)
    data = make_keystore(file.path, wallet, new, scrypt_n)
    check_opens(file.path, data, wallet, new)  # the only copy of the key is not replaced by hope
    write_atomically(file.path, data, mode=0o600, code=Exit.WALLET)
    return file


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


def _store(directory: Path, wallet: Wallet, password: Password, scrypt_n: int) -> WalletFile:
    password.chosen()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_mode & 0o077:
        raise Fatal(f"{directory} is open to other users", remedy=f"chmod 700 {directory}", code=Exit.WALLET)
    path = directory / f"{wallet.address}.json"
    try:
        write_new(path, make_keystore(path, wallet, password, scrypt_n), code=Exit.WALLET)
    except FileExistsError:
        raise Fatal(
            f"{path} already exists", remedy="move it away first if it must be replaced", code=Exit.WALLET
        ) from None
    return WalletFile(wallet.address, path)
