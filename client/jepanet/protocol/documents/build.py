"""What trainings of an audited round are computed by: another build, processor or instruction set rounds sums
otherwise, and gives other digests for the same work.

torch=2.13.0+cpu, numpy=2.3.1, machine=x86_64 GenuineIntel 6 85, cpu=AVX512
"""

from __future__ import annotations

from collections.abc import Mapping

from jepanet.errors import Rejected
from jepanet.records.marks import Form

Build = Mapping[str, str]
BUILD_NAME = Form(r"[a-z]{1,16}", "at most 16 small letters")
BUILD_WORDS = Form(r"[A-Za-z0-9._+ -]{1,64}", "at most 64 letters, digits and ._+ -")
MOST_NAMES = 16


def build_text(build: Build) -> str:
    """One line, as `build_from` reads it."""
    return ", ".join(f"{name}={words}" for name, words in build.items())


def build_from(text: str) -> dict[str, str]:
    """A build that somebody wrote down. What its names and words may be, the round's spec says.

    Raises:
        Rejected: reason `bad-field`; a part is no NAME=WORDS, or a name is there twice.
    """
    found: dict[str, str] = {}
    for part in text.split(","):
        name, sign, words = (word.strip() for word in part.partition("="))
        if not (name and sign and words) or name in found:
            raise Rejected(
                f"a build is written as NAME=WORDS, NAME=WORDS, with each name once, not {part[:60]!r}",
                reason="bad-field",
                remedy="copy the line that `jepanet doctor` writes on such a machine",
            )
        found[name] = words
    return found


def apart(here: Build, there: Build) -> str:
    """In what two builds differ, in words; empty where they do not."""
    names = [*here, *(name for name in there if name not in here)]
    return ", ".join(
        f"{name} {there.get(name, 'unknown')} there, {here.get(name, 'unknown')} here"
        for name in names
        if here.get(name) != there.get(name)
    )
