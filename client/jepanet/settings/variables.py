"""Environment variables of the program: which there are, and whether one is a slip of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Final

from jepanet.settings.section_reader import bad, variable_of

_PREFIX: Final = "JEPANET_"
_OTHERS: Final = ("CONFIG", "LOG_LEVEL", "TRACEBACK", "ANVIL", "BACKBONES", "WALLET_DIRECTORY")
"""Those that are no key of a configuration."""
_ALIKE: Final = 0.8
"""Of two names as `difflib` counts. A lost, doubled or swapped letter in the shortest of them is above it."""


def check_variables(
    sections: Mapping[str, type], tree: Mapping[str, object], environment: Mapping[str, str]
) -> None:
    """Refuses a variable whose section is misspelt: it would do nothing. Those of a section that there is
    are judged with it, and names that are like none of ours are somebody else's.

    Raises: Fatal: with the name that was most likely meant (exit code `CONFIG`).
    """
    wallet = tree.get("wallet")
    named = environment.get(
        "JEPANET_WALLET_PASSWORD_ENV", wallet.get("password_env") if isinstance(wallet, Mapping) else None
    )
    keys = [
        variable_of(section, item.name).removeprefix(_PREFIX)
        for section, kind in sections.items()
        for item in fields(kind)
    ]
    known = [*keys, *_OTHERS]
    of_sections = tuple(f"{section.upper()}_" for section in sections)
    for variable in sorted(environment):
        name = variable.removeprefix(_PREFIX)
        if name == variable or name in known or variable == named or name.startswith(of_sections):
            continue
        if near := get_close_matches(name, known, n=1, cutoff=_ALIKE):
            raise bad(
                f"the environment sets {variable:.80}, which nothing reads",
                f"unset it, or write {_PREFIX}{near[0]} if that was meant",
            )


def overriding(sections: Mapping[str, type], environment: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the variables that count in a configuration, in the order of its keys."""
    keys = (variable_of(section, item.name) for section, kind in sections.items() for item in fields(kind))
    return tuple(name for name in keys if name in environment)
