"""What a method is: a line of the table, with everything that a caller may ask about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from jepanet.errors import JepanetError
from jepanet.records.codec import Codec
from jepanet.records.kinds import Spelling
from jepanet.rpc.codes import Code, Refused

_PARAMS = Spelling(addresses="mended", longest=4096, defaults=True)


class Scope(StrEnum):
    """What a token allows. Whoever may operate may read."""

    READ = "read"
    OPERATE = "operate"

    @property
    def includes(self) -> frozenset[Scope]:
        return frozenset(Scope) if self is Scope.OPERATE else frozenset({self})


class _Params(JepanetError):
    """A parameter is missing, unknown or not what its field takes."""


@dataclass(frozen=True, slots=True)
class Method:
    """`answer` takes a record of class `params` and gives a value of type `result`, a record of `views`.

    `seconds` is what a call may take where that is not what the node's configuration says: at most three
    times as long, which is what a request may take in all. `alone`: its caller has to hear of its end, so
    it is neither a notification nor a member of a batch, whose answers wait for those of other calls.
    """

    name: str
    summary: str
    params: type
    result: object
    answer: Callable[[Any], Awaitable[object]]
    scope: Scope = Scope.READ
    seconds: float | None = None
    alone: bool = False

    @property
    def codec(self) -> Codec[Any]:
        """Reads its parameters."""
        return _codec(self.params)

    def read(self, params: object) -> object:
        """The record of parameters given by name (an object) or by position (a list).

        Raises: Refused (`INVALID_PARAMS`), with the name of the parameter and what it takes.
        """
        parts = self.codec.record.parts
        if isinstance(params, list):
            if len(params) > len(parts):
                raise Refused(Code.INVALID_PARAMS, f"{len(params)} parameters, of at most {len(parts)}")
            params = dict(zip((part.name for part in parts), params, strict=False))
        try:
            return self.codec.read(params)
        except _Params as error:
            raise Refused(Code.INVALID_PARAMS, error.message) from None


@dataclass(frozen=True, slots=True)
class NoParams:
    """Of a method that takes none."""


@cache
def _codec(kind: type) -> Codec[Any]:
    return Codec(kind, "params", spelling=_PARAMS, refuse=lambda message, remedy: _Params(message))


def table_of(methods: Iterable[Method]) -> Mapping[str, Method]:
    """Methods by name. Raises: ValueError: two of one name."""
    table: dict[str, Method] = {}
    for method in methods:
        if method.name in table:
            raise ValueError(f"two methods are called {method.name}")
        table[method.name] = method
    return table
