"""Gossip messages: what is encoded comes back, and nothing else gets through."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from jepanet.errors import Rejected
from jepanet.protocol.documents.messages import (
    MAX_MESSAGE_BYTES,
    Binding,
    Body,
    Envelope,
    Provide,
    SayCommitment,
    SayResult,
    SayScores,
    SaySheet,
    decode_envelope,
    encode_envelope,
)
from jepanet.tensors import canonical_json
from jepanet.types import RoundId
from round_samples import account, digest

pytestmark = pytest.mark.unit

ROUND = RoundId(7)
BINDING = Binding(account("wallet"), "12D3KooWABCDEFGHJKLMNPQRSTUVWXYZ", 1_900_000_000, bytes(range(65)))
BODIES: tuple[Body, ...] = (
    Provide(ROUND, digest("blob"), ("/ip4/10.0.0.1/tcp/4701", "/dns4/node.example/tcp/1")),
    Provide(ROUND, digest("blob"), ()),
    SayScores(ROUND, b'{"scores":[],"version":1}'),
    SayCommitment(ROUND, digest("committed"), bytes(65)),
    SaySheet(ROUND, digest("sheet")),
    SayResult(ROUND, digest("sheet"), -(2**53 - 1), bytes(65)),
    SayResult(RoundId(2**53 - 1), digest("sheet"), 2**53 - 1, b"\xff" * 65),
)


def tree(body: Body = BODIES[3]) -> Any:
    return json.loads(encode_envelope(Envelope(BINDING, body)))


def names(body: Body) -> str:
    return type(body).__name__


@pytest.mark.parametrize("body", BODIES, ids=names)
def test_what_is_said_is_what_is_heard(body: Body) -> None:
    envelope = Envelope(BINDING, body)
    data = encode_envelope(envelope)
    assert decode_envelope(data) == envelope
    assert encode_envelope(decode_envelope(data)) == data


@pytest.mark.parametrize("body", BODIES, ids=names)
def test_every_field_must_be_there_and_no_other(body: Body) -> None:
    whole = tree(body)
    for part in (None, "body", "binding"):
        level = whole if part is None else whole[part]
        for name in level:
            less = json.loads(json.dumps(whole))
            del (less if part is None else less[part])[name]
            with pytest.raises(Rejected):
                decode_envelope(canonical_json(less))
        more = json.loads(json.dumps(whole))
        (more if part is None else more[part])["extra"] = 1
        with pytest.raises(Rejected):
            decode_envelope(canonical_json(more))


# (part, field, values that must be refused)
HOSTILE: list[tuple[Body, str, str, list[Any]]] = [
    (BODIES[3], "", "version", [0, 2, True, "1", None, 1.5]),
    (BODIES[3], "", "kind", ["provide", "scores", "result", "SHEET", "", None, 3, [], {}, "x" * 10_000]),
    (BODIES[3], "", "body", [None, [], "sheet", 3]),
    (BODIES[3], "", "binding", [None, [], "me"]),
    (BODIES[3], "body", "round", [-1, 2**53 - 1 + 0.5, "7", True, None, []]),
    (BODIES[3], "body", "sheet", ["", "0x" + "00" * 32, "AA" * 32, "00" * 31, "00" * 33, "٠" * 64, None, 3]),
    (BODIES[4], "body", "improvement", [1.5, "1", True, None]),
    (BODIES[4], "body", "signature", ["", "00" * 64, "00" * 66, "zz" * 65, None]),
    (BODIES[0], "body", "addresses", [
        None, "/ip4/1.2.3.4/tcp/1", {}, ["/a"] * 9, ["http://x"], ["/" + "a" * 256], [3], [None], [["/a"]],
    ]),
    (BODIES[3], "binding", "wallet", ["", "0x12", "0x" + "g" * 40, "0x" + "0" * 41, None, 3, "00" * 20]),
    (BODIES[3], "binding", "peer", [
        "", "short", "0OIl" * 10, "../../../../etc/passwd", "A" * 81, None, "1" * 20 + "\n",
    ]),
    (BODIES[3], "binding", "expiry", [-1, 1.5, "1", True, None]),
    (BODIES[3], "binding", "signature", ["", "00" * 64, None, "0x" + "00" * 65]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "part", "field", "values"), HOSTILE, ids=[f"{part}.{field}" for _, part, field, _ in HOSTILE]
)
def test_a_field_of_another_form_is_refused(body: Body, part: str, field: str, values: list[Any]) -> None:
    for value in values:
        changed = tree(body)
        (changed[part] if part else changed)[field] = value
        with pytest.raises(Rejected):
            decode_envelope(canonical_json(changed))


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"\xff\xfe", b"null", b"[]", b"{}", b'{"a":1,"a":1}', b"NaN", b"1e999", b"[" * 200_000,
     b'{"version":' * 40_000],
)  # fmt: skip
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    with pytest.raises(Rejected):
        decode_envelope(data)


def test_one_message_has_one_form() -> None:
    """Otherwise one statement could be repeated in endless variations past the duplicate filter."""
    data = encode_envelope(Envelope(BINDING, BODIES[0]))
    upper = data.replace(digest("blob").hex().encode(), digest("blob").hex().upper().encode())
    spaced = json.dumps(json.loads(data)).encode()
    reordered = json.dumps(dict(reversed(json.loads(data).items())), separators=(",", ":")).encode()
    escaped = data.replace(b'"provide"', b'"\\u0070rovide"')
    for other in (upper, spaced, reordered, escaped, data + b"\n", b" " + data, b"\xef\xbb\xbf" + data):
        assert other != data
        with pytest.raises(Rejected):
            decode_envelope(other)


def test_a_message_over_the_cap_is_neither_sent_nor_read() -> None:
    report = canonical_json(["x" * 1000] * (MAX_MESSAGE_BYTES // 1003))
    assert len(report) < MAX_MESSAGE_BYTES
    with pytest.raises(Rejected, match="over the cap") as caught:
        encode_envelope(Envelope(BINDING, SayScores(ROUND, report)))
    assert caught.value.reason == "too-large"
    with pytest.raises(Rejected) as caught:
        decode_envelope(b" " * (MAX_MESSAGE_BYTES + 1))
    assert caught.value.reason == "too-large"


def test_a_report_that_is_not_canonical_is_not_said() -> None:
    for report in (b"{", b'{"b":1,"a":2}', b"{ }"):
        with pytest.raises(Rejected):
            encode_envelope(Envelope(BINDING, SayScores(ROUND, report)))


def test_a_binding_is_compared_whole() -> None:
    """The gate remembers verified bindings: two that differ anywhere must not be equal."""
    for change in ({"wallet": account("x")}, {"peer": "1" * 20}, {"expiry": 1}, {"signature": bytes(65)}):
        assert replace(BINDING, **change) != BINDING  # type: ignore[arg-type]  # names are checked at run time
