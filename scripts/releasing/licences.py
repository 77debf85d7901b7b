"""Which licence a package states, whether it is one that is taken, and the table of all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.message import Message
from importlib.metadata import PackageMetadata
from typing import TYPE_CHECKING

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

if TYPE_CHECKING:
    from scripts.releasing.component import Component
    from scripts.releasing.triage import Triage

TAKEN = frozenset(
    ("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CNRI-Python", "ISC",
     "LicenseRef-BSD", "LicenseRef-Public-Domain", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0",
     "Unlicense", "Zlib")
)  # fmt: skip
"""From anybody: permissive, or copyleft of single files. The rest is in tools/release.toml, with why."""

# How packages without an SPDX expression spell it. "BSD" without a number names one of several.
_SPELT = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "LicenseRef-BSD",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd license": "LicenseRef-BSD",
    "bsd, public domain": "LicenseRef-BSD AND LicenseRef-Public-Domain",
    "cc0 1.0 universal (cc0 1.0) public domain dedication": "CC0-1.0",
    "gnu affero general public license v3": "AGPL-3.0",
    "gnu library or lesser general public license (lgpl)": "LicenseRef-LGPL",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit -or- apache license 2.0": "MIT OR Apache-2.0",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "public domain": "LicenseRef-Public-Domain",
    "python software foundation license": "PSF-2.0",
}


def stated_licence(known: PackageMetadata | Message) -> str:
    """What a Python package's metadata says, as an SPDX expression; "" where that cannot be told."""
    lines = (known.get("License-Expression"), known.get("License"))
    for text in (str(line).strip() for line in lines if line):
        found = _expression(text.splitlines()[0].strip() if text else "")
        if found:
            return found
    classifiers = [str(text) for text in known.get_all("Classifier") or () if text.startswith("License ::")]
    named = [_expression(text.rpartition("::")[2].strip()) for text in classifiers]
    return " AND ".join(sorted({text for text in named if text}))


def _expression(text: str) -> str:
    spelt = _SPELT.get(text.lower())
    if spelt is not None:
        return spelt
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        return ""


def is_taken(expression: str) -> bool:
    """Whether an SPDX expression allows what `TAKEN` names: one side of each OR, both sides of each AND."""
    words = re.findall(r"\(|\)|[^\s()]+", expression)
    if not words:
        return False
    taken, rest = _either(words)
    return taken and not rest


def _either(words: list[str]) -> tuple[bool, list[str]]:
    taken, rest = _both(words)
    while rest and rest[0] == "OR":
        other, rest = _both(rest[1:])
        taken = taken or other
    return taken, rest


def _both(words: list[str]) -> tuple[bool, list[str]]:
    taken, rest = _single(words)
    while rest and rest[0] == "AND":
        other, rest = _single(rest[1:])
        taken = taken and other
    return taken, rest


def _single(words: list[str]) -> tuple[bool, list[str]]:
    if not words:
        return False, []
    if words[0] == "(":
        taken, rest = _either(words[1:])
        return (taken, rest[1:]) if rest and rest[0] == ")" else (False, rest)
    rest = words[1:]
    if len(rest) >= 2 and rest[0] == "WITH":  # an exception permits more, never less
        rest = rest[2:]
    return words[0] in TAKEN, rest


def licence_problems(components: Iterable[Component], triage: Triage) -> list[str]:
    """Packages whose licence is neither taken nor triaged, and entries of the triage that fit nothing."""
    found, used = [], set()
    for item in components:
        entry = triage.licences.get(item.key)
        if entry is not None and entry.states == item.licence:
            used.add(item.key)
        elif not is_taken(item.licence):
            said = item.licence or "no licence"
            was = f" (triaged as {entry.states or 'none'})" if entry else ""
            found.append(
                f"{item.key} {item.version} states {said}{was}: drop it, or say in tools/release.toml why not"
            )
    unfit = sorted(triage.licences.keys() - used)
    return found + [
        f"tools/release.toml: {key} does not state that licence: delete the entry" for key in unfit
    ]


def licence_table(components: Iterable[Component], triage: Triage) -> str:
    """Markdown: every package, and the reasons of those that were triaged."""
    lines = [
        "# Licences of what a release is made of",
        "",
        "| Package | Version | | Licence | Remark |",
        "|---|---|---|---|---|",
    ]
    for item in components:
        entry = triage.licences.get(item.key)
        told = (entry.real if entry and entry.real else item.licence) or "none stated"
        lines.append(
            f"| {item.key} | {item.version} | {item.scope} | {told} | {entry.reason if entry else ''} |"
        )
    return "\n".join(lines) + "\n"
