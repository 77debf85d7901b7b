"""Deep nesting is refused before the parser recurses, whatever the interpreter's recursion limit is."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

import pytest

from jepanet.errors import Rejected
from jepanet.nesting import MAX_DEPTH, check_nesting
from jepanet.protocol.documents.scores import decode_report
from jepanet.protocol.documents.spec import decode_spec
from jepanet.protocol.settling.sheet import decode_sheet

pytestmark = pytest.mark.unit


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def test_depth_is_counted_outside_strings() -> None:
    check_nesting(nested(MAX_DEPTH), "test")
    check_nesting(b"[" + b",".join([nested(MAX_DEPTH - 1)] * 500) + b"]", "test")
    check_nesting(json.dumps(["[" * 500, '"[{' * 500, "\\" * 7 + "[" * 500]).encode(), "test")
    for deep in (nested(MAX_DEPTH + 1), b'{"a":' * (MAX_DEPTH + 1), b'["\\"",' * 100, b'["\\\\",' * 100):
        with pytest.raises(Rejected):
            check_nesting(deep, "test")


def test_encodings_that_hide_brackets_are_refused() -> None:
    for encoding in ("utf-16", "utf-16-le", "utf-32-be"):
        with pytest.raises(Rejected):
            check_nesting(("[" * 1000).encode(encoding), "test")


@pytest.mark.parametrize("unit", [b'"', b'"\\', b'["', b'\\"', b'"a\\"', b"[]", b'"",'])
def test_attack_slow_scans(unit: bytes) -> None:
    """Hours for a quadratic scan, which the timeout of the run would end."""
    with suppress(Rejected):
        check_nesting(unit * 1_000_000, "test")


@pytest.mark.parametrize("decode", [decode_spec, decode_report, decode_sheet])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_attack_documents_of_brackets(decode: Callable[[bytes], object], opening: bytes) -> None:
    """Once a library has raised the recursion limit to 100,000, this would overflow the stack."""
    with pytest.raises(Rejected):
        decode(opening * 100_000)
