"""`jepanet wallet`: keystores made, imported, listed, encrypted anew."""

from __future__ import annotations

from pathlib import Path

from jepanet.chain.keys.secret_files import read_secret_text
from jepanet.chain.keys.wallet_files import (
    SCRYPT_N,
    change_password,
    create_wallet,
    import_key,
    import_keystore,
    list_wallets,
    read_password,
)
from jepanet.operations.views.local import Keystore
from jepanet.settings.terms import accounts
from jepanet.telemetry import Secret

_LIGHT = 2**12


def new(directory: Path, password_file: Path | None, *, light: bool = False) -> Keystore:
    """Creates an account; asks twice for a password unless a file holds it.

    `light` makes a keystore that unlocks at once and resists guessing no better: for development only.
    """
    password = read_password(password_file, confirm=True)
    made = create_wallet(directory.expanduser(), password, scrypt_n=_cost(light))
    return Keystore(made.address, made.path)


def bring(directory: Path, source: Path, password_file: Path | None) -> Keystore:
    """Imports a v3 keystore file, or a 0600 file that holds a private key as 64 hex digits."""
    text = read_secret_text(source, "key file")
    if text.lstrip().startswith("{"):
        made = import_keystore(directory.expanduser(), source, read_password(password_file))
    else:
        password = read_password(password_file, confirm=True)
        made = import_key(directory.expanduser(), Secret(text.strip()), password)
    return Keystore(made.address, made.path)


def change(
    directory: Path, address: str | None, old_file: Path | None, new_file: Path | None, *, light: bool = False
) -> Keystore:
    """Encrypts a wallet under another password, or under the same one as it is read today."""
    named = None if address is None else accounts([address])[0]
    old = read_password(old_file, prompt="Present password")
    wanted = read_password(new_file, confirm=True, prompt="New password")
    made = change_password(directory.expanduser(), old, wanted, named, scrypt_n=_cost(light))
    return Keystore(made.address, made.path)


def listed(directory: Path) -> tuple[Keystore, ...]:
    """Every wallet of a folder, still locked."""
    return tuple(Keystore(item.address, item.path) for item in list_wallets(directory.expanduser()))


def _cost(light: bool) -> int:
    return _LIGHT if light else SCRYPT_N
