"""Files of a folder that came from somebody: none is read that lies outside it, and none without a bound."""

from __future__ import annotations

from pathlib import Path

from jepanet.errors import Exit, Fatal


def refusal(
    why: str, remedy: str = "correct it, or use another folder", *, code: Exit = Exit.DATASET
) -> Fatal:
    """What is wrong with the folder."""
    return Fatal(why, remedy=remedy, code=code)


def file_inside(folder: Path, name: str, most: int, *, code: Exit = Exit.DATASET) -> Path:
    """Where the file called `name` in the folder, of at most `most` bytes, lies: below the folder.

    Raises:
        Fatal: there is none, it is larger, or it lies elsewhere, as behind a link (exit code `code`).
    """
    path = folder / name
    try:
        real = path.resolve(strict=True)
        size = real.stat().st_size
    except (OSError, ValueError, RuntimeError) as error:  # a zero byte; links in a circle
        raise refusal(
            f"{path} cannot be read: {error}", "the folder has to be complete", code=code
        ) from error
    if not real.is_relative_to(folder.resolve()):
        raise refusal(
            f"{path} leads to {real}, outside the folder",
            "copy the folder with what its links lead to (`cp -rL`)",
            code=code,
        )
    if not real.is_file():
        raise refusal(f"{path} is no file", code=code)
    if size > most:
        raise refusal(f"{path} has {size} bytes, more than {most}", code=code)
    return real
