"""The five sets of emoji: which packages, by which digests, under which licences. Cheap to import."""

from __future__ import annotations

from dataclasses import dataclass

RENDERER, RENDERER_VERSION = "resvg-py", "0.5.0"
CATEGORIES = "2c2aa0df0fc8371d08cb6183f8f45eec0d73dce85fc4bbc8e17980ba024c4d5c"
"""SHA-256 of `metadata.json` of the first set, which sorts symbols into categories."""


@dataclass(frozen=True, slots=True)
class EmojiSet:
    """One npm package `@iconify-json/<name>`: drawings as SVG, by the names of symbols."""

    name: str
    version: str
    digest: str
    """SHA-256 of its `icons.json`, in hex: whatever package holds these bytes will do."""
    licence: str
    """SPDX identifier."""
    authors: str

    @property
    def package(self) -> str:
        return f"@iconify-json/{self.name}@{self.version}"


SETS = (
    EmojiSet(
        "noto",
        "1.2.9",
        "9eac6ef4e7ec122b6f0e7ac281d61008afdbc720d0ce861e398b939daaa347c6",
        "Apache-2.0",
        "Noto Emoji, Google",
    ),
    EmojiSet(
        "twemoji",
        "1.2.5",
        "5d5d820790565b764f2728675d487c9ee4c1fc83916d8567d5aca8ba7527c242",
        "CC-BY-4.0",
        "Twitter Emoji, Twitter and others",
    ),
    EmojiSet(
        "openmoji",
        "1.2.29",
        "7075331faab544067dbff4236471dd378bb5410aa05799a8a343c9ebf5c5984c",
        "CC-BY-SA-4.0",
        "OpenMoji, HfG Schwaebisch Gmuend",
    ),
    EmojiSet(
        "fluent-emoji-flat",
        "1.2.6",
        "f5f4cf457c0db2ad5a2e42e033e02e0c87d10e43d0164cfffb3bb84914970a63",
        "MIT",
        "Fluent Emoji Flat, Microsoft",
    ),
    EmojiSet(
        "emojione",
        "1.2.3",
        "e9a865faed523a7c3535b5319ae533d09fac1a62b4e96920eb178bb60e707e80",
        "CC-BY-4.0",
        "Emoji One (v2), Emoji One",
    ),
)
"""The last one is a style that nobody trains on."""
UNSEEN = len(SETS) - 1
REMEDY = (
    f"run scripts/setup, or: pip install 'jepanet[pictures]' && npm install "
    f"{' '.join(item.package for item in SETS)}"
)
