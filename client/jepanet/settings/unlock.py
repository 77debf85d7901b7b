"""The wallet that a configuration names, unlocked with the password from the place it names."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from jepanet.chain.keys.wallet_files import Password, Wallet, load_wallet, password_of, read_password
from jepanet.errors import Exit, Fatal
from jepanet.settings.config import WalletSection
from jepanet.telemetry import Secret

_taken: dict[str, Secret[str]] = {}
"""Passwords taken out of the environment, so that no process started later inherits them."""


def unlock(section: WalletSection) -> Wallet:
    """The wallet a configuration names. Raises: Fatal (exit code `WALLET`)."""
    return load_wallet(section.directory, _password(section), section.address)


def _password(section: WalletSection) -> Password:
    """From the one place the section names, or else asked for."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    folder = Path(credentials) if credentials else None
    if section.password_env is not None:
        return _from_environment(section.password_env)
    if section.password_credential is None:
        return read_password(section.password_file, credentials=folder)
    if folder is None and sys.stdin.isatty():  # an operator's command beside the service
        return read_password(None, credentials=None)
    if folder is None:
        raise Fatal(
            "wallet.password_credential is set, and the service manager handed in no credentials",
            remedy="start the node as a systemd unit with LoadCredential=, call commands at a terminal, "
            "where the password is asked for, or use wallet.password_file",
            code=Exit.WALLET,
        )
    return read_password(folder / section.password_credential, credentials=folder)


def _from_environment(name: str) -> Password:
    if name in os.environ:
        _taken[name] = Secret(os.environ.pop(name))
    if name not in _taken:
        raise Fatal(
            f"wallet.password_env names {name}, which is not set",
            remedy=f"set {name} to the wallet's password, or use wallet.password_file",
            code=Exit.WALLET,
        )
    return password_of(_taken[name].reveal(), f"in ${name}")
