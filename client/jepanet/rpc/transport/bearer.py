"""Tokens that let callers in: one for each scope, each in a file that only the node's account can read.

They are made at the first start and kept. Who deletes one and starts the node anew has a new one, and who
held the old one is out.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from jepanet.errors import Exit, Fatal
from jepanet.files import write_new
from jepanet.rpc.method import Scope
from jepanet.telemetry import Secret

_BYTES = 32
_FORM = re.compile(r"[A-Za-z0-9_-]{43}")
_HEADER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9_-]{43})")
_LONGEST_FILE = 256
SPOKEN = "jepanet.rpc"
"""The subprotocol of a WebSocket that a page opens."""
_OFFERED = re.compile(rf"{re.escape(SPOKEN)} *, *bearer\.([A-Za-z0-9_-]{{43}})")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Tokens:
    """The tokens of a running server; compared as digests, which takes no time by what is equal."""

    def __init__(self, tokens: Mapping[Scope, Secret[str]]) -> None:
        self._digests = {scope: _digest(token.reveal()) for scope, token in tokens.items()}
        self._tokens = tokens

    def of(self, scope: Scope) -> Secret[str]:
        """The token of a scope, for whoever was let in."""
        return self._tokens[scope]

    def scopes(self, header: str | None) -> frozenset[Scope] | None:
        """What the bearer of an `Authorization` header may do; None for nobody known here."""
        said = _HEADER.fullmatch(header or "")
        given = _digest(said.group(1) if said else "")
        # All of them, always: how long it takes says nothing of which one was nearly right.
        known = [scope for scope, digest in self._digests.items() if hmac.compare_digest(digest, given)]
        return known[0].includes if said and known else None


def bearer_of_socket(authorization: str | None, protocols: str | None) -> str | None:
    """The `Authorization` header that a request for a WebSocket stands for.

    A page cannot send that header there; it offers `jepanet.rpc, bearer.TOKEN` as subprotocols, of which the
    first is chosen. Any other offer stands for nobody: the library would write it to the log.
    """
    if protocols is None:
        return authorization
    said = _OFFERED.fullmatch(protocols)
    return None if said is None or authorization is not None else f"Bearer {said.group(1)}"


def token_file(folder: Path, scope: Scope) -> Path:
    """Where the token of a scope lies."""
    return folder / f"{scope}.token"


def open_tokens(folder: Path) -> Tokens:
    """The tokens of a node, made where they are missing.

    Raises:
        Fatal: a file holds no token, is no file of its own, or is open to others (`CONFIG`); it cannot be
            written.
    """
    return Tokens({scope: _kept(token_file(folder, scope)) for scope in Scope})


def _kept(path: Path) -> Secret[str]:
    try:
        write_new(path, f"{secrets.token_urlsafe(_BYTES)}\n".encode(), mode=0o600)
    except FileExistsError:
        pass
    return read_token(path)


def read_token(path: Path) -> Secret[str]:
    """The token in a file.

    Raises: Fatal: as `open_tokens` (exit code `CONFIG`).
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise _unusable(path, "is no regular file")
        if found.st_mode & _OTHERS:
            raise Fatal(
                f"the token file {path} is open to other accounts",
                remedy=f"delete it, since others may know it; the next start makes a new one (rm {path})",
                code=Exit.CONFIG,
            )
        text = file.read(_LONGEST_FILE).decode("ascii", errors="replace").strip()
    if not _FORM.fullmatch(text):
        raise _unusable(path, f"does not hold {_BYTES} bytes in URL-safe base64")
    return Secret(text)


def _unusable(path: Path, why: str) -> Fatal:
    return Fatal(
        f"the token file {path} {why}",
        remedy="delete it; the next start makes a new one",
        code=Exit.CONFIG,
    )


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
