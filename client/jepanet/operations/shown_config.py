"""A configuration as others may see it: what may be a secret is told apart, and not told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Annotated, Final, get_args, get_origin, get_type_hints

from jepanet.chain.endpoints.endpoint import name_of
from jepanet.operations.views.local import Setting
from jepanet.records.marks import Hidden
from jepanet.settings.config import Config
from jepanet.settings.section_reader import variable_of

HIDDEN: Final = "(hidden)"
_URLS: Final = frozenset({("chain", "endpoints")})

Shown = bool | int | float | str | None | tuple[str | int, ...]


def shown_config(config: Config) -> Mapping[str, Mapping[str, Shown]]:
    """Every section with its keys, in the order of the classes; defaults included."""
    return {name: _section(name, getattr(config, name)) for name in get_type_hints(Config)}


def settings(
    config: Config, tree: Mapping[str, object], environment: Mapping[str, str]
) -> tuple[Setting, ...]:
    """The same, a row a key, each with what said so. `tree`: of the file. The environment goes before it."""
    return tuple(
        Setting(f"{section}.{key}", value, _source(section, key, tree, environment))
        for section, told in shown_config(config).items()
        for key, value in told.items()
    )


def _source(section: str, key: str, tree: Mapping[str, object], environment: Mapping[str, str]) -> str:
    variable = variable_of(section, key)
    if variable in environment:
        return variable
    table = tree.get(section)
    return "file" if isinstance(table, Mapping) and key in table else "default"


def endpoint_names(urls: Iterable[str]) -> tuple[str, ...]:
    """Endpoints by scheme, host and port: providers put keys into the rest."""
    return tuple(map(name_of, urls))


def _section(name: str, section: object) -> Mapping[str, Shown]:
    kind = type(section)
    hints = get_type_hints(kind, include_extras=True)
    told: dict[str, Shown] = {}
    for item in fields(kind):  # type: ignore[arg-type]  # every section is a dataclass
        value = getattr(section, item.name)
        if _is_hidden(hints[item.name]):
            told[item.name] = None if value is None else HIDDEN
        elif (name, item.name) in _URLS:
            told[item.name] = endpoint_names(value)
        else:
            told[item.name] = _plain(value)
    return told


def _is_hidden(hint: object) -> bool:
    return get_origin(hint) is Annotated and any(isinstance(mark, Hidden) for mark in get_args(hint)[1:])


def _plain(value: object) -> Shown:
    if isinstance(value, tuple | frozenset):
        return tuple(item if isinstance(item, int) else str(_plain(item)) for item in value)
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"no section may hold a {type(value).__name__}")
