"""Bytes become calls, and results become bytes: https://www.jsonrpc.org/specification, sections 4 to 6.

Every member of a batch stands for itself: one that is no request is answered with an error of its own, and
the others are carried out. Only a request without `id` is a notification; `"id": null` is answered.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, NoReturn

from jepanet.errors import Rejected
from jepanet.nesting import Json, check_nesting
from jepanet.rpc.codes import Code, Refused

Id = str | int | float | None
VERSION: Final = "2.0"
_ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `notified`: nothing is answered, whatever comes of it."""

    method: str
    params: list[Json] | dict[str, Json]
    id: Id
    notified: bool


@dataclass(frozen=True, slots=True)
class Malformed:
    """A member that is no request, with the id to answer it by where one could be read."""

    refusal: Refused
    id: Id = None


@dataclass(frozen=True, slots=True)
class Request:
    members: tuple[Call | Malformed, ...]
    batch: bool


def read_request(body: bytes, *, max_batch: int) -> Request:
    """The calls of a request's body, in order.

    Raises:
        Refused: not JSON (`PARSE_ERROR`), an empty batch (`INVALID_REQUEST`), too many calls
            (`BATCH_TOO_LARGE`).
    """
    tree = _parsed(body)
    if not isinstance(tree, list):
        return Request((_member(tree),), batch=False)
    if not tree:
        raise Refused(Code.INVALID_REQUEST, "the batch is empty")
    if len(tree) > max_batch:
        raise Refused(Code.BATCH_TOO_LARGE, f"{len(tree)} calls, and at most {max_batch} are taken")
    return Request(tuple(map(_member, tree)), batch=True)


def result_text(call_id: Id, result: Json) -> str:
    """An answer with a result. Raises: ValueError for what JSON cannot hold."""
    return _ENCODE({"jsonrpc": VERSION, "id": call_id, "result": result})


def error_text(call_id: Id, refusal: Refused) -> str:
    """An answer with an error."""
    return _ENCODE({"jsonrpc": VERSION, "id": call_id, "error": refusal.error})


def _parsed(body: bytes) -> Json:
    try:
        check_nesting(body, "a request")
        tree: Json = json.loads(body.decode("utf-8"), object_pairs_hook=_each_once, parse_constant=_no_number)
    except (ValueError, RecursionError, Rejected):  # thousands of digits are a ValueError too
        raise Refused(Code.PARSE_ERROR) from None
    return tree


def _each_once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice in one object")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _member(tree: Json) -> Call | Malformed:
    if not isinstance(tree, dict):
        return Malformed(Refused(Code.INVALID_REQUEST, "a request is an object"))
    given = tree.get("id")
    if isinstance(given, bool | list | dict) or (isinstance(given, float) and given in _INFINITE):
        return Malformed(Refused(Code.INVALID_REQUEST, "`id` is a text, a number or null"))
    method, params = tree.get("method"), tree.get("params", {})
    if tree.get("jsonrpc") != VERSION:
        wrong = '`jsonrpc` is "2.0"'
    elif not isinstance(method, str):
        wrong = "`method` is a text"
    elif not isinstance(params, list | dict):
        wrong = "`params` is a list or an object"
    elif unknown := tree.keys() - _MEMBERS:
        wrong = f"{len(unknown)} of its members no request has"
    else:
        return Call(method, params, given, notified="id" not in tree)
    return Malformed(Refused(Code.INVALID_REQUEST, wrong), given)


_MEMBERS = frozenset({"jsonrpc", "method", "params", "id"})
_INFINITE = (float("inf"), float("-inf"))
"""What `1e999` is read as."""
