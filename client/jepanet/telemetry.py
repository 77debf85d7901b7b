"""Log lines are an event name plus fields; secrets are a type that cannot print."""

from __future__ import annotations

import logging
import sys
from functools import partial
from typing import Generic, NoReturn, TextIO, TypeVar

from jepanet.log_file import LogFile
from jepanet.log_stream import LogStream
from jepanet.plain_structlog import structlog
from jepanet.recent_lines import RecentLines
from jepanet.repetition import Repetition

T = TypeVar("T")
_repetition = Repetition()
_recent = RecentLines()
_lost = 0
_file: LogFile | None = None


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

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never serialised")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self._value == other._value)

    def __hash__(self) -> int:
        return hash(("Secret", self._value))


def _readable(_: object, __: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for name, value in fields.items():
        if isinstance(value, bytes):
            fields[name] = "0x" + value.hex()
    return fields


def _printable(_: object, __: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Texts of strangers do nothing to a terminal: characters that are none to look at are spelt out."""
    for name, value in fields.items():
        if isinstance(value, str) and not value.isprintable():
            fields[name] = "".join(
                each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape").decode()
                for each in value
            )
    return fields


class _Lines:
    """Writes whole lines to a stream; what it refuses is counted and not raised."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def msg(self, line: str) -> None:
        global _lost
        try:
            self._out.write(line + "\n")
            self._out.flush()
        except (OSError, ValueError):  # a full disk, a reader that is gone, a closed stream
            _lost += 1

    log = debug = info = warn = warning = error = exception = critical = fatal = failure = err = msg


def _guarded(level: int) -> type[structlog.typing.FilteringBoundLogger]:
    """A bound logger whose calls never raise: a field that cannot be printed costs its line."""

    class Guarded(structlog.make_filtering_bound_logger(level)):  # type: ignore[misc]  # made at run time
        def _proxy_to_logger(
            self, method: str, event: str | None = None, /, *words: object, **fields: object
        ) -> object:
            try:
                return super()._proxy_to_logger(method, event, *words, **fields)
            except Exception as error:  # a field's own __str__ or __repr__ may raise anything
                why = f"{type(error).__name__} while it was worded"
                return super()._proxy_to_logger("error", "line.unprintable", of=str(event), why=why)

    return Guarded


def lost_lines() -> int:
    """How many log lines this process could not get rid of."""
    of_file = _file.lost if _file is not None else 0
    return _lost + of_file + (sys.stderr.lost if isinstance(sys.stderr, LogStream) else 0)


def configure_logging(
    *,
    level: str = "info",
    json: bool = False,
    stream: TextIO | None = None,
    file: LogFile | None = None,
) -> None:
    """Sends log lines to `stream` (standard error by default), as text or as one JSON object a line, and as
    such to `file` too.

    A log call never raises. It never waits either where standard error is a `LogStream`, as in every process
    of ours; what a reader does not take is counted there, and reported as `log.lost` once it reads again.
    """
    global _repetition, _recent, _file
    _file = file
    out = stream or sys.stderr
    _repetition, _recent = Repetition(), RecentLines()
    in_json = structlog.processors.JSONRenderer(sort_keys=True, default=str)
    renderer: structlog.typing.Processor = (
        in_json
        if json
        else structlog.dev.ConsoleRenderer(
            colors=out.isatty(), pad_event_to=28, exception_formatter=structlog.dev.plain_traceback
        )
    )
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)

    def told(renderer: structlog.typing.Processor, lines: int) -> str:
        fields = {"event": "log.lost", "level": "warning", "room": "log", "lines": lines,
                  "why": "the reader of the log, or its disk, did not take them"}  # fmt: skip
        return str(renderer(None, "warning", stamp(None, "warning", fields))) + "\n"

    def keep(_: object, __: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if file is not None:
            file.write(str(in_json(None, "", dict(fields))) + "\n")
        return fields

    if isinstance(out, LogStream):
        out.tell_lost = partial(told, renderer)
    if file is not None:
        file.tell_lost = partial(told, in_json)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _repetition,
            structlog.processors.add_log_level,
            stamp,
            _readable,
            structlog.processors.format_exc_info,
            _recent,
            keep,
            *(() if json else (_printable,)),
            renderer,
        ],
        wrapper_class=_guarded(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_: _Lines(out),
        cache_logger_on_first_use=False,
    )
    logging.raiseExceptions = False  # the standard library's own handlers print tracebacks otherwise
    # py-libp2p logs a warning for every failed dial and whole blocks for refused streams.
    logging.getLogger("libp2p").setLevel(logging.CRITICAL)


def recent_lines() -> RecentLines:
    """The newest lines of this process's log."""
    return _recent


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
