"""One section of a configuration: its table and the environment become a frozen dataclass."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from jepanet.errors import Exit, Fatal
from jepanet.records.compiling import record_of
from jepanet.records.compound import Many, Maybe, Part
from jepanet.records.kinds import Flag, Kind, Real, Spelling, Whole
from jepanet.records.refusal import Wrong

T = TypeVar("T")
TOML = Spelling(addresses="mended", longest=4096, defaults=True)
_WORDS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def section_from(name: str, kind: type[T], tree: object, base: Path, environment: Mapping[str, str]) -> T:
    """The section `name` of class `kind`. Relative paths are relative to `base`.

    Raises:
        Fatal: unknown or missing key, wrong type or value; the message names the key and what it takes (exit
            code `CONFIG`).
    """
    if not isinstance(tree, Mapping):
        raise bad(f"[{name}] must be a table", f"write [{name}] and its keys below it")
    section: type = kind
    parts = record_of(section, TOML).parts
    known = [part.name for part in parts]
    if unknown := set(tree) - set(known):
        raise bad(f"[{name}] has an unknown key {min(unknown)!r:.60}", f"known keys: {', '.join(known)}")
    _check_variables(name, known, tree, environment)
    values: dict[str, object] = {}
    for part in parts:
        variable = variable_of(name, part.name)
        if variable in environment:
            values[part.name] = _value(
                name, part, _from_text(part.kind, environment[variable], variable), base
            )
        elif part.name in tree:
            values[part.name] = _value(name, part, tree[part.name], base)
        elif part.required:
            raise bad(f"[{name}] lacks the key {part.name!r}", f"add `{part.name} = …` below [{name}]")
    return kind(**values)


def variable_of(section: str, key: str) -> str:
    """The environment variable that overrides a key."""
    return f"JEPANET_{section}_{key}".upper()


def _check_variables(
    name: str, known: list[str], tree: Mapping[str, object], environment: Mapping[str, str]
) -> None:
    """Refuses variables that look like keys of the section and are none: a misspelt one would do nothing."""
    prefix = f"JEPANET_{name.upper()}_"
    # The variable that holds the wallet's password may have a name like those of keys.
    named = environment.get("JEPANET_WALLET_PASSWORD_ENV", tree.get("password_env"))
    for variable in sorted(environment):
        if variable == named and name == "wallet":
            continue
        if variable.startswith(prefix) and variable.removeprefix(prefix).lower() not in known:
            raise bad(
                f"the environment sets {variable}, but [{name}] has no such key",
                f"unset it; known keys: {', '.join(known)}",
            )


def _from_text(kind: Kind, text: str, variable: str) -> object:
    """What a TOML file would hold in place of the text of a variable; text that is none of it stays text."""
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise bad(f"the value of {variable} is not UTF-8", "set it in UTF-8")
    if isinstance(kind, Maybe):
        return _from_text(kind.inner, text, variable)
    if isinstance(kind, Many):
        parts = [part.strip() for part in text.split(",")]
        return [_from_text(kind.inner, part, variable) for part in parts if part]
    if isinstance(kind, Flag):
        return _WORDS.get(text.lower(), text)
    try:
        return int(text) if isinstance(kind, Whole) else float(text) if isinstance(kind, Real) else text
    except ValueError:
        return text


def _value(section: str, part: Part, tree: object, base: Path) -> object:
    key = f"{section}.{part.name}"
    if isinstance(part.kind, Many) and not isinstance(tree, list):
        raise bad(f"{key} must be a list", f'for example {part.name} = ["…"]')
    try:
        value: object = part.kind.read(tree)
    except Wrong as wrong:
        wrong.inside(part.name).inside(section)
        raise bad(f"{wrong.key}{wrong.problem}", wrong.remedy) from wrong
    if isinstance(value, Path):
        try:
            value = value.expanduser()
        except RuntimeError as error:  # `~name/…` of a user that this machine does not have
            raise bad(f"{key} is in the home directory of nobody here", f"correct {key}") from error
        return value if value.is_absolute() else base / value
    return value


def bad(message: str, remedy: str) -> Fatal:
    """The operator's configuration is wrong."""
    return Fatal(message, remedy=remedy, code=Exit.CONFIG)
