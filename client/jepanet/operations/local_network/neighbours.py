"""Local networks of this user on this machine: a link to the folder of each, for what they have put by.

None of a network's nodes need run when another one is planned, so that their ports look free.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

_MOST = 1000
"""Links that are looked at."""


def neighbours(place: Path) -> Iterator[Path]:
    """Folders of networks that were made known in `place`; a link whose folder has gone is removed."""
    try:
        links = sorted(place.iterdir())[:_MOST]
    except OSError:  # none was made yet, or cannot be looked at
        return
    for link in links:
        try:
            if link.is_dir():
                yield link.resolve()
            else:
                link.unlink()
        except OSError:
            continue


def make_known(place: Path, folder: Path) -> None:
    """Leaves a link to a network's folder in `place`; where that cannot be, nothing is lost but ports that
    another network might take."""
    whole = folder.resolve()
    link = place / hashlib.sha256(bytes(whole)).hexdigest()[:16]
    try:
        link.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        link.symlink_to(whole, target_is_directory=True)
    except OSError:
        return
