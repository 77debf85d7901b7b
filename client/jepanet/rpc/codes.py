"""Every error that a caller can meet, in one table.

Codes and messages of -32700 to -32600 are those of https://www.jsonrpc.org/specification; the others lie in
the range that it leaves to servers. A caller reads code, message and, where somebody here wrote one, a
sentence in `data.detail`. The text of an exception never leaves the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from http import HTTPStatus


class Code(IntEnum):
    """Numbers are never reused."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    UNAUTHORIZED = -32001
    OUT_OF_SCOPE = -32002
    STRANGER = -32003
    NOT_JSON = -32004
    BODY_TOO_LARGE = -32005
    BATCH_TOO_LARGE = -32006
    TIMED_OUT = -32007
    NOT_FOUND = -32008
    UNAVAILABLE = -32009
    ANSWER_TOO_LARGE = -32010
    TOO_MANY = -32011
    NOT_A_SOCKET = -32012
    NOT_ALLOWED = -32013
    UNDER_WAY = -32014


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code says, what to do about it, and the HTTP status where the whole request ends with it."""

    message: str
    remedy: str
    status: HTTPStatus = HTTPStatus.OK


MEANINGS: Mapping[Code, Meaning] = {
    Code.PARSE_ERROR: Meaning(
        "Parse error", "send one JSON value in UTF-8, with each name once in an object"
    ),
    Code.INVALID_REQUEST: Meaning(
        "Invalid Request", "send an object as the specification says, or a list of them"
    ),
    Code.METHOD_NOT_FOUND: Meaning("Method not found", "`rpc.discover` lists the methods"),
    Code.INVALID_PARAMS: Meaning("Invalid params", "`data.detail` names the parameter and what it takes"),
    Code.INTERNAL_ERROR: Meaning("Internal error", "the node's log has the cause under `data.incident`"),
    Code.UNAUTHORIZED: Meaning(
        "Unauthorized",
        "send `Authorization: Bearer` with a token out of the node's data directory",
        HTTPStatus.UNAUTHORIZED,
    ),
    Code.OUT_OF_SCOPE: Meaning("Out of scope", "this method takes a token of another scope"),
    Code.STRANGER: Meaning(
        "Host or origin not allowed",
        "call by an address of `rpc.allowed_hosts`, and from no web page but the dashboard",
        HTTPStatus.FORBIDDEN,
    ),
    Code.NOT_JSON: Meaning(
        "Not application/json",
        "send `Content-Type: application/json`, uncompressed",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ),
    Code.BODY_TOO_LARGE: Meaning(
        "Body too large",
        "send less at once, or raise `rpc.max_body_kb`",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ),
    Code.BATCH_TOO_LARGE: Meaning("Batch too large", "send fewer calls at once, or raise `rpc.max_batch`"),
    Code.TIMED_OUT: Meaning("Timed out", "ask for less at once, or raise `rpc.timeout_seconds`"),
    Code.NOT_FOUND: Meaning("Not found", "`data.detail` says what there is"),
    Code.UNAVAILABLE: Meaning("Not here now", "ask again later; `data.detail` says what is awaited"),
    Code.ANSWER_TOO_LARGE: Meaning("Answer too large", "ask for fewer items, or in several requests"),
    Code.TOO_MANY: Meaning(
        "Too many subscriptions", "end some first; `data.detail` says how many are allowed"
    ),
    Code.NOT_A_SOCKET: Meaning("Only over a WebSocket", "connect to the same address by WebSocket"),
    Code.NOT_ALLOWED: Meaning(
        "Not allowed now", "`data.detail` says what the contracts or the node ask for first"
    ),
    Code.UNDER_WAY: Meaning(
        "Under way", "`data.detail` says what is; call again later: nothing is done twice meanwhile"
    ),
}


class Refused(Exception):
    """A call, or a whole request, that is answered with an error.

    `detail` is a sentence for the caller, written here and never taken from an exception of others.
    """

    def __init__(self, code: Code, detail: str | None = None, *, incident: str | None = None) -> None:
        super().__init__(code.name)
        self.code = code
        self.detail = detail
        self.incident = incident

    @property
    def error(self) -> dict[str, object]:
        """The error object of an answer."""
        data = {"detail": self.detail, "incident": self.incident}
        told = {name: value for name, value in data.items() if value is not None}
        error: dict[str, object] = {"code": int(self.code), "message": MEANINGS[self.code].message}
        return error | ({"data": told} if told else {})
