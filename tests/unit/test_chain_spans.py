"""How many blocks a log query covers: less after any failure, and not the same failure again and again."""

from __future__ import annotations

import pytest

from jepanet.chain.following.query_span import Span

pytestmark = pytest.mark.unit


def test_it_grows_while_answers_are_small_and_shrinks_when_they_are_large() -> None:
    span = Span(clock=lambda: 0.0)
    assert span.size == 256
    for _ in range(10):
        span.answered(span.size, 3)
    assert span.size == 8192
    span.answered(span.size, 5000)
    assert span.size == 4096


@pytest.mark.parametrize("cap", [1, 2, 7, 100, 999])
def test_any_cap_is_found_and_not_bumped_into_for_a_while(cap: int) -> None:
    now = 0.0
    span = Span(clock=lambda: now)
    failures = 0
    for _ in range(300):
        if span.size > cap:
            failures += 1
            assert span.failed(span.size)
        else:
            span.answered(span.size, 0)
    assert failures < 24
    assert cap / 8 < span.size <= cap
    now = 601.0
    span.answered(span.size, 0)
    assert span.size == 1 or span.size > cap / 8, "later a wider one is tried again"


def test_one_block_cannot_be_made_less() -> None:
    span = Span()
    span.failed(256)
    assert not span.failed(1)
