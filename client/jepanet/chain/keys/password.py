"""The password of a wallet: from a file, the environment or the terminal, always read in the same way.

The first line counts, without its line end and without a byte order mark; spaces belong to it. Letters with
accents can be written as one code point or as two (NFC, NFD: https://unicode.org/reports/tr15/) and look the
same, so a keystore is made under NFC and opened under what was given, NFC or NFD.
"""

from __future__ import annotations

import getpass
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from jepanet.chain.keys.secret_files import read_secret
from jepanet.errors import Exit, Fatal
from jepanet.telemetry import Secret
from jepanet.texts import decode_text

_REPLACEMENT = "\ufffd"
_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Reading:
    """One text a keystore may be under. `former`: not a reading that a keystore is made under today."""

    text: Secret[str]
    former: bool = False


@dataclass(frozen=True, slots=True)
class Password:
    """A password as it was given.

    `refusal`: why it cannot be read; it then makes no keystore. `former`: what version 0.1 took it for where
    that differs. It decoded files with replacement, so that every byte of another encoding became the same
    character: many passwords were one. A keystore made so is still opened, by this version and no later one.
    """

    given: Secret[str]
    refusal: Fatal | None = None
    former: Secret[str] | None = None

    def chosen(self) -> Secret[str]:
        """What a new keystore is encrypted under: NFC.

        Raises:
            Fatal: not readable as UTF-8, or damaged by a conversion (Exit.WALLET).
        """
        if self.refusal is not None:
            raise self.refusal
        if _is_former(self.given.reveal()):
            # Also keeps what `former` can be apart from every keystore that is made now.
            raise Fatal(
                "the password has a character that stands for unreadable ones (U+FFFD): a conversion lost "
                "what was there",
                remedy="write the password again, in UTF-8",
                code=Exit.WALLET,
            )
        return Secret(unicodedata.normalize("NFC", self.given.reveal()))

    def readings(self) -> tuple[Reading, ...]:
        """What to try on a keystore, in this order: as given, NFC, NFD, then what version 0.1 would have."""
        texts: dict[str, bool] = {}
        if self.refusal is None:
            given = self.given.reveal()
            for text in (given, unicodedata.normalize("NFC", given), unicodedata.normalize("NFD", given)):
                texts.setdefault(text, _is_former(text))
        if self.former is not None:
            texts.setdefault(self.former.reveal(), True)
        return tuple(Reading(Secret(text), former) for text, former in texts.items())


def password_of(text: str, source: str = "from the terminal") -> Password:
    """A password that is text already; `source` says in messages where it comes from.

    Raises:
        Fatal: it is empty, or holds bytes that are not UTF-8 (Exit.WALLET).
    """
    try:
        data = text.encode()
    except UnicodeEncodeError:  # how Python passes on bytes of the environment that are not UTF-8
        raise Fatal(
            f"the password {source} is not UTF-8",
            remedy="set it in a UTF-8 locale, or use a file",
            code=Exit.WALLET,
        ) from None
    return _password(data, "password", source)


def read_password(
    file: Path | None,
    *,
    confirm: bool = False,
    prompt: str = "Wallet password",
    credentials: Path | None = None,
) -> Password:
    """The password from a file's first line, or asked for at the terminal. `credentials`: see `read_secret`.

    A file that is not UTF-8 is refused only when the password is used, since it may open a former keystore.

    Raises:
        Fatal: no terminal and no file, an empty password, two entries that differ, or a file others can read.
    """
    if file is not None:
        data = read_secret(file, "password file", credentials=credentials)
        return _password(data, "password file", str(file))
    if not sys.stdin.isatty():
        raise Fatal(
            "the wallet is locked and there is no terminal to ask for its password",
            remedy="name a password file (mode 0600), or set wallet.password_env",
            code=Exit.WALLET,
        )
    text = getpass.getpass(f"{prompt}: ")
    if confirm and getpass.getpass("Again: ") != text:
        raise Fatal("the two passwords differ", remedy="try again", code=Exit.WALLET)
    return password_of(text)


def _password(data: bytes, what: str, source: str) -> Password:
    former = _first_line(data.decode("utf-8", "replace"))
    refusal, given = None, ""
    try:
        given = _first_line(decode_text(data, what, source, code=Exit.WALLET))
    except Fatal as error:
        refusal = error
    if not (given or former.removeprefix(_MARK)):
        raise Fatal("the wallet password is empty", remedy="choose one", code=Exit.WALLET)
    return Password(Secret(given), refusal, Secret(former) if refusal or former != given else None)


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0].removesuffix("\r")


def _is_former(text: str) -> bool:
    return _REPLACEMENT in text
