"""`jepanet wallet`: keystore v3 files, one account each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.configured import CONFIG_FILE
from jepanet.interface.strict import StrictGroup
from jepanet.interface.terminal.output import emit, json_option, pairs, shown, table

if TYPE_CHECKING:
    from jepanet.operations.views.funds import Account
    from jepanet.operations.views.local import Keystore

_DIRECTORY = click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("~/.jepanet/wallets"),
    show_default=True,
    envvar="JEPANET_WALLET_DIRECTORY",
    help="Folder of the keystore files.",
)
_PASSWORD = click.option(
    "--password-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File (mode 0600) whose first line is the password; asked for otherwise.",
)


_LIGHT = click.option(
    "--light", is_flag=True, help="Weak key derivation that unlocks at once: development only."
)


@click.group("wallet", cls=StrictGroup)
def command() -> None:
    """Create, import, list and re-encrypt wallets. Keys never leave their encrypted files unasked.

    \b
    Examples:
      jepanet wallet new
      jepanet wallet import key.txt --password-file pw.txt
      jepanet wallet list --json
    """


@command.command("new")
@_DIRECTORY
@_PASSWORD
@_LIGHT
@json_option
def new(directory: Path, password_file: Path | None, light: bool, as_json: bool) -> None:
    """Create a new account.

    Example: jepanet wallet new --dir ./wallets --password-file pw.txt
    """
    from jepanet.operations import keys

    emit(
        keys.new(directory, password_file, light=light),
        as_json,
        lambda made: pairs("New wallet", shown(made)),
    )


@command.command("import")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_DIRECTORY
@_PASSWORD
@json_option
def bring(source: Path, directory: Path, password_file: Path | None, as_json: bool) -> None:
    """Import SOURCE: a v3 keystore, or a 0600 file with a private key in hex.

    Example: jepanet wallet import UTC--2026-01-01.json
    """
    from jepanet.operations import keys

    made = keys.bring(directory, source, password_file)
    emit(made, as_json, lambda value: pairs("Imported wallet", shown(value)))


@command.command("password")
@click.argument("address", required=False)
@_DIRECTORY
@_PASSWORD
@click.option(
    "--new-password-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File (mode 0600) whose first line is the new password; asked for otherwise.",
)
@_LIGHT
@json_option
def password(
    address: str | None,
    directory: Path,
    password_file: Path | None,
    new_password_file: Path | None,
    light: bool,
    as_json: bool,
) -> None:
    """Encrypt a wallet under a new password. ADDRESS is needed if the folder holds several.

    Also for a keystore that version 0.1 made from a password file that was not UTF-8: give that file as it
    is, and the new password in UTF-8.

    Example: jepanet wallet password --password-file old.txt --new-password-file new.txt
    """
    from jepanet.operations import keys

    made = keys.change(directory, address, password_file, new_password_file, light=light)
    emit(made, as_json, lambda value: pairs("Wallet encrypted anew", shown(value)))


@command.command("list")
@_DIRECTORY
@json_option
def listed(directory: Path, as_json: bool) -> None:
    """List the wallets of a folder.

    Example: jepanet wallet list
    """
    from jepanet.operations import keys

    def show(items: tuple[Keystore, ...]) -> None:
        table("Wallets", ("address", "keystore"), [(item.address, item.keystore) for item in items])

    emit(keys.listed(directory), as_json, show)


@command.command("show")
@click.option("--config", "config_path", type=CONFIG_FILE, required=True,
              envvar="JEPANET_CONFIG", help="The node's TOML file.")  # fmt: skip
@json_option
def show_wallet(config_path: Path, as_json: bool) -> None:
    """Show the balances and stake of a node's wallet.

    Example: jepanet wallet show --config node.toml
    """
    import asyncio

    from jepanet.operations.access import open_chain
    from jepanet.operations.funds.stake import balances
    from jepanet.settings.config import load_config
    from jepanet.settings.unlock import unlock

    async def held() -> Account:
        config = load_config(config_path)
        async with open_chain(config.chain) as chain:
            return await balances(chain, unlock(config.wallet).address)

    title = "Wallet (amounts in tokens; native in ether)"
    emit(asyncio.run(held()), as_json, lambda value: pairs(title, shown(value)))
