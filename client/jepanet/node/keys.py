"""Wallets for the command line: thin steps over `jepanet.chain.wallet`."""

from __future__ import annotations

from pathlib import Path

from jepanet.chain.wallet import (
    SCRYPT_N,
    Wallet,
    create_wallet,
    import_key,
    import_keystore,
    list_wallets,
    load_wallet,
    read_password,
    refuse_shared,
)
from jepanet.node.config import WalletSection
from jepanet.telemetry import Secret

_LIGHT = 2**12


def new(directory: Path, password_file: Path | None, *, light: bool = False) -> dict[str, str]:
    """Creates an account; asks twice for a password unless a file holds it.

    `light` makes a keystore that unlocks at once and resists guessing no better: for development only.
    """
    password = read_password(password_file, confirm=True)
    made = create_wallet(directory.expanduser(), password, scrypt_n=_LIGHT if light else SCRYPT_N)
    return {"address": made.address, "keystore": str(made.path)}


def bring(directory: Path, source: Path, password_file: Path | None) -> dict[str, str]:
    """Imports a v3 keystore file, or a 0600 file that holds a private key as 64 hex digits."""
    refuse_shared(source)
    text = source.read_text(encoding="utf-8", errors="replace")
    if text.lstrip().startswith("{"):
        made = import_keystore(directory.expanduser(), source, read_password(password_file))
    else:
        password = read_password(password_file, confirm=True)
        made = import_key(directory.expanduser(), Secret(text.strip()), password)
    return {"address": made.address, "keystore": str(made.path)}


def listed(directory: Path) -> list[dict[str, str]]:
    """Every wallet of a folder, still locked."""
    return [
        {"address": item.address, "keystore": str(item.path)} for item in list_wallets(directory.expanduser())
    ]


def unlock(section: WalletSection) -> Wallet:
    """The wallet a configuration names. Raises: Fatal (exit code `WALLET`)."""
    return load_wallet(section.directory, read_password(section.password_file), section.address)
