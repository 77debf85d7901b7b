"""The folder of a run: what an earlier run left in it is deleted, and nothing of anybody else's."""

from __future__ import annotations

from pathlib import Path

from scripts.demonstration.cast import DemoFailed

MARK = ".jepanet-run"
"""File that a run leaves in its folder, so that the next one may begin it anew."""


def claim(folder: Path) -> None:
    """Makes a folder this run's, before anything in it is touched.

    Raises:
        DemoFailed: it holds something, and no run made it.
    """
    mark = folder / MARK
    if mark.is_file():
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise DemoFailed(f"{folder} holds something that is of no earlier run: name another by --out")
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(
        "A run of scripts/demo, scripts/soak or scripts/rehearsal; the next one begins anew here.\n"
    )
