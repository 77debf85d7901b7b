"""Requests, progress and results as JSON lines between a node and its worker, read as strictly as written.

    node to worker:  {"id": 7, "job": "train_delta", "request": {...}}
    worker to node:  {"id": 7, "progress": {...}} any number of times,
                     then {"id": 7, "result": {...}} or {"id": 7, "error": {...}}

Both ends are this program, so a line that does not fit its record is a defect: it raises `ValueError` with
the dotted name of the field, and nothing is guessed or left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar, cast, get_args, get_origin

from jepanet.errors import Exit, Fatal, JepanetError, Rejected, Transient
from jepanet.records.codec import JOURNAL, Codec
from jepanet.work.requests.request import Progress, R, Request
from jepanet.work.strangers_files import lacking

T = TypeVar("T")
_MAX_MESSAGE = 2000


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed. `kind` is a class of `jepanet.errors`, or the name of an exception nobody foresaw."""

    kind: str
    message: str
    remedy: str | None = None
    reason: str | None = None
    """Of a `Rejected`."""
    code: int | None = None
    """Exit code of a `Fatal` or `Transient`."""


def failure_of(error: Exception) -> Failure:
    """What another process is to know of an exception. What this machine lacks is `Transient`."""
    if not isinstance(error, JepanetError):
        error = lacking(error) or error
    if not isinstance(error, JepanetError):
        return Failure(type(error).__name__, str(error)[:_MAX_MESSAGE])
    kind = next(base.__name__ for base in type(error).__mro__ if base.__module__ == JepanetError.__module__)
    return Failure(
        kind,
        error.message,
        error.remedy,
        reason=error.reason if isinstance(error, Rejected) else None,
        code=None if isinstance(error, Rejected) else int(error.code),
    )


def error_of(failure: Failure) -> JepanetError:
    """What another process raised. What it did not raise on purpose (a defect, or input nobody foresaw) is
    `worker-error`: the duty is refused, not retried."""
    text, remedy = failure.message, failure.remedy
    match failure.kind:
        case "Rejected":
            return Rejected(text, reason=failure.reason or "rejected", remedy=remedy)
        case "Transient":
            return Transient(text, remedy=remedy, code=None if failure.code is None else Exit(failure.code))
        case "Fatal":
            code = Exit.WORKER if failure.code is None else Exit(failure.code)
            return Fatal(text, remedy=remedy, code=code)
        case _:
            return Rejected(f"{failure.kind}: {text}", reason="worker-error")


def call_line(number: int, request: Request[object]) -> bytes:
    """The line that asks for a job. Raises: ValueError for a field of another type than declared."""
    return _line({"id": number, "job": request.job, "request": _tree(request, "request")})


def number_of(line: str) -> int:
    """The number of a call, also of one whose request cannot be read."""
    number: int = json.loads(line)["id"]
    return number


def read_call(line: str, kinds: Iterable[type[Request[object]]]) -> Request[object]:
    """A request of one of `kinds`.

    Raises:
        ValueError: it is none of them, or a field is missing, unknown or mistyped.
    """
    message = json.loads(line)
    kind = next((item for item in kinds if item.job == message["job"]), None)
    if kind is None:
        raise ValueError(f"{message['job']!r:.80} is not a job")
    return _read(kind, message["request"], "request")


def progress_line(number: int, progress: Progress) -> bytes:
    """The line that reports how far a job is."""
    return _line({"id": number, "progress": _tree(progress, "progress")})


def failure_line(number: int, failure: Failure) -> bytes:
    """The line that reports why a job failed."""
    return _line({"id": number, "error": _tree(failure, "error")})


def read_failure(line: bytes) -> Failure:
    """What a line of `failure_line` says. Raises: ValueError: it is none."""
    return _read(Failure, json.loads(line)["error"], "error")


def result_line(number: int, request: Request[object], result: object) -> bytes:
    """The line that answers a request.

    Raises:
        ValueError: the result is not the record that the request asks for, or a field is mistyped.
    """
    wanted = result_of(request)
    if type(result) is not wanted:
        raise ValueError(f"{request.job} made a {type(result).__name__}, not a {wanted.__name__}")
    return _line({"id": number, "result": _tree(result, "result")})


def read_reply(line: bytes, number: int, request: Request[R]) -> Progress | Failure | R | None:
    """The reply to call `number`, which asked for `request`; None for a line about another call.

    Raises:
        ValueError: it is no reply, or a field is missing, unknown or mistyped.
    """
    message = json.loads(line)
    if not isinstance(message, dict) or len(message) != 2 or "id" not in message:
        raise ValueError("a reply has a number and one thing more")
    if message["id"] != number:
        return None
    (name,) = set(message) - {"id"}
    match name:
        case "progress":
            return _read(Progress, message[name], name)
        case "error":
            return _read(Failure, message[name], name)
        case "result":
            return _read(result_of(request), message[name], name)
    raise ValueError(f"a reply cannot say {name!r:.40}")


def result_of(request: Request[R]) -> type[R]:
    """The record that a request is answered with, as its class names it: `class X(Request[Result])`."""
    named: tuple[object, ...] = getattr(type(request), "__orig_bases__", ())
    result = next(get_args(base)[0] for base in named if get_origin(base) is Request)
    return cast("type[R]", result)


def _tree(record: object, what: str) -> dict[str, object]:
    try:
        return Codec(type(record), what, spelling=JOURNAL).tree(record)
    except Rejected as error:
        raise ValueError(error.message) from error


def _read(kind: type[T], tree: object, what: str) -> T:
    try:
        return Codec(kind, what, spelling=JOURNAL).read(tree)
    except Rejected as error:
        raise ValueError(error.message) from error


def _line(message: dict[str, object]) -> bytes:
    return (json.dumps(message, allow_nan=False) + "\n").encode()
