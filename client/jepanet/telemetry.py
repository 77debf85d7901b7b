"""Log lines are an event name plus fields; secrets are a type that cannot print."""

from __future__ import annotations

import logging
import sys
from typing import Any, Generic, TextIO, TypeVar

import structlog

from jepanet.repetition import Repetition

T = TypeVar("T")
_repetition = Repetition()


class Secret(Generic[T]):
    """Holds a key, password or salt; `repr`, `str`, `format` and pickling never show it."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """The value itself. Call it only where the value is used."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a secret is never serialised")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self._value == other._value)

    def __hash__(self) -> int:
        return hash(("Secret", self._value))


def _readable(_: Any, __: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for name, value in fields.items():
        if isinstance(value, bytes):
            fields[name] = "0x" + value.hex()
    return fields


def configure_logging(*, level: str = "info", json: bool = False, stream: TextIO | None = None) -> None:
    """Sends log lines to `stream` (standard error by default), as text or as one JSON object a line."""
    global _repetition
    out = stream or sys.stderr
    _repetition = Repetition()
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(sort_keys=True, default=str)
        if json
        else structlog.dev.ConsoleRenderer(colors=out.isatty(), pad_event_to=28)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _repetition,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _readable,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    # py-libp2p logs a warning for every failed dial and whole blocks for refused streams.
    logging.getLogger("libp2p").setLevel(logging.CRITICAL)


def get_logger(room: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of one room; its lines carry `room`."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(room=room)
    return logger


def tell_repeated(*, everything: bool = False) -> None:
    """Counts, in a line each, what was kept out of the log as repeated and has stopped repeating.

    For a process that runs on: every minute, and with `everything` at its end.
    """
    for line in _repetition.overdue(everything=everything):
        get_logger("log").info("line.repeated", **line)
