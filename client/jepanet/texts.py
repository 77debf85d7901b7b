"""Text that people write: UTF-8 with or without a byte order mark, bounded in size, and never guessed at.

A byte that is replaced or guessed makes two different files one, and a file that differs from what its author
sees. Configuration, deployments, keystores, key and password files, recipes: all are read here.
"""

from __future__ import annotations

import codecs
import json
import re
import tomllib
from pathlib import Path
from shlex import quote

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.nesting import MAX_DEPTH, Json, check_nesting

MAX_TEXT_BYTES = 1 << 20
_MARK = "\ufeff"
# UTF-32 first: its little-endian mark begins with that of UTF-16.
_OTHER_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"), (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"),
)  # fmt: skip
_KEY = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
# tomllib takes time in the square of how many parts a key has. Linear: a quote that a key may begin with is
# none that a backslash escapes, so that a text between quotes is read once.
_LONG_KEY = re.compile(rf"(?:^|[{{\[,])[ \t]*+{_KEY}(?:[ \t]*+\.[ \t]*+{_KEY}){{{MAX_DEPTH}}}", re.MULTILINE)


def read_text(
    path: Path,
    what: str,
    *,
    code: Exit = Exit.CONFIG,
    max_bytes: int = MAX_TEXT_BYTES,
    absent: str = "correct the path",
) -> str:
    """The text of a file, without a byte order mark.

    `what` names the kind of file in messages; `absent` is the remedy where there is no such file.

    Raises:
        Fatal: missing, unreadable, larger than `max_bytes`, or not UTF-8 (exit code `code`).
    """
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise Fatal(f"there is no {what} {path}", remedy=absent, code=code) from error
    except (OSError, ValueError) as error:  # a path with a zero byte is a ValueError
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise Fatal(
            f"cannot read the {what} {path}: {why}",
            remedy="correct the path, or the permissions of the file",
            code=code,
        ) from error
    if len(data) > max_bytes:
        raise Fatal(
            f"the {what} {path} is larger than {max_bytes} bytes",
            remedy="name the right file; this one is none of that kind",
            code=code,
        )
    return decode_text(data, what, path, code=code)


def decode_text(data: bytes, what: str, path: Path | str, *, code: Exit = Exit.CONFIG) -> str:
    """Text of `data`, which came from `path`.

    The message gives the position of what is wrong but not the byte: it may be part of a password.

    Raises:
        Fatal: not UTF-8, or with zero bytes, as text in UTF-16 has them (exit code `code`).
    """
    for mark, encoding in _OTHER_MARKS:
        if data.startswith(mark):
            raise _not_utf8(f"the {what} {path} is {encoding}, not UTF-8", encoding, path, code)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _not_utf8(
            f"the {what} {path} is not UTF-8: byte {error.start + 1}, in line {line}, belongs to another "
            "encoding",
            "WINDOWS-1252",
            path,
            code,
        ) from None  # the error carries the bytes
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise _not_utf8(
            f"the {what} {path} is not text in UTF-8: line {line} has a zero byte", "UTF-16", path, code
        )
    return text.removeprefix(_MARK)


def read_json(
    path: Path,
    what: str,
    *,
    code: Exit = Exit.CONFIG,
    max_bytes: int = MAX_TEXT_BYTES,
    absent: str = "correct the path",
) -> Json:
    """The value of a JSON file that a person may have edited. Raises: Fatal, as `read_text`, `load_json`."""
    return load_json(
        read_text(path, what, code=code, max_bytes=max_bytes, absent=absent), what, path, code=code
    )


def load_json(text: str, what: str, path: Path | str, *, code: Exit = Exit.CONFIG) -> Json:
    """The value of a JSON text.

    Raises:
        Fatal: not JSON, nested too deeply, or a name twice in one object, of which only one would count
            (exit code `code`).
    """
    try:
        check_nesting(text.encode(), what)
        value: Json = json.loads(text, object_pairs_hook=_each_once)
    except (ValueError, RecursionError, Rejected) as error:
        raise Fatal(
            f"the {what} {path} is not JSON: {error}",
            remedy="mend that place, or restore the file from where it came",
            code=code,
        ) from error
    return value


def load_toml(text: str, what: str, path: Path | str, *, code: Exit = Exit.CONFIG) -> dict[str, object]:
    """The tables of a TOML text; dates and times in it are values too, which whoever reads on refuses.

    Raises:
        Fatal: not TOML, a key twice in one table, or nested too deeply (exit code `code`).
    """
    deep = Fatal(
        f"the {what} {path} is nested too deeply",
        remedy="write plain tables and lists of values",
        code=code,
    )
    if _LONG_KEY.search(text):
        raise deep
    try:
        tree = tomllib.loads(text)
    except ValueError as error:  # a number of thousands of digits is one too, and no TOMLDecodeError
        raise Fatal(
            f"the {what} {path} is not valid TOML: {error}", remedy="mend that line", code=code
        ) from error
    except RecursionError:
        raise deep from None
    if _depth(tree) > MAX_DEPTH:
        raise deep
    return tree


def _depth(tree: object) -> int:
    """Levels of tables and lists, counted without recursion."""
    deepest, level = 0, [tree]
    while level:
        containers = [item for item in level if isinstance(item, dict | list)]
        deepest += bool(containers)
        level = [
            inner for item in containers for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return deepest


def _each_once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"it has {name[:60]!r} twice in one object")
        found[name] = value
    return found


def _not_utf8(message: str, encoding: str, path: Path | str, code: Exit) -> Fatal:
    convert = f"iconv -f {encoding} -t UTF-8 {quote(str(path))} > FILE.utf8"
    if encoding.startswith("WINDOWS"):
        convert += " (or whichever encoding it was written in)"
    return Fatal(message, remedy=f"save it as UTF-8 in your editor, or convert it: {convert}", code=code)
