"""What must not be shown to others, and texts without it.

A support bundle is put together from what is known to be harmless. Texts that others or the system wrote
(errors, tracebacks, log lines) may repeat anything, so every secret that this node has is looked up and taken
out of them, and what is left of a URL is scheme, host and port.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from jepanet.chain.endpoints.endpoint import name_of
from jepanet.settings.config import Config
from jepanet.settings.paths import Paths
from jepanet.storage.summary import secret_bytes

REMOVED = "(removed)"
_SHORTEST = 4
"""Characters: a shorter text occurs everywhere, and is nowhere written by this program."""
_SHORTEST_OF_A_PATH = 8
_MOST_BYTES = 1 << 20
_URL = re.compile(r"\b(?:https?|wss?)://[^\s\"'<>]+", re.IGNORECASE)
_ADDRESS = 40
"""Hex digits of an account's address, which is no secret."""
_HEX = re.compile(r"[0-9a-fA-F]{32,}")


class Redaction:
    """Takes the given secrets out of texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        spelled = {form for secret in secrets for form in _spellings(secret) if len(form) >= _SHORTEST}
        self._secrets = sorted(spelled, key=len, reverse=True)
        pattern = "|".join(map(re.escape, self._secrets))
        self._pattern = re.compile(pattern, re.IGNORECASE) if pattern else None

    def clean(self, text: str) -> str:
        """The text without them, and with URLs cut to scheme, host and port."""
        text = _URL.sub(lambda found: _short(found.group()), text)
        return self._pattern.sub(REMOVED, text) if self._pattern is not None else text

    def is_clean(self, text: str) -> bool:
        """Whether none of them occurs."""
        return self._pattern is None or self._pattern.search(text) is None


def secrets_of(config: Config, environment: Mapping[str, str]) -> Iterator[str]:
    """Every secret of a node that is found on this machine. What cannot be read cannot be shown either."""
    chain, wallet, paths = config.chain, config.wallet, Paths(config.node.data_dir)
    for url in (*chain.endpoints, *filter(None, (chain.websocket,))):
        yield from _of_url(url)
    if wallet.password_env is not None:
        yield environment.get(wallet.password_env, "")
    files = [wallet.password_file]
    if wallet.password_credential is not None:
        files.append(Path(environment.get("CREDENTIALS_DIRECTORY", "")) / wallet.password_credential)
    for file in filter(None, files):
        yield from _text(file).splitlines()[:1]
    for token in _files(paths.rpc, "*.token"):
        yield _text(token).strip()
    for file in _files(wallet.directory, "*"):
        yield from (found for found in _HEX.findall(_text(file)) if len(found) != _ADDRESS)
    yield _bytes(paths.network / "node.key").hex()
    yield from (secret.hex() for secret in secret_bytes(paths.journal))
    if config.proposer.dataset is not None:
        for file in _files(config.proposer.dataset / "sealed", "*.json"):
            yield from _HEX.findall(_text(file))


def _of_url(url: str) -> Iterator[str]:
    """What of a URL may be a key: user, password, parts of the path, values of the query."""
    try:
        parts = urlsplit(url)
        yield from filter(None, (parts.username, parts.password))
        yield from (part for part in parts.path.split("/") if len(part) >= _SHORTEST_OF_A_PATH)
        yield from (value for _, value in parse_qsl(parts.query))
    except ValueError:
        yield url


def _spellings(secret: str) -> Iterator[str]:
    yield secret
    yield unquote(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]


def _short(url: str) -> str:
    try:
        return name_of(url)
    except ValueError:
        return REMOVED


def _files(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES) if path.is_file() else b""
    except OSError:
        return b""


def _text(path: Path) -> str:
    return _bytes(path).decode("utf-8-sig", "replace")
