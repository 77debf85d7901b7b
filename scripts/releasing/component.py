"""One locked package, and how a user of the wheel meets it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """How a user of the wheel meets a package."""

    SHIPPED = "in the wheel"
    REQUIRED = "required"
    OPTIONAL = "optional"
    TOOL = "builds and tests"


@dataclass(frozen=True, slots=True)
class Component:
    """One package. `licence`: as it says itself, "" where it says none; `needs`: keys of others."""

    kind: str
    name: str
    version: str
    scope: Scope
    licence: str
    needs: tuple[str, ...] = ()
    sha512: str = ""

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.name}"
