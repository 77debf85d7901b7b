"""From the bytes of a request to those of its answer: reads, checks scopes, calls, words failures.

Calls of a batch are carried out in order, one by one: a batch takes no more of the node than a single caller.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Mapping
from typing import Final

from jepanet.operations.views.json_form import json_form
from jepanet.rpc.codes import Code, Refused
from jepanet.rpc.messages import Call, Id, Malformed, error_text, read_request, result_text
from jepanet.rpc.method import Method, Scope
from jepanet.telemetry import get_logger

log = get_logger("rpc")

_MOST_ANSWERED: Final = 4 << 20
"""Characters of the answers to one request together."""
REQUEST_TAKES: Final = 3
"""How many times as long as a call usually may take all calls of a request may take together."""


class Dispatcher:
    """Answers requests out of a table of methods. `seconds`: what a call may take."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        *,
        seconds: float,
        max_batch: int,
        most_answered: int = _MOST_ANSWERED,
    ) -> None:
        self._methods = methods
        self._seconds = seconds
        self._max_batch = max_batch
        self._most_answered = most_answered

    def beside(self, methods: Iterable[Method]) -> Dispatcher:
        """One that answers by these methods in place of those of the same names."""
        return Dispatcher(
            {**self._methods, **{item.name: item for item in methods}},
            seconds=self._seconds,
            max_batch=self._max_batch,
            most_answered=self._most_answered,
        )

    async def answer(self, body: bytes, scopes: frozenset[Scope]) -> str | None:
        """The answer to a request by somebody with these scopes; None where nothing is to be answered.

        Never raises but when it is cancelled.
        """
        try:
            request = read_request(body, max_batch=self._max_batch)
        except Refused as refusal:
            return error_text(None, refusal)
        until = asyncio.get_running_loop().time() + self._seconds * REQUEST_TAKES
        room, told = self._most_answered, []
        for member in request.members:
            if request.batch:  # most methods wait for nothing: the node would stand still for all of them
                await asyncio.sleep(0)
            text = await self._member(member, scopes, until, alone=not request.batch)
            if text is None:
                continue
            if len(text) > room:
                text = error_text(member.id, Refused(Code.ANSWER_TOO_LARGE))
            room -= len(text)
            told.append(text)
        if not request.batch:
            return told[0] if told else None
        return f"[{','.join(told)}]" if told else None

    async def _member(
        self, member: Call | Malformed, scopes: frozenset[Scope], until: float, *, alone: bool
    ) -> str | None:
        if isinstance(member, Malformed):
            return error_text(member.id, member.refusal)
        try:
            text = await self._carried_out(member, scopes, until, alone=alone and not member.notified)
        except Refused as refusal:
            text = error_text(member.id, refusal)
        except Exception as error:
            # Its text may hold paths, keys of endpoints, anything: it is for the operator's log alone.
            incident = secrets.token_hex(4)
            log.error("method.crashed", method=member.method[:64], incident=incident, exc_info=error)
            text = error_text(member.id, Refused(Code.INTERNAL_ERROR, incident=incident))
        return None if member.notified else text

    async def _carried_out(self, call: Call, scopes: frozenset[Scope], until: float, *, alone: bool) -> str:
        method = self._methods.get(call.method)
        if method is None:
            raise Refused(Code.METHOD_NOT_FOUND)
        if method.scope not in scopes:
            raise Refused(Code.OUT_OF_SCOPE, f"{method.name} takes a token of scope `{method.scope}`")
        if method.alone and not alone:
            raise Refused(Code.NOT_ALLOWED, f"{method.name} is called in a request of its own, with an `id`")
        params = method.read(call.params)
        seconds = self._seconds if method.seconds is None else method.seconds
        now = asyncio.get_running_loop().time()
        if now >= until:
            raise Refused(Code.TIMED_OUT)
        if method.scope is Scope.OPERATE:
            log.info("method.operated", method=method.name)
        try:
            async with asyncio.timeout_at(min(now + seconds, until)) as limit:
                result = await method.answer(params)
        except TimeoutError:
            if not limit.expired():  # the method's own: a defect, or an outside that it did not word
                raise
            raise Refused(Code.TIMED_OUT) from None
        return _text(call.id, result)


def _text(call_id: Id, result: object) -> str:
    return result_text(call_id, json_form(result))
