"""A request is answered as the JSON-RPC 2.0 specification says, and tells nothing that it should not."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jepanet.errors import Fatal
from jepanet.records.marks import Range
from jepanet.rpc.codes import MEANINGS, Code, Refused
from jepanet.rpc.dispatcher import Dispatcher
from jepanet.rpc.method import Method, NoParams, Scope, table_of
from rpc_specification import EXAMPLES, INVALID, OfExamples, bare

pytestmark = pytest.mark.unit

READ = Scope.READ.includes
SECRET = "https://user:key@rpc.example.org/v3/0123456789"


@dataclass(frozen=True, slots=True)
class Bounded:
    limit: Annotated[int, Range(1, 100), "items"] = 20


class Methods(OfExamples):
    """Those of the specification's examples, and some that fail."""

    async def crash(self, _: NoParams) -> None:
        raise Fatal(f"cannot reach {SECRET}")

    async def overrun(self, _: NoParams) -> None:
        raise TimeoutError(SECRET)

    async def sleep(self, _: NoParams) -> None:
        await asyncio.Event().wait()

    async def absent(self, _: NoParams) -> None:
        raise Refused(Code.NOT_FOUND, "there are rounds 3 to 9")

    async def awaited(self, _: NoParams) -> None:
        raise Refused(Code.UNAVAILABLE, "the score sheet is not here yet")

    async def early(self, _: NoParams) -> None:
        raise Refused(Code.NOT_ALLOWED, "the score sheet is not here yet")

    async def begun(self, _: NoParams) -> None:
        raise Refused(Code.UNDER_WAY, "the score sheet is not here yet")

    async def long(self, _: NoParams) -> str:
        return "x" * 3000

    async def strange(self, _: NoParams) -> object:
        return object()

    @property
    def table(self) -> dict[str, Method]:
        plain = [
            (name, NoParams, getattr(self, name))
            for name in ("crash", "overrun", "absent", "awaited", "early", "begun", "long", "strange")
        ]
        lines = [("bounded", Bounded, self.nothing), *plain]
        methods = [
            *self.methods,
            *(Method(name, "", params, object, answer) for name, params, answer in lines),
        ]
        methods.append(Method("sleep", "", NoParams, object, self.sleep, seconds=0.01))
        methods.append(Method("drain", "", NoParams, object, self.nothing, Scope.OPERATE))
        return dict(table_of(methods))


def dispatcher_of(methods: Methods, **changes: Any) -> Dispatcher:
    return Dispatcher(methods.table, **{"seconds": 5.0, "max_batch": 10, "most_answered": 2000, **changes})


async def asked(body: str | bytes, scopes: frozenset[Scope] = READ, **changes: Any) -> Any:
    data = body.encode() if isinstance(body, str) else body
    text = await dispatcher_of(Methods(), **changes).answer(data, scopes)
    return None if text is None else json.loads(text)


async def called(method: str, params: Any = None, scopes: frozenset[Scope] = READ) -> Any:
    call = {"jsonrpc": "2.0", "method": method, "id": 1}
    return await asked(json.dumps(call if params is None else call | {"params": params}), scopes)


@pytest.mark.parametrize("name", EXAMPLES)
async def test_the_specifications_own_examples(name: str) -> None:
    body, answer = EXAMPLES[name]
    assert bare(await asked(body)) == answer


@pytest.mark.parametrize("call_id", [None, 0, 1.5, -7, "", "a", 10**30])
async def test_an_id_is_given_back_as_it_was(call_id: Any) -> None:
    body = json.dumps({"jsonrpc": "2.0", "method": "get_data", "id": call_id})
    assert await asked(body) == {"jsonrpc": "2.0", "result": ["hello", 5], "id": call_id}


@pytest.mark.parametrize("call_id", ["true", "[1]", "{}", "1e999"])
async def test_what_is_no_id_is_not_given_back(call_id: str) -> None:
    body = f'{{"jsonrpc": "2.0", "method": "get_data", "id": {call_id}}}'
    assert bare(await asked(body)) == INVALID


async def test_one_id_twice_in_a_batch_is_answered_twice() -> None:
    call = '{"jsonrpc": "2.0", "method": "get_data", "id": 4}'
    assert [item["id"] for item in await asked(f"[{call},{call}]")] == [4, 4]


async def test_a_notification_is_carried_out_and_its_failure_not_told() -> None:
    methods = Methods()
    dispatcher = dispatcher_of(methods)
    assert await dispatcher.answer(b'{"jsonrpc": "2.0", "method": "update"}', READ) is None
    assert methods.called == ["notified"]
    for method in ("crash", "absent", "sleep", "drain"):
        assert await dispatcher.answer(b'{"jsonrpc": "2.0", "method": "%s"}' % method.encode(), READ) is None


FAILURES: dict[Code, tuple[str, Any]] = {
    Code.METHOD_NOT_FOUND: ("nowhere", None),
    Code.INVALID_PARAMS: ("bounded", {"limit": 101}),
    Code.INTERNAL_ERROR: ("crash", None),
    Code.OUT_OF_SCOPE: ("drain", None),
    Code.TIMED_OUT: ("sleep", None),
    Code.NOT_FOUND: ("absent", None),
    Code.UNAVAILABLE: ("awaited", None),
    Code.ANSWER_TOO_LARGE: ("long", None),
    Code.NOT_ALLOWED: ("early", None),
    Code.UNDER_WAY: ("begun", None),
}
"""Each by a call that meets it."""
OF_REQUESTS: dict[Code, str] = {
    Code.PARSE_ERROR: "{",
    Code.INVALID_REQUEST: "7",
    Code.BATCH_TOO_LARGE: f"[{','.join(['1'] * 11)}]",
}
OF_HTTP = {Code.UNAUTHORIZED, Code.STRANGER, Code.NOT_JSON, Code.BODY_TOO_LARGE}
"""Shown by `tests/integration/test_rpc_server.py`."""
OF_SOCKETS = {Code.TOO_MANY, Code.NOT_A_SOCKET}
"""Shown by `tests/integration/test_rpc_sockets.py`."""


def test_every_code_has_a_meaning_and_a_test() -> None:
    assert set(MEANINGS) == set(Code) == {*FAILURES, *OF_REQUESTS, *OF_HTTP, *OF_SOCKETS}
    assert {code for code in Code if MEANINGS[code].status >= 400} == OF_HTTP
    for code in set(Code) - {Code.PARSE_ERROR, *(item for item in Code if -32604 < item < -32599)}:
        assert -32099 <= code <= -32000, "the range that is left to servers"


@pytest.mark.parametrize("code", FAILURES)
async def test_a_call_that_fails_is_answered_with_its_code(code: Code) -> None:
    method, params = FAILURES[code]
    answer = await called(method, params)
    assert (answer["error"]["code"], answer["error"]["message"]) == (code, MEANINGS[code].message)
    assert answer["id"] == 1 and "result" not in answer


@pytest.mark.parametrize("code", OF_REQUESTS)
async def test_a_request_that_fails_is_answered_with_its_code(code: Code) -> None:
    answer = await asked(OF_REQUESTS[code])
    assert (answer["error"]["code"], answer["id"]) == (code, None)


@pytest.mark.parametrize("method", ["crash", "overrun", "strange"])
async def test_attack_no_text_of_an_exception_leaves(method: str) -> None:
    answer = await called(method)
    assert answer["error"]["code"] == Code.INTERNAL_ERROR
    assert set(answer["error"]["data"]) == {"incident"}
    assert SECRET not in json.dumps(answer) and "Error" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"limit": 0}, "limit must be a whole number from 1 to 100, not 0"),
        ({"limit": True}, "limit must be"),
        ({"limit": 5.0}, "limit must be"),
        ({"limits": 5}, "limits is unknown"),
        ([1, 2], "2 parameters, of at most 1"),
        ([None], "limit must be"),
    ],
)
async def test_a_wrong_parameter_is_named(params: Any, told: str) -> None:
    answer = await called("bounded", params)
    assert answer["error"]["code"] == Code.INVALID_PARAMS
    assert told in answer["error"]["data"]["detail"]


async def test_a_missing_parameter_is_named() -> None:
    assert "subtrahend is missing" in (await called("subtract", [1]))["error"]["data"]["detail"]


async def test_attack_a_token_that_reads_does_not_operate() -> None:
    methods = Methods()
    body = b'{"jsonrpc": "2.0", "method": "drain", "id": 1}'
    refused = json.loads(await dispatcher_of(methods).answer(body, READ) or "")
    assert refused["error"]["code"] == Code.OUT_OF_SCOPE and not methods.called
    done = json.loads(await dispatcher_of(methods).answer(body, Scope.OPERATE.includes) or "")
    assert done["result"] is None and methods.called == ["notified"]
    assert "result" in await called("get_data", scopes=Scope.OPERATE.includes), "who operates may read"


async def test_attack_a_batch_too_large_is_not_begun() -> None:
    methods = Methods()
    call = '{"jsonrpc": "2.0", "method": "update", "id": 1}'
    body = f"[{','.join([call] * 1000)}]".encode()
    answer = json.loads(await dispatcher_of(methods).answer(body, READ) or "")
    assert answer["error"]["code"] == Code.BATCH_TOO_LARGE and not methods.called


async def test_attack_a_batch_takes_no_longer_than_three_calls() -> None:
    methods = Methods()
    table = methods.table | {"sleep": Method("sleep", "", NoParams, object, methods.sleep)}
    dispatcher = Dispatcher(table, seconds=0.02, max_batch=10)
    call = '{"jsonrpc": "2.0", "method": "sleep", "id": 1}'
    late = '{"jsonrpc": "2.0", "method": "update", "id": 2}'
    answers = json.loads(await dispatcher.answer(f"[{','.join([call] * 9)},{late}]".encode(), READ) or "")
    assert [item["error"]["code"] for item in answers] == [Code.TIMED_OUT] * 10
    assert not methods.called, "what is late is not begun"


async def test_a_method_that_takes_longer_is_given_more_within_the_time_of_a_request() -> None:
    methods = Methods()
    slow = Method("sleep", "", NoParams, object, methods.sleep, seconds=600.0)
    dispatcher = Dispatcher({"sleep": slow}, seconds=0.02, max_batch=10)
    body = b'{"jsonrpc": "2.0", "method": "sleep", "id": 1}'
    answer = json.loads(await asyncio.wait_for(dispatcher.answer(body, READ), 20) or "")
    assert answer["error"]["code"] == Code.TIMED_OUT


async def test_attack_what_a_batch_answers_together_is_bounded() -> None:
    call = '{"jsonrpc": "2.0", "method": "long", "id": 1}'
    answers = await asked(f"[{','.join([call] * 10)}]", most_answered=7000)
    assert ["result" in item for item in answers] == [True] * 2 + [False] * 8
    assert answers[-1]["error"]["code"] == Code.ANSWER_TOO_LARGE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"jsonrpc": "2.0", "method": "get_data", "id": ' + b"9" * 5000 + b"}",
        b'{"jsonrpc": "2.0", "method": "sum", "params": [NaN], "id": 1}',
        b'{"jsonrpc": "2.0", "method": "get_data", "method": "crash", "id": 1}',
        '{"jsonrpc": "2.0"}'.encode("utf-16"),
    ],
)
async def test_attack_what_is_no_json_is_refused_as_such(body: bytes) -> None:
    assert (await asked(body))["error"]["code"] == Code.PARSE_ERROR


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["jsonrpc", "method", "params", "id", "x"]), inner, max_size=5),
).map(lambda tree: json.dumps(tree).encode()))  # fmt: skip
def test_whatever_comes_is_answered(body: bytes) -> None:
    answer = asyncio.run(asked(body))
    for item in answer if isinstance(answer, list) else [answer]:
        assert item is None or (item["jsonrpc"] == "2.0" and ("result" in item) != ("error" in item))


def test_two_methods_of_one_name_are_refused() -> None:
    method = Method("a.b", "", NoParams, object, Methods().get_data)
    with pytest.raises(ValueError, match=r"a\.b"):
        table_of([method, method])
